"""Lists and single things on stdout: tables for people, JSON for programs."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel
from rich.box import SIMPLE_HEAD
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from edgeloop.cli.console import stdout

T = TypeVar("T")
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]
NOTHING = "\u2013"


def show(rows: Sequence[T], columns: Mapping[str, Callable[[T], Any]], *, as_json: bool) -> None:
    """A table with these columns, by title, or the rows whole as one JSON list.

    A column says what it shows of a row; numbers stand right, None is a dash.
    """
    if as_json:
        show_json([_plain(row) for row in rows])
        return
    cells = [[value(row) for value in columns.values()] for row in rows]
    table = _table()
    for index, title in enumerate(columns):
        table.add_column(title, justify=_side([line[index] for line in cells]), overflow="fold")
    for line in cells:
        table.add_row(*map(_text, line))
    stdout.print(table)


def show_one(thing: T, facts: Mapping[str, Callable[[T], Any]], *, as_json: bool) -> None:
    """One thing: a line for each fact, by name, or the thing whole as JSON."""
    if as_json:
        show_json(_plain(thing))
        return
    table = _table(show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, _text(value(thing)))
    stdout.print(table)


def show_json(value: Any) -> None:
    """Write JSON that programs can read."""
    stdout.print(
        json.dumps(value, indent=2, ensure_ascii=False),
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _table(*, show_header: bool = True) -> Table:
    return Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0), show_header=show_header)


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
