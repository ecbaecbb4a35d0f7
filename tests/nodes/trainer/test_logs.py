"""The log of a training: what is printed and logged, kept in its folder, its end told."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeloop.errors import EdgeloopError, LoopUnreachable, NotFound, TrainingInterrupted
from edgeloop.nodes.trainer.stages import TrainingLog
from edgeloop.nodes.trainer.worker.process import WorkerProcess
from edgeloop.protocol.payloads.nodes import AcknowledgementPayload
from edgeloop.protocol.payloads.trainings import MAX_LOG_CHARS
from nodes.trainer.scripted import talk
from nodes.trainer.test_reports import ORDER, Talk

LOG = logging.getLogger("edgeloop.nodes.trainer.runner")


@pytest.fixture(autouse=True)
def told_of_everything() -> Iterator[None]:
    """The node logs at INFO, as a running one does."""
    source = logging.getLogger("edgeloop")
    before = source.level
    source.setLevel(logging.INFO)
    yield
    source.setLevel(before)


def printed(*words: str, ending: str = "") -> str:
    """What the node hears of a process that says these words and ends."""
    heard: list[str] = []

    async def whole() -> None:
        async with WorkerProcess(talk, words, ending, on_output=heard.append) as process:
            with contextlib.suppress(TrainingInterrupted):
                async for _ in process.messages():
                    pass

    asyncio.run(whole())
    return "".join(heard)


def test_what_a_process_prints_and_logs_is_heard() -> None:
    said = printed("one", "zw\u00f6lf")
    assert said.splitlines()[:2] == ["one", "zw\u00f6lf"]
    assert "INFO the log says 2" in said


def test_the_last_words_of_a_killed_process_are_heard() -> None:
    assert printed("one", ending="terminate called: out of memory").endswith("out of memory")


def told(session: Talk, *trainings: tuple[Path, list[str]]) -> list[tuple[int, str]]:
    """The number and the text of what is told of trainings, one after the other."""

    async def whole() -> None:
        log = TrainingLog(session, sleep=lambda _s: asyncio.sleep(0))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(log.run())
            for number, (path, lines) in enumerate(trainings, 1):
                with log.open(replace(ORDER, number=number), path):
                    for line in lines:
                        log.hear(line)
                        await settled()
            await settled()
            task.cancel()

    asyncio.run(whole())
    return [(args[2]["training_number"], args[2]["text"]) for _, args in session.said]


async def settled() -> None:
    """Let everybody do what can be done."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_the_end_of_a_log_is_told_again_when_it_has_changed(tmp_path: Path) -> None:
    said = told(Talk(), (tmp_path / "log", ["a\n", "b\n"]))
    assert [event for event in said if event[1]] == [(1, "a\n"), (1, "a\nb\n"), (1, "a\nb\n")]


def test_the_last_lines_of_a_training_are_told_although_the_next_has_begun(tmp_path: Path) -> None:
    unreachable = Talk(*[LoopUnreachable("away")] * 2)
    said = told(unreachable, (tmp_path / "1", ["a\n"]), (tmp_path / "2", ["b\n"]))
    assert (1, "a\n") in said[2:]
    assert said[-1] == (2, "b\n")


@pytest.mark.parametrize(
    "answers", [[NotFound("?")], [LoopUnreachable("silence")] * 9], ids=["unknown", "silent"]
)
def test_a_loop_that_keeps_no_logs_is_left_alone(
    tmp_path: Path, answers: list[EdgeloopError]
) -> None:
    said = told(Talk(*answers), (tmp_path / "log", ["a\n", "b\n", "c\n"]))
    assert len(said) in (1, 3)


def test_a_log_that_is_refused_is_told_again_when_there_is_more(tmp_path: Path) -> None:
    refusal = AcknowledgementPayload(success=False, error_msg="no such training")
    said = told(Talk(refusal), (tmp_path / "log", ["a\n", "b\n"]))
    assert said[-1] == (1, "a\nb\n")


def kept(path: Path, *lines: str, **options: Any) -> TrainingLog:
    """The log of a training whose process prints these."""
    log = TrainingLog(Talk(), **options)
    with log.open(ORDER, path):
        for line in lines:
            log.hear(line)
    return log


def test_what_the_node_logs_meanwhile_belongs_to_the_log(tmp_path: Path) -> None:
    log = TrainingLog(Talk())
    with log.open(ORDER, tmp_path / "t" / "training.log"):
        LOG.info("2 images are corrupt")
        logging.getLogger("edgeloop.nodes.trainer.stages.courier").info("not told of")
    LOG.info("the next training")
    (line,) = (tmp_path / "t" / "training.log").read_text().splitlines()
    assert line.endswith("INFO 2 images are corrupt")


def test_a_log_goes_on_after_a_restart_of_the_node(tmp_path: Path) -> None:
    kept(tmp_path / "log", "before\n")
    assert kept(tmp_path / "log", "after\n").end() == "before\nafter\n"


def test_what_is_printed_is_shown_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept(tmp_path / "log", "50 %")
    assert capsys.readouterr().err == "50 %"


def test_bars_that_are_drawn_again_count_once_and_colours_not_at_all(tmp_path: Path) -> None:
    log = kept(tmp_path / "log", "10 %\r20 %\r\x1b[32m100 %\x1b[0m\r\n", "done\r\n")
    assert log.end() == "100 %\ndone\n"


def test_no_more_than_the_end_is_told(tmp_path: Path) -> None:
    log = kept(tmp_path / "log", *["x" * 10_000 + "\n"] * 20, "last\n")
    assert len(log.end()) == MAX_LOG_CHARS
    assert log.end().endswith("x\nlast\n")


def test_a_talkative_training_does_not_fill_the_disk(tmp_path: Path) -> None:
    log = kept(tmp_path / "log", *["x" * 100] * 50, max_file_bytes=1000)
    assert (tmp_path / "log").stat().st_size <= 1000
    assert log.end() == "x" * 5000


@pytest.mark.parametrize("path", ["/dev/full", "/dev/null/training.log"])
def test_a_disk_that_takes_nothing_does_not_end_the_training(path: str) -> None:
    log = kept(Path(path), "goes on\n")
    assert log.end().endswith("goes on\n")
