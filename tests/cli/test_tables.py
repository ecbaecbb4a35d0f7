"""Tables for people, JSON for programs."""

import io
import json
from operator import itemgetter
from typing import Any

import pytest
from rich.console import Console

from edgeloop.cli import tables
from edgeloop.client.calls.records import EpochRecord

ROWS = [
    {"name": "a [red]b[/]", "size": 7, "share": 0.25, "is_new": True, "note": None},
    {"name": "c", "size": 12345, "share": None, "is_new": False, "note": ""},
]
COLUMNS = {key: (lambda row, key=key: row[key]) for key in ROWS[0]}


ID = "6f1c0a4e-8f0b-4f0e-9a56-1d3f0a3c7b11"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Console:
    """A terminal of the usual width."""
    terminal = Console(width=80, force_terminal=True, color_system=None, file=io.StringIO())
    monkeypatch.setattr(tables, "stdout", terminal)
    return terminal


def shown_on(terminal: Console) -> list[str]:
    """The lines that are on a terminal, without those that are empty."""
    assert isinstance(terminal.file, io.StringIO)
    return [line.strip() for line in terminal.file.getvalue().splitlines() if line.strip()]


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


def test_what_looks_like_the_name_of_a_picture_stays_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    row = {"frame_id": "line:a:4f6f", "note": "see :bug:"}
    tables.show([row], {key: itemgetter(key) for key in row}, as_json=False)
    tables.show([row], {}, as_json=True)
    shown = capsys.readouterr().out
    assert shown.count("line:a:4f6f") == 2
    assert shown.count("see :bug:") == 2


def test_as_json_the_rows_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show(ROWS, {}, as_json=True)
    assert json.loads(capsys.readouterr().out) == ROWS


def test_a_long_line_of_json_is_not_broken(terminal: Console) -> None:
    tables.show([{"text": "word " * 40}], {}, as_json=True)
    assert json.loads("".join(shown_on(terminal))) == [{"text": "word " * 40}]


def test_in_a_narrow_terminal_only_texts_break_and_only_between_words(terminal: Console) -> None:
    text = "words that go on for so long that they need more than one line"
    rows = [{"id": ID, "created": "2026-01-02T03:04:05", "last used": None, "text": text}] * 2
    tables.show(rows, {key: itemgetter(key) for key in rows[0]}, as_json=False)
    titles, _rule, first, *rest = shown_on(terminal)
    assert titles.split() == ["id", "created", "last", "used", "text"]
    assert first.startswith(f"{ID}   2026-01-02T03:04:05")
    assert sum(line.startswith(ID) for line in rest) == 1
    assert max(map(len, [titles, first, *rest])) <= 80
    assert set(text.split()) <= set(" ".join([first, *rest]).split())


def test_what_fits_in_no_way_stands_on_lines_that_are_too_long(terminal: Console) -> None:
    rows = [{"id": ID, "frame": f"upload:{ID}", "tags": "a, b"}] * 2
    tables.show(rows, {key: itemgetter(key) for key in rows[0]}, as_json=False)
    _titles, _rule, *lines = shown_on(terminal)
    assert [line.split() for line in lines] == [[ID, f"upload:{ID}", "a,", "b"]] * 2


def test_programs_that_read_a_table_get_a_line_for_each_row(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tables.show([{"text": "word " * 200}], {"text": itemgetter("text")}, as_json=False)
    assert "word " * 199 in capsys.readouterr().out


def test_records_become_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show_one(EpochRecord(number=1, of=2, metrics={"loss": 0.5}), {}, as_json=True)
    said: Any = json.loads(capsys.readouterr().out)
    assert said == {"number": 1, "of": 2, "metrics": {"loss": 0.5}}


def test_one_thing_is_shown_fact_by_fact(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show_one(
        ROWS[1], {"size": lambda thing: thing["size"], "note": lambda thing: None}, as_json=False
    )
    assert lines(capsys) == [["size", "12345"], ["note", "\u2013"]]
