"""Servers of agentlace's names for tests: they run while a block does."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from edgeloop.compat.agentlace import (
    ActionClient,
    ActionConfig,
    ActionServer,
    InferenceClient,
    InferenceServer,
    TrainerClient,
    TrainerConfig,
    TrainerServer,
)
from edgeloop.compat.agentlace.data.data_store import DataStoreBase, QueuedDataStore

TIMEOUT_MS = 30_000
"""Longer than anything takes on a busy machine."""
SOON_MS = 50
"""For what will not come."""


@contextlib.contextmanager
def running(server: Any) -> Iterator[Any]:
    """A server of any kind, answering in threads."""
    server.start(threaded=True)
    try:
        yield server
    finally:
        server.stop()


def action_config(*, broadcast_port: int | None = 1) -> ActionConfig:
    """A robot that moves and sees."""
    return ActionConfig(0, ["move", "turn"], ["cam", "arm"], broadcast_port=broadcast_port)


def robot(
    observe: Callable[[set[str]], Any] | None = None,
    act: Callable[[str, Any], Any] | None = None,
    **config: Any,
) -> Any:
    """A running robot; without callbacks it says what it was asked."""
    return running(
        ActionServer(
            action_config(**config),
            observe or (lambda keys: {"keys": sorted(keys)}),
            act or (lambda key, payload: {"key": key, "payload": payload}),
        )
    )


def operator(server: ActionServer) -> ActionClient:
    """A client of a robot."""
    return ActionClient("127.0.0.1", server.config, timeout_ms=TIMEOUT_MS)


def model_client(server: InferenceServer) -> InferenceClient:
    """A client of a model, with all the time there is."""
    client = InferenceClient("127.0.0.1", server.port_num)
    client.client.timeout_ms = TIMEOUT_MS
    return client


def learner(*stores: str, port: int = 0, **callbacks: Any) -> TrainerServer:
    """A trainer server, not running yet, with queues of these names."""
    server = TrainerServer(TrainerConfig(port, request_types=["ask"]), **callbacks)
    for name in stores:
        server.register_data_store(name, QueuedDataStore(10_000))
    return server


def actor(
    server: TrainerServer, store: DataStoreBase | None, *, name: str = "a", **options: Any
) -> TrainerClient:
    """A client of a trainer server."""
    options = {"timeout_ms": TIMEOUT_MS, **options}
    return TrainerClient(name, "127.0.0.1", server.config, store, **options)


def held(server: TrainerServer, name: str = "a") -> list[Any]:
    """What a queue of a trainer server holds."""
    store = server.data_store(name)
    assert isinstance(store, DataStoreBase)
    return store.get_latest_data(-1)


def filled(*items: Any) -> QueuedDataStore:
    """A client's store with these items."""
    store = QueuedDataStore(10_000)
    store.batch_insert(list(items))
    return store
