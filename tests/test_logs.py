"""Lines of the log: readable or JSON, each with the id of its request."""

import json
import logging
import sys
from typing import Any

import pytest

from edgeloop import logs
from edgeloop.logs import JsonLines, ReadableLines


def record(message: str, *arguments: Any, **facts: Any) -> logging.LogRecord:
    made = logging.LogRecord("edgeloop.x", logging.INFO, "x.py", 1, message, arguments, None)
    vars(made)[logs.FACTS] = facts
    return made


def test_a_json_line_is_one_object_with_what_is_known() -> None:
    line = JsonLines().format(record("Read %d\nlines of %s", 3, "müll", status=200, ms=1.5))
    assert "\n" not in line
    read = json.loads(line)
    assert read.pop("time").endswith("Z")
    assert read == {
        "level": "INFO",
        "logger": "edgeloop.x",
        "message": "Read 3\nlines of müll",
        "status": 200,
        "ms": 1.5,
    }


def test_a_line_of_a_request_has_its_id_and_the_next_one_has_none() -> None:
    with logs.request("abc"):
        assert json.loads(JsonLines().format(record("x")))["request_id"] == "abc"
        assert ReadableLines("%(message)s").format(record("x")) == "x [abc]"
    assert "request_id" not in json.loads(JsonLines().format(record("x")))
    assert ReadableLines("%(message)s").format(record("x")) == "x"


def test_nobody_writes_a_line_of_their_own_into_the_log() -> None:
    forged = "x\n2026-11-26 00:00:00,000 INFO admin logged in\r\x1b[2Jy\x9bz\u2028ä"
    line = ReadableLines("%(levelname)s %(message)s").format(record("Training %s", forged))
    assert len(line.splitlines()) == 1
    assert line == (
        r"INFO Training x\n2026-11-26 00:00:00,000 INFO admin logged in\r\x1b[2Jy\x9bz\u2028ä"
    )


def test_a_readable_traceback_keeps_its_lines() -> None:
    made = record("failed")
    try:
        raise ZeroDivisionError("by zero")
    except ZeroDivisionError:
        made.exc_info = sys.exc_info()
    lines = ReadableLines("%(message)s").format(made).splitlines()
    assert lines[:2] == ["failed", "Traceback (most recent call last):"]
    assert lines[-1] == "ZeroDivisionError: by zero"


def test_a_traceback_is_a_key_of_the_json_line() -> None:
    made = record("failed")
    try:
        raise ZeroDivisionError("by zero")
    except ZeroDivisionError:
        made.exc_info = sys.exc_info()
    read = json.loads(JsonLines().format(made))
    assert read["error"].startswith("Traceback")
    assert read["error"].endswith("by zero")


@pytest.mark.parametrize("said", ["a", "7f3c-1", "trace:1/2=", "x" * 128])
def test_a_well_formed_id_is_kept(said: str) -> None:
    assert logs.well_formed_id(said) == said


@pytest.mark.parametrize("said", ["", "a b", "a\nb", "x" * 129, 'a"', "ä"])
def test_an_id_that_may_not_stand_in_a_log_is_replaced(said: str) -> None:
    made = logs.well_formed_id(said)
    assert made != said
    assert logs.well_formed_id(made) == made
