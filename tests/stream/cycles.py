"""Starts and stops pairs again and again; says what is left of them."""

import asyncio
import gc
import importlib
import json
import sys
import threading
from pathlib import Path

import numpy as np

from edgeloop.stream import (
    ActionClient,
    ActionConfig,
    ActionServer,
    AsyncInferenceClient,
    InferenceClient,
    InferenceServer,
    Message,
)

CONFIG = ActionConfig(0, action_keys=["move"], observation_keys=["joints"])
WAIT_S = 60


def robot(url: str) -> None:
    server = ActionServer(CONFIG, lambda keys: {"joints": np.ones(50_000)}, url=url)
    seen = threading.Event()
    with server, ActionClient(server.url, CONFIG, timeout_s=WAIT_S) as client:
        client.register_obs_callback(lambda message: seen.set())
        server.publish_obs({"joints": np.ones(50_000)})
        assert client.obs()["joints"].sum() == 50_000
        assert seen.wait(WAIT_S)


def model(url: str) -> None:
    server = InferenceServer(url=url)
    server.register_interface("echo", lambda batch: batch, batch_size=4)
    with server:
        with InferenceClient(server.url, timeout_s=WAIT_S) as client:
            client.call("echo", {"x": np.ones(50_000)})
        asyncio.run(ask(server.url))


async def ask(url: str) -> Message:
    async with AsyncInferenceClient(url, timeout_s=WAIT_S) as client:
        return await client.call("echo", {"x": 1})


def left() -> dict[str, object]:
    """Threads, open files and shared memory of this process."""
    gc.collect()
    maps = Path("/proc/self/maps").read_text().splitlines()
    return {
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "memory": [line for line in maps if "memfd:edgeloop" in line],
    }


if __name__ == "__main__":
    if sys.gettrace():  # coverage's: so many threads end here that its tracer would hang at times
        sys.path.append(str(Path(__file__).parent.parent))
        importlib.import_module("tracing").use_greenlet_index()
    url, count = sys.argv[1], int(sys.argv[2])
    said = []
    for number in range(count):
        robot(url)
        model(url)
        if number in (0, count - 1):
            said.append(left())
    sys.stdout.write(json.dumps(said))
