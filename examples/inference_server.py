"""A policy on one machine, robots that ask it on others.

python examples/inference_server.py                     both in one process
python examples/inference_server.py --server            where the policy runs
python examples/inference_server.py --client --ip HOST  a robot
"""

import argparse
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np

from edgeloop.stream import InferenceClient, InferenceServer, Message

JOINTS = 7
WEIGHTS = np.random.default_rng(0).normal(size=(32, JOINTS)).astype(np.float32)


def act(message: Message) -> Message:
    """Observations (batch, 32) of the robots that wait -> their actions."""
    return {"action": np.tanh(message["observation"] @ WEIGHTS)}


def look(message: Message) -> Message:
    """How bright an image (height, width, 3) is."""
    return {"brightness": float(message["image"].mean())}


def serve(arguments: argparse.Namespace) -> InferenceServer:
    """A server with two interfaces, one of which answers robots together."""
    server = InferenceServer(arguments.port, url=f"tcp://{arguments.ip}:{arguments.port}")
    server.register_interface("act", act, batch_size=16)
    server.register_interface("look", look)
    return server


def ask(arguments: argparse.Namespace, server: str) -> None:
    """Ask as several robots would."""
    with InferenceClient(server, arguments.port or None, wait_for_server_s=60) as client:
        print(f"there are {', '.join(sorted(client.interfaces()))}")
        seen = client.call("look", {"image": np.full((480, 640, 3), 127, np.uint8)})
        print(f"brightness {seen['brightness']:.1f}")

        def step(number: int) -> str:
            observation = np.random.default_rng(number).normal(size=32).astype(np.float32)
            action = client.call("act", {"observation": observation})["action"]
            return f"step {number}: {np.array2string(action, precision=2)}"

        with ThreadPoolExecutor(8) as robots:
            for line in robots.map(step, range(arguments.steps)):
                print(line)
        print(f"{1000 * client.counters()['call_seconds_p50']:.2f} ms per call (p50)")


def parse() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="A policy that robots ask.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--server", action="store_true", help="only answer")
    mode.add_argument("--client", action="store_true", help="only ask")
    parser.add_argument("--ip", default="127.0.0.1", help="of the server; 0.0.0.0 there")
    parser.add_argument("--port", type=int, default=5558, help="of the server, %(default)s")
    parser.add_argument("--steps", type=int, default=20, help="of robots, %(default)s")
    return parser.parse_args()


def main() -> None:
    """Answer, ask, or both."""
    arguments = parse()
    if arguments.client:
        ask(arguments, arguments.ip)
        return
    if not arguments.server:
        arguments.port = 0
    server = serve(arguments)
    print(f"answering at {server.url}", flush=True)
    if arguments.server:
        server.run()
        return
    with server:
        ask(arguments, server.url)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
