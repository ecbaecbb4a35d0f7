"""CartPole on one machine, the agent on another.

python examples/gym_cartpole_env.py                          both in one process
python examples/gym_cartpole_env.py --server --ip 0.0.0.0    where the environment is
python examples/gym_cartpole_env.py --client --ip ROBOT      where the agent is
"""

import argparse

import gymnasium

from edgeloop.rl import GymEnvClient, GymEnvServer


def serve(arguments: argparse.Namespace) -> GymEnvServer:
    """Host the environment; with --render in a window here, and nowhere else."""
    mode = "human" if arguments.render else None
    return GymEnvServer(
        lambda: gymnasium.make("CartPole-v1", render_mode=mode),
        url=f"tcp://{arguments.ip}:{arguments.port}",
    )


def play(arguments: argparse.Namespace, server: str) -> None:
    """Push the cart to where the pole falls."""
    with GymEnvClient(server, arguments.port, wait_for_server_s=60) as env:
        for episode in range(arguments.episodes):
            (_, _, angle, spin), _ = env.reset(seed=episode)
            total, over = 0.0, False
            while not over:
                action = int(angle + 0.5 * spin > 0)
                (_, _, angle, spin), reward, terminated, truncated, _ = env.step(action)
                total, over = total + float(reward), terminated or truncated
            print(f"episode {episode}: {total:.0f} steps", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--server", action="store_true")
    mode.add_argument("--client", action="store_true")
    parser.add_argument("--ip", default="127.0.0.1", help="of the server")
    parser.add_argument("--port", type=int, default=5546)
    parser.add_argument("--episodes", type=int, default=5)
    parser.add_argument("--render", action="store_true", help="show it, where the server is")
    arguments = parser.parse_args()
    if arguments.client:
        play(arguments, arguments.ip)
        return
    server = serve(arguments)
    print(f"server: {server.url}", flush=True)
    if arguments.server:
        server.run()
    else:
        with server:
            play(arguments, server.url)


if __name__ == "__main__":
    main()
