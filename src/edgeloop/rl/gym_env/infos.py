"""Arrays of objects in infos, as vector environments make them: taken apart, put together again."""

from typing import Any

import numpy as np

from edgeloop.errors import CodecError

Place = list[Any]
"""The keys on the way to an array of objects, and then its shape."""


def take_apart(infos: Any) -> tuple[Any, list[Place]]:
    """(infos with lists instead of arrays of objects, where these were, outer ones first)."""
    places: list[Place] = []
    return (_plain(infos, (), places) if infos else infos), places


def put_together(infos: Any, places: Any) -> Any:
    """The infos that were taken apart; changes ``infos``. Raises CodecError."""
    root = [infos]
    try:
        for place in reversed(places):  # inner ones first
            path: list[Any] = [0, *place[:-1]]
            holder: Any = root
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = _objects(holder[path[-1]], place[-1])
    except (LookupError, TypeError, ValueError) as error:
        raise CodecError(f"An info is not readable ({error!r}).") from error
    return root[0]


def _plain(value: Any, path: tuple[Any, ...], places: list[Place]) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item, (*path, key), places) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, (*path, place), places) for place, item in enumerate(value)]
    if isinstance(value, np.ndarray) and value.dtype.hasobject and value.dtype.fields is None:
        places.append([*path, list(value.shape)])
        return _plain(value.ravel().tolist(), path, places)
    return value


def _objects(items: list[Any], shape: list[int]) -> Any:
    array = np.empty(len(items), object)
    for place, item in enumerate(items):  # a whole list would become an array of more dimensions
        array[place] = item
    return array.reshape(shape)
