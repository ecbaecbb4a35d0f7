"""A robot's server as a process of its own: says its URL, publishes, answers until it is ended."""

import sys

import numpy as np

from edgeloop.stream import ActionConfig, ActionServer, Message

CONFIG = ActionConfig(0, action_keys=["move", "fail", "hang"], observation_keys=["joints"])


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def observe(keys: set[str]) -> Message:
    return {key: np.arange(100_000) for key in keys}


def act(key: str, payload: Message) -> Message:
    if key == "fail":
        raise RuntimeError("the motor is stalled")
    if key == "hang":
        say("hanging")
        sys.stdin.read()
    return payload


if __name__ == "__main__":
    server = ActionServer(CONFIG, observe, act, url=sys.argv[1])
    server.publish_obs({"joints": np.arange(100_000)})
    say(server.url)
    server.run()
    say("ended")
