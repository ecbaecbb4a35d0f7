"""Processes that start, tell their address, and end."""

import itertools
from pathlib import Path

import pytest

from edgeloop.client import ClientSettings
from edgeloop.client.settings import child_environment
from edgeloop.demo.processes import EdgeloopProcess, ProcessError, wait_until


def loop_process(folder: Path, *arguments: str) -> EdgeloopProcess:
    return EdgeloopProcess(
        "loop",
        ["loop", "--data-folder", str(folder / "data"), *arguments],
        log=folder / "loop.log",
        environment=child_environment(ClientSettings()),
    )


def test_a_process_tells_its_address_and_ends_well(tmp_path: Path) -> None:
    process = loop_process(tmp_path)
    assert process.start().startswith("http://127.0.0.1:")
    process.check()
    assert process.stop() == 0


def test_a_process_that_cannot_start_is_named_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(ProcessError, match="The loop ended with code 2"):
        loop_process(tmp_path).start()


def test_waiting_ends_when_the_time_is_over() -> None:
    seconds = itertools.count()
    with pytest.raises(ProcessError, match="in vain until it rains"):
        wait_until(
            lambda: False, what="it rains", timeout_s=3, pause_s=0, clock=lambda: next(seconds)
        )


def test_a_child_does_not_inherit_where_its_parent_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOP_PROJECT", "other")
    monkeypatch.setenv("USERNAME", "alice")
    environment = child_environment(ClientSettings(host="here:1", username="", project=""))
    assert environment["LOOP_HOST"] == "here:1"
    assert not {"LOOP_PROJECT", "USERNAME", "LOOP_USERNAME"} & set(environment)
