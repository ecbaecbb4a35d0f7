"""What stats.json says of each column, for one episode and for all together."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgeloop.stream.stores.layout import Array

Statistics = dict[str, Array]
"""min, max, mean, std, count and quantiles: of a column (*shape), of images (3, 1, 1) in 0..1."""

_QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
_FEW, _MANY, _POWER = 100, 10_000, 0.75
_LONG_SIDE, _LONG_ENOUGH = 300, 150


def statistics_of(column: Array, *, is_image: bool) -> Statistics:
    """The statistics of the values of one episode (count, *shape), at least one value each."""
    if is_image:
        return _statistics_of_images(column)
    values = column.astype(np.float64)
    return _measure(values[:, None] if values.ndim == 1 else values, len(column))


def together(one: Mapping[str, Any], other: Mapping[str, Any]) -> Statistics:
    """The statistics of both; quantiles are means weighted by the counts, as LeRobot has them."""
    with np.errstate(all="ignore"):
        counts = np.array([one["count"][0], other["count"][0]], np.float64)
        shares = counts / counts.sum()
        mean = shares[0] * one["mean"] + shares[1] * other["mean"]
        variance = sum(
            share * (part["std"] ** 2 + (part["mean"] - mean) ** 2)
            for share, part in zip(shares, (one, other), strict=True)
        )
        return {
            "min": np.minimum(one["min"], other["min"]),
            "max": np.maximum(one["max"], other["max"]),
            "mean": mean,
            "std": np.sqrt(variance),
            "count": one["count"] + other["count"],
            **{name: shares[0] * one[name] + shares[1] * other[name] for name in _QUANTILES},
        }


def _statistics_of_images(images: Array) -> Statistics:
    """From as many frames and pixels as LeRobot looks at."""
    count = len(images)
    wanted = max(min(count, _FEW), min(int(count**_POWER), _MANY))
    frames = images[np.round(np.linspace(0, count - 1, wanted)).astype(np.int64)]
    side = max(frames.shape[1:3])
    if side >= _LONG_SIDE:
        stride = side // _LONG_ENOUGH
        frames = frames[:, ::stride, ::stride]
    channels = [_measure_levels(np.bincount(frames[..., axis].ravel())) for axis in range(3)]
    found = {
        name: np.array([channel[name] for channel in channels]).reshape(3, 1, 1) / 255
        for name in channels[0]
    }
    return {**found, "count": np.array([wanted])}


def _measure_levels(counts: Array) -> dict[str, float]:
    """As ``_measure``, of numbers from 0 on of which only is known how often each comes."""
    levels, upto = np.arange(len(counts)), np.cumsum(counts)
    total = int(upto[-1])
    mean = float(levels @ counts) / total
    found = {
        "min": float(np.argmax(counts > 0)),
        "max": float(levels[-1]),
        "mean": mean,
        "std": float(np.sqrt((levels - mean) ** 2 @ counts / total)),
    }
    for name, share in _QUANTILES.items():
        place = share * (total - 1)
        before, after = np.searchsorted(upto, [np.floor(place), np.ceil(place)], side="right")
        found[name] = float(before + (after - before) * (place % 1))
    return found


def _measure(values: Array, count: int) -> Statistics:
    """Over the first axis; what is not a number makes others so, silently."""
    with np.errstate(all="ignore"):
        quantiles = np.quantile(values, list(_QUANTILES.values()), axis=0)
        return {
            "min": values.min(axis=0),
            "max": values.max(axis=0),
            "mean": values.mean(axis=0),
            "std": values.std(axis=0),
            "count": np.array([count]),
            **dict(zip(_QUANTILES, quantiles, strict=True)),
        }
