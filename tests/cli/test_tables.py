"""Tables for people, JSON for programs."""

import json
from typing import Any

import pytest

from edgeloop.cli import console, tables
from edgeloop.client.calls.records import EpochRecord

ROWS = [
    {"name": "a [red]b[/]", "size": 7, "share": 0.25, "is_new": True, "note": None},
    {"name": "c", "size": 12345, "share": None, "is_new": False, "note": ""},
]
COLUMNS = {key: (lambda row, key=key: row[key]) for key in ROWS[0]}


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that is wide enough."""
    monkeypatch.setattr(console.stdout, "width", 100)


def lines(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    return [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]


def test_a_table_shows_a_line_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show(ROWS, COLUMNS, as_json=False)
    title, _rule, *rows = lines(capsys)
    assert title == ["name", "size", "share", "is_new", "note"]
    assert rows == [
        ["a", "[red]b[/]", "7", "0.250", "yes", "\u2013"],
        ["c", "12345", "\u2013", "no", "\u2013"],
    ]


def test_numbers_stand_right(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show(ROWS, {"size": lambda row: row["size"]}, as_json=False)
    *_, first, second = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert (first.strip(), second.strip()) == ("7", "12345")
    assert len(first.rstrip()) == len(second.rstrip())


def test_as_json_the_rows_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show(ROWS, {}, as_json=True)
    assert json.loads(capsys.readouterr().out) == ROWS


def test_a_long_line_of_json_is_not_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.stdout, "width", 20)
    tables.show([{"text": "word " * 40}], {}, as_json=True)
    assert json.loads(capsys.readouterr().out) == [{"text": "word " * 40}]


def test_records_become_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show_one(EpochRecord(number=1, of=2, metrics={"loss": 0.5}), {}, as_json=True)
    said: Any = json.loads(capsys.readouterr().out)
    assert said == {"number": 1, "of": 2, "metrics": {"loss": 0.5}}


def test_one_thing_is_shown_fact_by_fact(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show_one(
        ROWS[1], {"size": lambda thing: thing["size"], "note": lambda thing: None}, as_json=False
    )
    assert lines(capsys) == [["size", "12345"], ["note", "\u2013"]]
