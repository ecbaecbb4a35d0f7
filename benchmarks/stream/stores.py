"""Stores: inserting and sampling, states and images, against the reference and a bare gather.

All rates are per second of CPU time of one thread, so that neighbours count little; the limit is
what numpy needs to copy or gather the same bytes without any bookkeeping.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from edgeloop.stream import (
    LatestWindow,
    Prioritized,
    QueuedDataStore,
    ReplayBuffer,
    SequenceWindow,
    TrajectoryBuffer,
)
from stream.reference_buffer import ReferenceBuffer
from stream.rows import Row, rates, times

_STATES = 100_000
_IMAGES = 5_000
_BATCH = 256
_ROUND_S = 0.2
_FEWEST = 3
_SIDE = 128

Tree = dict[str, Any]


def measure(rounds: int, only: str = "") -> Iterator[Row]:
    """The rows of all parts whose name has ``only`` in it."""
    for name, part in {
        "state": _states,
        "image": _images,
        "trajectory": _trajectories,
        "queue": _queue,
    }.items():
        if only in name:
            yield from part(rounds)


def _states(rounds: int) -> Iterator[Row]:
    """Observations of 17 float32, actions of 6, as in BASELINES' state case: 100,000 rows."""
    columns = _state_columns(_STATES)
    items = _items(columns, 1000)
    part = {key: values[:10_000] for key, values in columns.items()}
    ours, peer = ReplayBuffer(capacity=_STATES), ReferenceBuffer(items[0], _STATES)
    prioritized = ReplayBuffer(capacity=_STATES, sampler=Prioritized(seed=0))
    n_step = ReplayBuffer(capacity=_STATES, n_step=3)
    for buffer in (ours, prioritized, n_step):
        buffer.insert_batch(columns)
    for _ in range(_STATES // len(items)):
        peer.insert_batch(items)
    flat = np.random.default_rng(0).integers(0, 255, (_STATES, 168), dtype=np.uint8)
    rows = np.random.default_rng(1).integers(0, _STATES, _BATCH)
    out = np.empty((_BATCH, 168), np.uint8)
    found = _by_turns(
        rounds,
        {
            "insert": lambda: _each(ours.insert, items),
            "peer insert": lambda: _each(peer.insert, items),
            "batch": lambda: ours.insert_batch(part),
            "peer batch": lambda: peer.insert_batch(items),
            "copy": lambda: np.copyto(flat[:10_000], flat[10_000:20_000]),
            "sample": lambda: ours.sample(_BATCH),
            "peer sample": lambda: peer.sample(_BATCH),
            "take": lambda: flat.take(rows, axis=0, out=out, mode="clip"),
            "prioritized": lambda: prioritized.sample(_BATCH),
            "n-step": lambda: n_step.sample(_BATCH),
        },
    )
    yield rates(
        "ReplayBuffer, state case: insert",
        "1/s",
        1000 / found["insert"],
        1000 / found["peer insert"],
    )
    yield rates(
        "ReplayBuffer, state case: insert a batch of 10,000",
        "transitions/s",
        10_000 / found["batch"],
        1000 / found["peer batch"],
        limit=10_000 / found["copy"],
    )
    yield rates(
        "ReplayBuffer, state case: sample(256)",
        "batches/s",
        1 / found["sample"],
        1 / found["peer sample"],
        limit=1 / found["take"],
        goal=2.5,
    )
    for name in ("prioritized", "n-step"):
        yield rates(
            f"ReplayBuffer, state case: sample(256), {name}", "batches/s", 1 / found[name], None
        )


def _images(rounds: int) -> Iterator[Row]:
    """Observations of 128x128x3 bytes: 5,000 rows."""
    frames = np.random.default_rng(0).integers(0, 255, (1001, _SIDE, _SIDE, 3), dtype=np.uint8)
    items = [_image_transition(frames, number) for number in range(1000)]
    ours, peer = ReplayBuffer(capacity=_IMAGES), ReferenceBuffer(items[0], _IMAGES)
    for _ in range(2 * _IMAGES // len(items)):  # twice round: every page was written to
        ours.insert_batch(items)
        peer.insert_batch(items)
    flat = np.zeros((2 * _IMAGES, _SIDE * _SIDE * 3), np.uint8)
    flat[:] = 1
    rows = np.random.default_rng(1).integers(0, len(flat), 2 * _BATCH)
    out = np.empty((2 * _BATCH, _SIDE * _SIDE * 3), np.uint8)
    found = _by_turns(
        rounds,
        {
            "insert": lambda: _each(ours.insert, items[:100]),
            "peer insert": lambda: _each(peer.insert, items[:100]),
            "sample": lambda: ours.sample(_BATCH),
            "peer sample": lambda: peer.sample(_BATCH),
            "take": lambda: flat.take(rows, axis=0, out=out, mode="clip"),
        },
    )
    yield rates(
        "ReplayBuffer, images 128x128x3: insert",
        "1/s",
        100 / found["insert"],
        100 / found["peer insert"],
    )
    yield rates(
        "ReplayBuffer, images 128x128x3: sample(256)",
        "batches/s",
        1 / found["sample"],
        1 / found["peer sample"],
        limit=1 / found["take"],
        goal=1.0,
    )
    yield times(
        "ReplayBuffer, images 128x128x3: memory of 5,000",
        "MB",
        ours.size_bytes / 1e6,
        peer.size_bytes / 1e6,
        goal=1.8,
    )


def _trajectories(rounds: int) -> Iterator[Row]:
    """The state case again, in episodes of 200 steps: this observation and the next."""
    columns = _state_columns(_STATES)
    columns["dones"] = np.arange(_STATES) % 200 == 199
    items = _items(columns, 1000)
    store = TrajectoryBuffer(_STATES, seed=0)
    store.insert_batch(columns)
    plain = ("actions", "rewards", "masks")
    store.register(
        "training",
        {name: LatestWindow() for name in plain}
        | {
            "observations": LatestWindow(),
            "next_observations": SequenceWindow(1, 2, squeeze=True, source="observations"),
        },
        reach=(0, 2),
    )
    found = _by_turns(
        rounds,
        {
            "insert": lambda: _each(store.insert, items),
            "batch": lambda: store.insert_batch(columns),
            "sample": lambda: store.sample("training", _BATCH),
        },
    )
    yield rates("TrajectoryBuffer, state case: insert", "1/s", 1000 / found["insert"], None)
    yield rates(
        "TrajectoryBuffer, state case: insert a batch of 100,000",
        "transitions/s",
        _STATES / found["batch"],
        None,
    )
    yield rates("TrajectoryBuffer, state case: sample(256)", "batches/s", 1 / found["sample"], None)


def _queue(rounds: int) -> Iterator[Row]:
    """Transitions of 49 kB on the way to a trainer."""
    image = np.random.default_rng(0).integers(0, 255, (_SIDE, _SIDE, 3), dtype=np.uint8)
    items = [{"image": image, "action": np.zeros(7, np.float32)}] * 100
    store, target = QueuedDataStore(2000), ReplayBuffer(capacity=2000)
    for _ in range(50):
        store.insert_batch(items)
        target.insert_batch(items)
    batch, _ = store.batch_since(store.cursor - 100)
    flat = np.zeros((200, image.size), np.uint8)
    found = _by_turns(
        rounds,
        {
            "insert": lambda: _each(store.insert, items),
            "copies": lambda: [np.copyto(flat[row], image.ravel()) for row in range(100)],
            "fetch": lambda: store.batch_since(store.cursor - 100),
            "columns": lambda: target.insert_batch(batch),
            "copy": lambda: np.copyto(flat[:100], flat[100:]),
        },
    )
    yield rates(
        "QueuedDataStore, 49 kB: insert",
        "1/s",
        100 / found["insert"],
        None,
        limit=100 / found["copies"],
    )
    yield times("QueuedDataStore, 49 kB: fetch 100 as columns", "us", found["fetch"] * 1e6, None)
    count = len(batch["action"]) if isinstance(batch, dict) else 0
    yield rates(
        "ReplayBuffer, 49 kB: insert columns",
        "transitions/s",
        count / found["columns"],
        None,
        limit=100 / found["copy"],
    )


def _state_columns(count: int) -> Tree:
    rng = np.random.default_rng(0)
    seen = rng.random((count + 1, 17), dtype=np.float32)
    return {
        "observations": seen[:-1].copy(),
        "next_observations": seen[1:].copy(),
        "actions": rng.random((count, 6), dtype=np.float32),
        "rewards": rng.random(count, dtype=np.float32),
        "masks": np.ones(count, np.float32),
    }


def _items(columns: Tree, count: int) -> list[Tree]:
    return [{key: values[row] for key, values in columns.items()} for row in range(count)]


def _image_transition(frames: Any, number: int) -> Tree:
    return {
        "observations": {"image": frames[number]},
        "next_observations": {"image": frames[number + 1]},
        "actions": np.zeros(7, np.float32),
        "rewards": np.float32(0),
        "masks": np.float32(1),
    }


def _each(insert: Callable[[Tree], None], items: list[Tree]) -> None:
    for item in items:
        insert(item)


def _by_turns(rounds: int, actions: dict[str, Callable[[], object]]) -> dict[str, float]:
    """CPU seconds of each action: they take turns, the median over the rounds counts."""
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            action()
            seconds[name].append(_cpu_s(action))
    return {name: statistics.median(values) for name, values in seconds.items()}


def _cpu_s(action: Callable[[], object]) -> float:
    count = 0
    begun, end = time.process_time(), time.perf_counter() + _ROUND_S
    while count < _FEWEST or time.perf_counter() < end:
        action()
        count += 1
    return (time.process_time() - begun) / count
