"""Lists and single things on stdout: tables for people, JSON for programs."""

import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from edgeloop.cli.console import stdout

T = TypeVar("T")
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]
NOTHING = "\u2013"
_GAP = 2


def show(rows: Sequence[T], columns: Mapping[str, Callable[[T], Any]], *, as_json: bool) -> None:
    """A table with these columns, by title, or the rows whole as one JSON list.

    A column says what it shows of a row; numbers stand right, None is a dash. Texts break between
    words where that makes the table fit; else its lines are longer than the terminal's.
    """
    if as_json:
        show_json([_plain(row) for row in rows])
        return
    cells = [[value(row) for value in columns.values()] for row in rows]
    sides = [_side([line[index] for line in cells]) for index in range(len(columns))]
    _write([list(map(_text, line)) for line in cells], titles=list(columns), sides=sides)


def show_one(thing: T, facts: Mapping[str, Callable[[T], Any]], *, as_json: bool) -> None:
    """One thing: a line for each fact, by name, or the thing whole as JSON."""
    if as_json:
        show_json(_plain(thing))
        return
    lines = [[Text(name, style="dim"), _text(value(thing))] for name, value in facts.items()]
    _write(lines, titles=["", ""], sides=["left", "left"], show_header=False)


def show_json(value: Any) -> None:
    """Write JSON that programs can read."""
    stdout.print(
        json.dumps(value, indent=2, ensure_ascii=False),
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _write(
    lines: Sequence[Sequence[Text]],
    *,
    titles: Sequence[str],
    sides: Sequence[JustifyMethod],
    show_header: bool = True,
) -> None:
    edges = 2 + (_GAP + 1) * (len(titles) - 1)  # with what the box draws of spaces
    cells = [[title, *map(str, column)] for title, *column in zip(titles, *lines, strict=True)]
    widths = _widths(cells, stdout.width - edges)
    table = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, _GAP, 0, 0),
        show_header=show_header,
        width=sum(widths) + edges,
    )
    for title, side, width in zip(titles, sides, widths, strict=True):
        table.add_column(title, justify=side, width=width, overflow="fold")
    for line in lines:
        table.add_row(*line)
    stdout.print(table, crop=False)


def _widths(columns: Sequence[Sequence[str]], room: int) -> list[int]:
    """How wide each column is, title first: as needed, or narrower without breaking a word.

    What does not fit even so is as wide as needed: long lines are easier to read than piles.
    """
    widths = [max(_lengths(column, str.splitlines)) for column in columns]
    least = [max(cell_len(title), *_lengths(cells, str.split)) for title, *cells in columns]
    while sum(widths) > room >= sum(least):
        narrowed = [index for index, width in enumerate(widths) if width > least[index]]
        widths[max(narrowed, key=widths.__getitem__)] -= 1
    return widths


def _lengths(texts: Iterable[str], split: Callable[[str], list[str]]) -> Iterable[int]:
    return itertools.chain([0], (cell_len(part) for text in texts for part in split(text)))


def _side(values: Sequence[Any]) -> JustifyMethod:
    numbers = [value for value in values if value is not None]
    is_number = all(isinstance(v, int | float) and not isinstance(v, bool) for v in numbers)
    return "right" if numbers and is_number else "left"


def _text(value: Any) -> Text:
    match value:
        case None | "":
            return Text(NOTHING, style="dim")
        case bool():
            return Text("yes" if value else "no")
        case float():
            return Text(f"{value:.3f}")
        case _:
            return Text(str(value))


def _plain(row: Any) -> Any:
    return row.model_dump(mode="json") if isinstance(row, BaseModel) else row
