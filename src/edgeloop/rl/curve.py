"""The learning curve of a policy as a picture."""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from edgeloop import durable
from edgeloop.errors import InputError

_WIDTH, _HEIGHT = 1600, 800
_LEFT, _TOP, _RIGHT, _BOTTOM = 140, 100, 1540, 700
_FONT_PX = 26
_INK, _GRID, _LINE, _BAND, _GOAL, _MARK = (
    "#333333",
    "#e6e6e6",
    "#1f5fa8",
    "#cfe0f3",
    "#2e8b57",
    "#c0392b",
)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The returns of the episodes in which a policy was tried after so many ``transitions``."""

    transitions: int
    returns: Sequence[float]

    @property
    def mean(self) -> float:
        """The mean return."""
        return sum(self.returns) / len(self.returns)


def draw_curve(
    evaluations: Sequence[Evaluation],
    target: Path,
    *,
    title: str = "",
    goal: float | None = None,
    marks: Mapping[int, str] | None = None,
) -> None:
    """Write a PNG: the mean return over transitions, in a band from the lowest to the highest.

    ``goal`` is a dashed line, ``marks`` are words at a number of transitions. Raises InputError
    where there is nothing to draw.
    """
    if not evaluations:
        raise InputError("A curve needs evaluations: there is none yet.")
    returns = [value for evaluation in evaluations for value in evaluation.returns]
    levels = _ticks(min([*returns, *_given(goal)]), max([*returns, *_given(goal)]))
    steps = _ticks(0, max(evaluation.transitions for evaluation in evaluations))
    chart = _Chart(steps, levels)
    chart.draw_axes(title)
    chart.draw_returns(sorted(evaluations, key=lambda evaluation: evaluation.transitions))
    if goal is not None:
        chart.draw_goal(goal)
    for transitions, words in (marks or {}).items():
        chart.draw_mark(transitions, words)
    durable.write_bytes(target, chart.png())


class _Chart:
    """A sheet with axes from the first to the last tick of each."""

    def __init__(self, steps: Sequence[float], levels: Sequence[float]) -> None:
        self._steps = steps
        self._levels = levels
        self._image = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
        self._pen = ImageDraw.Draw(self._image)
        self._font = ImageFont.load_default(_FONT_PX)

    def draw_axes(self, title: str) -> None:
        for level in self._levels:
            y = self._y(level)
            self._pen.line([(_LEFT, y), (_RIGHT, y)], fill=_GRID, width=2)
            self._write((_LEFT - 14, y), f"{level:g}", "rm")
        for step in self._steps:
            self._write((self._x(step), _BOTTOM + 14), f"{step:,.0f}", "ma")
        self._pen.line([(_LEFT, _BOTTOM), (_RIGHT, _BOTTOM)], fill=_INK, width=3)
        self._write(((_LEFT + _RIGHT) / 2, _HEIGHT - 46), "transitions", "ma")
        self._write((_LEFT, 30), title or "return of an episode", "la")

    def draw_returns(self, evaluations: Sequence[Evaluation]) -> None:
        places = [self._x(evaluation.transitions) for evaluation in evaluations]
        means = [(x, self._y(e.mean)) for x, e in zip(places, evaluations, strict=True)]
        highest = [(x, self._y(max(e.returns))) for x, e in zip(places, evaluations, strict=True)]
        lowest = [(x, self._y(min(e.returns))) for x, e in zip(places, evaluations, strict=True)]
        if len(evaluations) > 1:
            self._pen.polygon([*highest, *reversed(lowest)], fill=_BAND)
            self._pen.line(means, fill=_LINE, width=5, joint="curve")
        for x, y in means:
            self._pen.ellipse([x - 7, y - 7, x + 7, y + 7], fill=_LINE)

    def draw_goal(self, goal: float) -> None:
        y = self._y(goal)
        for x in range(_LEFT, _RIGHT, 24):
            self._pen.line([(x, y), (x + 12, y)], fill=_GOAL, width=3)
        self._write((_LEFT + 10, y + 6), f"goal {goal:g}", "la", _GOAL)

    def draw_mark(self, transitions: int, words: str) -> None:
        x = self._x(transitions)
        self._pen.line([(x, _TOP - 34), (x, _BOTTOM)], fill=_MARK, width=3)
        self._write((x + 10, _TOP - 38), words, "la", _MARK)

    def png(self) -> bytes:
        written = io.BytesIO()
        self._image.save(written, "PNG", optimize=True)
        return written.getvalue()

    def _write(self, at: tuple[float, float], words: str, anchor: str, colour: str = _INK) -> None:
        self._pen.text(at, words, fill=colour, font=self._font, anchor=anchor)

    def _x(self, transitions: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * _share(transitions, self._steps)

    def _y(self, level: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * _share(level, self._levels)


def _given(goal: float | None) -> list[float]:
    return [] if goal is None else [goal]


def _share(value: float, ticks: Sequence[float]) -> float:
    return (value - ticks[0]) / (ticks[-1] - ticks[0])


def _ticks(lowest: float, highest: float) -> list[float]:
    """Round numbers, at most ten, from below the lowest to above the highest."""
    span = max(highest - lowest, 1e-6)
    step = 10 ** math.floor(math.log10(span / 5))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (step * factor) <= 7)
    first, last = math.floor(lowest / step), math.ceil(highest / step)
    return [number * step for number in range(first, max(last, first + 1) + 1)]
