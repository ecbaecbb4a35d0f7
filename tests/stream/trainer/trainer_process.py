"""A trainer as a process of its own: serves a store, in RAM or a folder, until it is killed.

Says its URL; then, for every line that it reads, which transitions it has.
"""

import json
import sys
from pathlib import Path

import numpy as np

from edgeloop.stream import ReplayBuffer, TrainerConfig, TrainerServer


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    url, folder = sys.argv[1:]
    place = {"folder": Path(folder)} if folder else {}
    store = ReplayBuffer(capacity=100_000, **place)  # type: ignore[arg-type]
    config = TrainerConfig(port_number=0, request_types=["ask"])
    with TrainerServer(config, url=url) as server:
        server.register_data_store("buffer", store)
        server.publish_network({"w": np.arange(1_000_000)})
        say(server.url)
        for _ in sys.stdin:
            items, _ = store.since(0)
            say(json.dumps([int(item["rewards"]) for item in items]))
