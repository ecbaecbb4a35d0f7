"""SAC learns what an actor in another process tries: transitions come up, weights go down.

python examples/async_learner_actor.py                     both in one process
python examples/async_learner_actor.py --learner           in one terminal
python examples/async_learner_actor.py --actor --ip HOST   in others, here or elsewhere
"""

import argparse
import queue
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.sac.policies import SACPolicy

from edgeloop.errors import StreamClosed, StreamTimeout
from edgeloop.rl import (
    EpisodeLog,
    Evaluation,
    LoggedEnv,
    draw_curve,
    learner_on,
    load_weights,
    weights_of,
)
from edgeloop.stream import (
    Limiter,
    QueuedDataStore,
    ReplayBuffer,
    TrainerClient,
    TrainerConfig,
    TrainerServer,
    TrajectoryBuffer,
)

STORE = "actor"
CONFIG = TrainerConfig(request_types=["join"])
GOALS = {"Pendulum-v1": -250.0}
NETWORKS: dict[str, Any] = {"net_arch": [64, 64]}
BATCH_SIZE = 256
WARM_UP = 500  # transitions that the actor draws at random
TOGETHER = 50  # transitions in an update, gradient steps between two publications
EVALUATED_EVERY = 500  # transitions
CAPACITY = 1_000_000


