"""What calls carry: from JSON and files, to JSON and lines for people."""

import base64
import json
import math
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgeloop.errors import InputError
from edgeloop.imaging import decode
from edgeloop.stream import Message

_IMAGES = (".jpeg", ".jpg", ".png")
_SHOWN_ITEMS = 16


def payload_of(text: str | None, files: Sequence[str], *, arrays: bool) -> Message:
    """A message from a JSON object and from files, each ``PATH`` or ``NAME=PATH``.

    With ``arrays`` lists of numbers become arrays. Raises InputError, ImageError.
    """
    payload: Message = {}
    if text is not None:
        payload |= _object(text, "--payload")
    for file in files:
        payload |= _contents(file)
    return {name: _as_arrays(value) for name, value in payload.items()} if arrays else payload


def facts_of(message: Message) -> dict[str, str]:
    """A line for each entry, nested ones by their path."""
    return {name: _described(value) for name, value in _leaves(message)}


def plain(value: Any) -> Any:
    """What JSON can say: arrays as lists, bytes in base64, complex numbers as texts."""
    match value:
        case dict():
            return {str(key): plain(each) for key, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case np.ndarray() | np.generic():
            return plain(value.tolist())
        case bytes():
            return base64.b64encode(value).decode()
        case float() if not math.isfinite(value):
            return None
        case None | bool() | int() | float() | str():
            return value
    return str(value)


def _contents(file: str) -> Message:
    name, equals, rest = file.partition("=")
    path = Path(rest if equals else file)
    name = name if equals else path.stem
    try:
        match path.suffix.lower():
            case ".json":
                return _object(path.read_text(), str(path))
            case ".npz":
                with np.load(path, allow_pickle=False) as arrays:
                    return dict(arrays)
            case ".npy":
                return {name: np.load(path, allow_pickle=False)}
            case suffix if suffix in _IMAGES:
                return {name: decode(path.read_bytes())}
        return {name: path.read_bytes()}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read ({error}): name another file.") from error


def _object(text: str, where: str) -> Message:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InputError(f"{where} is not JSON ({error}): write an object like {{}}.") from error
    if not isinstance(found, dict):
        raise InputError(f'{where} is no object: write one, like {{"x": 1}}.')
    return found


def _as_arrays(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_arrays(each) for name, each in value.items()}
    if not isinstance(value, list) or not value:
        return value
    try:
        array = np.array(value)
    except ValueError:  # rows of different lengths
        return value
    return array if array.dtype.kind in "biufc" else value


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and (value or not path):
        for key, each in value.items():
            yield from _leaves(each, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _described(value: Any) -> str:
    if not isinstance(value, np.ndarray):
        return f"{len(value)} bytes" if isinstance(value, bytes) else str(value)
    shape = " x ".join(map(str, value.shape)) or "one"
    title = f"{value.dtype} {shape}"
    if value.size <= _SHOWN_ITEMS:
        return f"{title}: {value.tolist()}"
    if value.dtype.kind not in "biuf":
        return title
    return f"{title}: {value.min():.6g} to {value.max():.6g}, mean {value.mean():.6g}"
