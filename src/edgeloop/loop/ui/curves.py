"""Curves of a training's metrics over its epochs."""

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from edgeloop.loop.ui.widgets import block

_COLORS = ("#2f86e5", "#e0561b", "#3fa34d", "#c2185b", "#f2b705", "#7b4fb5")
_GREY = "#8a96a3"
_LINE = "rgba(138,150,163,.25)"

Epochs = Sequence[tuple[int, Mapping[str, Any]]]
"""The number and the metrics of each epoch."""


class Curves:
    """A chart of its own for each scale: losses, rates, and scores of 0 to 1."""

    def __init__(self) -> None:
        self._shown: Epochs | None = None
        with block("el-charts"):
            self._losses = _chart()
            self._scores = _chart()
            self._rates = _chart()

    def show(self, epochs: Epochs) -> None:
        """Draw these epochs; nothing is sent where they have not changed."""
        if epochs == self._shown:
            return
        self._shown = epochs
        names = list(dict.fromkeys(name for _, metrics in epochs for name in metrics))
        losses = [name for name in names if "loss" in name.lower()]
        rates = [name for name in names if "rate" in name.lower()]
        _draw(self._losses, epochs, losses)
        _draw(self._rates, epochs, rates)
        _draw(self._scores, epochs, [n for n in names if n not in losses and n not in rates])


def _chart() -> ui.echart:
    return ui.echart({}, renderer="svg").classes("el-chart")


def _draw(chart: ui.echart, epochs: Epochs, names: Sequence[str]) -> None:
    chart.set_visibility(bool(names))
    chart.options.clear()
    chart.options.update(_options(epochs, names))
    chart.update()


def _options(epochs: Epochs, names: Sequence[str]) -> dict[str, Any]:
    axis = {
        "axisLabel": {"color": _GREY, "hideOverlap": True},
        "axisLine": {"lineStyle": {"color": _GREY}},
        "splitLine": {"lineStyle": {"color": _LINE}},
    }
    return {
        "animation": False,
        "color": list(_COLORS),
        "textStyle": {"fontFamily": "Roboto, sans-serif"},
        "grid": {"left": 48, "right": 16, "top": 34, "bottom": 40},
        "legend": {
            "top": 0,
            "left": 0,
            "icon": "roundRect",
            "itemWidth": 14,
            "itemHeight": 4,
            "textStyle": {"color": _GREY},
        },
        "tooltip": {"trigger": "axis"},
        "xAxis": {
            "type": "value",
            "name": "epoch",
            "nameLocation": "middle",
            "nameGap": 24,
            "nameTextStyle": {"color": _GREY},
            "min": "dataMin",
            "max": "dataMax",
            "minInterval": 1,
            **axis,
            "splitLine": {"show": False},
        },
        "yAxis": {"type": "value", "scale": True, **axis},
        "series": [_series(epochs, name) for name in names],
    }


def _series(epochs: Epochs, name: str) -> dict[str, Any]:
    points = [[number, metrics[name]] for number, metrics in epochs if name in metrics]
    return {
        "type": "line",
        "name": name,
        "data": points,
        "showSymbol": len(points) < 2,
        "lineStyle": {"width": 2},
    }
