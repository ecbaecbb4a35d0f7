"""Updates in the background: they go on whatever happens, and end at once."""

import logging
import queue
import threading
from pathlib import Path
from typing import Any

import pytest

from edgeloop.errors import StreamTimeout
from edgeloop.stream import QueuedDataStore, ReplayBuffer, TrainerServer
from edgeloop.stream.stores.base import Batch
from edgeloop.stream.trainer.updating import Updater
from streams import WAIT_S
from trainers import CONFIG, NAME, client_of, filled, numbers, serve_store
from transitions import numbers_in, transition


class Script:
    """An update that raises or returns what it is told to, and says when it was asked."""

    def __init__(self, *outcomes: Any) -> None:
        self._outcomes = list(outcomes)
        self._asked: queue.SimpleQueue[int] = queue.SimpleQueue()

    def __call__(self) -> int:
        self._asked.put(len(self._outcomes))
        outcome = self._outcomes.pop(0) if self._outcomes else 0
        if isinstance(outcome, Exception):
            raise outcome
        return int(outcome)

    def wait(self, times: int) -> None:
        """Wait until it was asked so often."""
        for _ in range(times):
            self._asked.get(timeout=WAIT_S)


def test_what_is_inserted_arrives_by_itself(tmp_path: Path) -> None:
    came: queue.SimpleQueue[list[int]] = queue.SimpleQueue()

    def note(name: str, batch: Batch) -> None:
        came.put(numbers_in(batch))

    store = QueuedDataStore(100)
    server = TrainerServer(CONFIG, note, url=f"unix://{tmp_path}/trainer.sock")
    server.register_data_store(NAME, ReplayBuffer(capacity=100))
    with server, client_of(server.url, store) as client:
        client.start_async_update(0.001)
        client.start_async_update(0.001)
        threads = [thread.name for thread in threading.enumerate()]
        assert threads.count("updater") == 1
        seen: list[int] = []
        for number in range(20):
            store.insert(transition(number))
            while number not in seen:
                seen += came.get(timeout=WAIT_S)
        assert seen == list(range(20))


def test_an_explicit_update_gets_its_turn_beside_updates_without_a_pause(tmp_path: Path) -> None:
    store = QueuedDataStore(1000)
    server = serve_store(f"unix://{tmp_path}/trainer.sock")
    with server, client_of(server.url, store) as client:
        client.start_async_update(0)
        for number in range(200):
            store.insert(transition(number))
            client.update()
            assert numbers(server) == list(range(number + 1))


def test_updates_go_on_when_the_server_comes_back(tmp_path: Path) -> None:
    url = f"unix://{tmp_path}/trainer.sock"
    store, buffer = filled(0, 10), ReplayBuffer(capacity=100)
    first = serve_store(url, buffer)
    with client_of(url, store, timeout_s=0.2) as client:
        first.close()
        client.start_async_update(0.001)
        waiting = threading.Event()
        while client.counters()["update_failures"] < 1:
            waiting.wait(0.01)
        with serve_store(url, buffer) as second:
            while client.counters()["waiting"]:
                waiting.wait(0.01)
            assert numbers(second) == list(range(10))


def test_each_kind_of_failure_is_logged_once_until_it_is_over(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeloop.stream.trainer.updating._FIRST_PAUSE_S", 0.0001)
    caplog.set_level(logging.INFO)
    gone = StreamTimeout("nobody there")
    script = Script(gone, gone, KeyError("a bug"), gone, KeyError("a bug"), 3, gone, 1, 1)
    updater = Updater(script, 0.0001)
    script.wait(12)
    updater.end()
    updater.join(WAIT_S)
    texts = [record.message for record in caplog.records]
    assert [text for text in texts if "nobody there" in text] == [
        "an update failed, trying again: nobody there"
    ] * 2
    assert sum("a bug" in text for text in texts) == 1
    assert texts.count("updates get through again") == 2
    assert all(bool(record.exc_info) == ("a bug" in record.message) for record in caplog.records)


def test_pauses_grow_with_failures_up_to_a_bound() -> None:
    updater = Updater(lambda: 0, WAIT_S)
    updater.end()
    pauses = [updater._pause_s(failures) for failures in range(10_000)]
    assert pauses[:4] == [WAIT_S, 0.25, 0.5, 1.0]
    assert pauses[1:] == sorted(pauses[1:])
    assert pauses[-1] == WAIT_S


def test_closing_wakes_an_updater_that_pauses_or_waits_for_an_answer(tmp_path: Path) -> None:
    entered, leave = threading.Event(), threading.Event()

    def wait(name: str, batch: Batch) -> None:
        entered.set()
        leave.wait(WAIT_S)

    server = TrainerServer(CONFIG, wait, url=f"unix://{tmp_path}/trainer.sock")
    server.register_data_store(NAME, ReplayBuffer(capacity=100))
    with server:
        pausing = client_of(server.url, QueuedDataStore(1))
        pausing.start_async_update(100_000)
        waiting = client_of(server.url, filled(0, 3), timeout_s=100_000)
        waiting.start_async_update(100_000)
        assert entered.wait(WAIT_S)
        for client in (pausing, waiting):
            client.close()
        leave.set()
    assert "updater" not in {thread.name for thread in threading.enumerate()}


def test_an_updater_may_end_itself() -> None:
    ended = threading.Event()
    updaters: queue.SimpleQueue[Updater] = queue.SimpleQueue()

    def end() -> int:
        updater = updaters.get(timeout=WAIT_S)
        updater.end()
        updater.join(WAIT_S)
        ended.set()
        raise StreamTimeout("too late to matter")

    updaters.put(Updater(end, WAIT_S))
    assert ended.wait(WAIT_S)
