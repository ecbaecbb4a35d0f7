"""An actor as a process of its own: goes on with its folder, sends by itself until all arrived.

``python actor_process.py URL FOLDER COUNT FIRST``: the numbers of transitions begin with FIRST.
"""

import sys
import threading
from pathlib import Path

import numpy as np

from edgeloop.stream import ReplayBuffer, TrainerClient, TrainerConfig

if __name__ == "__main__":
    url, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    first = int(sys.argv[4])
    config = TrainerConfig(port_number=0, request_types=["ask"])
    pause = threading.Event()
    with ReplayBuffer(capacity=100_000, folder=folder) as store:
        options = {"timeout_s": 2.0, "wait_for_server_s": 100.0}
        with TrainerClient(
            "actor",
            url,
            config,
            data_stores={"buffer": store},
            **options,  # type: ignore[arg-type]
        ) as client:
            client.start_async_update(0.001)
            sys.stdout.write("begun\n")
            sys.stdout.flush()
            while store.cursor < count:
                store.insert(
                    {"rewards": np.int64(first + store.cursor), "image": np.zeros(300, np.uint8)}
                )
                if store.cursor % 5 == 0:
                    pause.wait(0.001)
            while client.counters()["waiting"]:
                pause.wait(0.01)
