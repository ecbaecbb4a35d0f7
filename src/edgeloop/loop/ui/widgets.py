"""Small pieces that pages share: text, links, badges, tables, times."""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from nicegui.elements.mixins.text_element import TextElement

NOTHING = "\u2013"


class Text(TextElement):
    """An HTML element with a text, which is never read as HTML; it may hold others instead."""

    def __init__(self, text: str = "", classes: str = "", *, tag: str = "span") -> None:
        super().__init__(tag=tag, text=text)
        self.classes(classes)

    def put(self, **attributes: str | bool) -> "Text":
        """Set attributes of the element; an underscore stands for a dash."""
        for name, value in attributes.items():
            self.props[name.replace("_", "-")] = value
        return self


class Link(Text):
    """A link to a page of the loop; it may hold others instead of a text."""

    def __init__(self, href: str, text: str = "", classes: str = "") -> None:
        super().__init__(text, classes, tag="a")
        self.put(href=href)


def block(classes: str = "", *, tag: str = "div") -> Text:
    """An element to put others in."""
    return Text("", classes, tag=tag)


def notice(sentence: str) -> None:
    """Say that something went wrong."""
    Text(sentence, "el-notice", tag="p").put(role="alert")


def empty(sentence: str, *commands: str) -> None:
    """Say that there is nothing yet, and which commands change that."""
    with block("el-empty"):
        Text(sentence, tag="p")
        for line in commands:
            command(line)


def command(line: str) -> None:
    """A command to be copied."""
    Text(line, "el-command", tag="code")


def badge(text: str, kind: str = "") -> Text:
    """A word in a coloured pill; ``kind`` is the name of its colour, the text where not given."""
    return Text(text, f"el-badge el-is-{kind or text}")


def swatch(color: str) -> None:
    """A patch of a colour that ``pictures.safe_color`` has seen."""
    block("el-swatch", tag="i").style(f"background:{color}")


def bar(fraction: float) -> None:
    """A progress bar; ``fraction`` is 0..1."""
    percent = round(min(max(fraction, 0.0), 1.0) * 100)
    with block("el-bar").put(title=f"{percent} %"):
        block(tag="i").style(f"width:{percent}%")


def fact(name: str, value: str) -> None:
    """A line of a list of facts (``dl``)."""
    Text(name, tag="dt")
    Text(value or NOTHING, tag="dd")


@contextlib.contextmanager
def panel(title: str = "", *, aside: str = "") -> Iterator[None]:
    """A surface with a title; ``aside`` stands at the title's other end."""
    with block("el-panel", tag="section"):
        if title:
            with block("el-panel-title", tag="header"):
                Text(title, tag="h2")
                if aside:
                    Text(aside, "el-muted")
        yield


class Table:
    """A table; on a narrow screen it scrolls, or ``is_list``: its rows become cards."""

    def __init__(self, *columns: str, is_list: bool = False) -> None:
        self._columns: Sequence[str] = columns
        classes = "el-table el-list" if is_list else "el-table"
        with block("el-scroll"), block(classes, tag="table"):
            with block(tag="thead"), block(tag="tr"):
                for column in columns:
                    Text(column, tag="th")
            self._body = block(tag="tbody")

    @contextlib.contextmanager
    def row(self, *, is_selected: bool = False) -> Iterator["Row"]:
        """A row, to be filled cell by cell."""
        with self._body, block("el-is-selected" if is_selected else "", tag="tr"):
            yield Row(self._columns)


class Row:
    """A row that is being filled."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = iter(columns)

    def text(self, text: str, classes: str = "") -> Text:
        """The next cell, with a text."""
        label = next(self._columns)
        shown = "el-blank" if text in ("", NOTHING) else classes
        return Text(text or NOTHING, shown, tag="td").put(data_label=label)

    def number(self, value: float | None, digits: int = 0) -> Text:
        """The next cell, with a number."""
        return self.text(figure(value, digits), "el-number")

    def cell(self, classes: str = "") -> Text:
        """The next cell, to put others in."""
        return block(classes, tag="td").put(data_label=next(self._columns))


def figure(value: float | None, digits: int = 0) -> str:
    """A number with so many digits behind the point."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def moment(at: datetime | None) -> str:
    """A time for people to read."""
    return NOTHING if at is None else f"{at:%Y-%m-%d %H:%M} UTC"


def ago(at: datetime, now: datetime) -> str:
    """How long ago something was."""
    seconds = (now - at).total_seconds()
    return "just now" if seconds < 5 else f"{lasting(now - at)} ago"


def lasting(span: timedelta) -> str:
    """A span of time in its biggest one or two units."""
    seconds = max(int(span.total_seconds()), 0)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h {seconds % 3600 // 60} min"
    return f"{seconds // 86400} days"