def learn(arguments: argparse.Namespace, tell_url: Callable[[str], object]) -> None:
    """Learn from what arrives until the goal is reached, or ``--steps`` transitions came."""
    env = Monitor(gym.make(arguments.env))  # to try the policy in; all training data comes by wire
    store = store_for(env, arguments)
    learner = learner_on(
        store,
        SAC,
        observation_space=env.observation_space,
        action_space=env.action_space,
        policy_kwargs=NETWORKS,
        learning_rate=1e-3,
        gamma=0.98,
        tau=0.01,
        seed=arguments.seed,
        device="cpu",
    )
    curve: list[Evaluation] = []
    joined: list[int] = []

    def join(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
        joined.append(store.cursor)
        return {}

    url = f"tcp://{arguments.ip}:{arguments.port}"
    with TrainerServer(CONFIG, request_callback=join, url=url) as server:
        server.register_data_store(STORE, store)
        tell_url(server.url)
        while not (curve and is_done(curve[-1], arguments)):
            learner.train(TOGETHER, BATCH_SIZE)  # waits until enough transitions came
            server.publish_network({"actor": weights_of(learner.actor), "is_last": False})
            if store.cursor >= min(arguments.steps, (len(curve) + 1) * EVALUATED_EVERY):
                curve.append(evaluate(learner, env, store.cursor))
        server.publish_network({"actor": weights_of(learner.actor), "is_last": True})
        wait_for_actors_to_leave(server)
    arrived = int(server.counters()["transitions"])
    print(f"{store.cursor} transitions, {arrived} over the wire, from {len(joined)} actors")
    if arguments.curve:
        title = f"{arguments.env}: return of an episode"
        marks = dict.fromkeys(joined[1:], "another actor joins")
        draw_curve(curve, arguments.curve, title=title, goal=arguments.goal, marks=marks)


def act(arguments: argparse.Namespace, server: str) -> None:
    """Try the newest policy in the environment, and send what comes of it, until told to stop."""
    env = gym.make(arguments.env, render_mode="human" if arguments.render else None)
    if arguments.rlds_log_dir:
        env = LoggedEnv(env, EpisodeLog(arguments.rlds_log_dir))
    assert isinstance(env.action_space, gym.spaces.Box)
    policy = SACPolicy(env.observation_space, env.action_space, lambda _: 0.0, **NETWORKS)
    store = QueuedDataStore(100_000)
    newest: deque[dict[str, Any]] = deque(maxlen=1)
    is_over = threading.Event()

    def take(network: dict[str, Any]) -> None:
        newest.append(network["actor"])
        if network["is_last"]:
            is_over.set()

    config = TrainerConfig(arguments.port, CONFIG.request_types)
    with env, TrainerClient(STORE, server, config, store, wait_for_server_s=60) as client:
        client.request("join")
        client.recv_network_callback(take)
        has_policy = False
        observation, _ = env.reset()
        while not is_over.is_set():
            if newest:
                load_weights(policy.actor, newest.pop())
                has_policy = True
            action = policy.predict(observation)[0] if has_policy else env.action_space.sample()
            following, reward, terminated, truncated, _ = env.step(action)
            store.insert(
                {
                    "observations": observation,
                    "actions": action,
                    "rewards": np.float32(reward),
                    "next_observations": following,
                    "masks": np.float32(not terminated),
                    "dones": np.bool_(terminated or truncated),
                }
            )
            observation = env.reset()[0] if terminated or truncated else following
            if store.cursor % TOGETHER == 0:
                hand_over(client, is_over)


def learn_and_act(arguments: argparse.Namespace) -> None:
    """Both, in two threads; the actor has the main one, as windows want it."""
    urls: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def run() -> None:
        try:
            learn(arguments, urls.put)
        finally:
            urls.put(None)

    learning = threading.Thread(target=run, daemon=True)
    learning.start()
    if (url := urls.get()) is None:
        raise SystemExit(1)
    act(arguments, url)
    learning.join()


def store_for(env: gym.Env[Any, Any], arguments: argparse.Namespace) -> Any:
    """A store that gives each transition to as many gradient steps as there are transitions."""
    limiter = Limiter(
        samples_per_insert=BATCH_SIZE,
        min_size=min(WARM_UP, arguments.steps // 2),
        tolerance=2 * TOGETHER * BATCH_SIZE,
    )
    if arguments.use_traj_buffer:
        return TrajectoryBuffer(CAPACITY, seed=arguments.seed, limiter=limiter)
    return ReplayBuffer(env.observation_space, env.action_space, CAPACITY, limiter=limiter)


def evaluate(learner: SAC, env: gym.Env[Any, Any], transitions: int) -> Evaluation:
    """What the policy gets in ten episodes when it does what it thinks best."""
    tried: Any = evaluate_policy(learner, env, n_eval_episodes=10, return_episode_rewards=True)
    evaluation = Evaluation(transitions, returns=tried[0])
    print(f"{transitions} transitions: mean return {evaluation.mean:.0f}", flush=True)
    return evaluation


def is_done(evaluation: Evaluation, arguments: argparse.Namespace) -> bool:
    """Whether the policy is good enough, or there was enough to learn from."""
    if arguments.goal is not None and evaluation.mean >= arguments.goal:
        return True
    return bool(evaluation.transitions >= arguments.steps)


def hand_over(client: TrainerClient, is_over: threading.Event) -> None:
    """Send what is new, and wait: for a learner that is behind, or until there is one again."""
    while not is_over.is_set():
        with suppress(StreamTimeout, StreamClosed):
            client.update(timeout_s=2)
            return


def wait_for_actors_to_leave(server: TrainerServer) -> None:
    """Let them hear that it is over."""
    for _ in range(100):
        if not server.counters()["connections"]:
            return
        threading.Event().wait(0.1)


def default_env() -> str:
    """The cheetah where MuJoCo is installed, in the version that Gymnasium has."""
    if find_spec("mujoco") is None:
        return "Pendulum-v1"
    return "HalfCheetah-v4" if "HalfCheetah-v4" in gym.registry else "HalfCheetah-v5"


def unfit(name: str) -> str:
    """Why SAC cannot learn in this environment; "" where it can."""
    try:
        with gym.make(name) as env:
            fits = isinstance(env.action_space, gym.spaces.Box)
    except (gym.error.Error, ImportError) as error:
        return str(error)
    return "" if fits else f"SAC needs actions that are numbers, not {env.action_space}."


def parse() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="SAC with learner and actor apart.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--learner", action="store_true", help="only learn")
    mode.add_argument("--actor", action="store_true", help="only act")
    parser.add_argument("--env", default=default_env(), help="Gymnasium's name, %(default)s")
    parser.add_argument("--ip", default="127.0.0.1", help="where the learner is; 0.0.0.0 there")
    parser.add_argument("--port", type=int, default=5555, help="of the learner, %(default)s")
    parser.add_argument("--render", action="store_true", help="show the actor's environment")
    parser.add_argument("--use_traj_buffer", action="store_true", help="keep trajectories")
    parser.add_argument("--rlds_log_dir", type=Path, help="log the actor's episodes there")
    parser.add_argument("--steps", type=int, default=20_000, help="transitions at most")
    parser.add_argument("--goal", type=float, help="mean return to stop at")
    parser.add_argument("--curve", type=Path, help="draw the learning curve to this PNG")
    parser.add_argument("--seed", type=int, default=0, help="of the learner, %(default)s")
    arguments = parser.parse_args()
    if why := unfit(arguments.env):
        parser.error(f"--env {arguments.env}: {why}")
    if arguments.goal is None:
        arguments.goal = GOALS.get(arguments.env)
    return arguments


def main() -> None:
    """Learn, act, or both."""
    arguments = parse()
    torch.set_num_threads(1)
    if arguments.learner:
        learn(arguments, lambda url: print(f"learning at {url}", flush=True))
    elif arguments.actor:
        act(arguments, arguments.ip)
    else:
        arguments.ip, arguments.port = "127.0.0.1", 0
        learn_and_act(arguments)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
