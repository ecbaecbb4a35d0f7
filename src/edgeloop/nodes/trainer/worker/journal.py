"""The epochs of a training on disk, one JSON line each: what was yielded is not lost by a kill."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from edgeloop.types import Epoch

_EPOCH = TypeAdapter(Epoch)


def append(path: Path, epoch: Mapping[str, Any]) -> None:
    """Note an epoch, durably."""
    with path.open("ab") as file:
        file.write(b"\n" + json.dumps(epoch).encode() + b"\n")  # a kill may have cut a line off
        file.flush()
        os.fsync(file.fileno())


def earlier_epochs(path: Path) -> list[Epoch]:
    """The epochs that a former run noted, each number once, as it was noted last."""
    epochs: dict[int, Epoch] = {}
    for epoch in _readable(path.read_bytes().splitlines() if path.is_file() else []):
        epochs.pop(epoch.number, None)
        epochs[epoch.number] = epoch
    return list(epochs.values())


def _readable(lines: list[bytes]) -> Iterator[Epoch]:
    for line in lines:
        with contextlib.suppress(ValidationError):  # cut off: it was never yielded to the node
            yield _EPOCH.validate_json(line)
