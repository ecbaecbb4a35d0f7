"""A server as a process of its own: says its URL, publishes, answers until it is killed."""

import sys

import numpy as np

from edgeloop.stream.transport import Message, serve


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def answer(route: str, message: Message) -> Message:
    if route == "hang":
        say("hanging")
        sys.stdin.read()
    return message


if __name__ == "__main__":
    with serve(sys.argv[1], answer) as server:
        server.publish("weights", {"w": np.arange(1_000_000)})
        say(server.url)
        sys.stdin.read()
