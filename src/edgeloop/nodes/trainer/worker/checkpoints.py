"""Copies of an epoch's files: they stay as they were when the epoch was yielded."""

import json
import math
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgeloop import durable
from edgeloop.errors import TrainingFailed
from edgeloop.types import CategoryCounts, Epoch

MODEL_JSON = "model.json"


def plain(epoch: Any) -> Epoch:
    """The epoch in plain numbers, as JSON can carry it; raises TrainingFailed if it is none."""
    if not isinstance(epoch, Epoch):
        kind = type(epoch).__name__
        raise TrainingFailed(f"The trainer yielded {kind} instead of Epoch: yield Epoch objects.")
    try:
        metrics = {str(name): float(value) for name, value in epoch.metrics.items()}
        return Epoch(
            number=int(epoch.number),
            of=int(epoch.of),
            metrics={name: value for name, value in metrics.items() if math.isfinite(value)},
            counts={
                str(key): CategoryCounts(int(c.tp), int(c.fp), int(c.fn))
                for key, c in epoch.counts.items()
            },
            files={str(key): [Path(p) for p in paths] for key, paths in epoch.files.items()},
            model_json=json.loads(json.dumps(dict(epoch.model_json), allow_nan=False)),
        )
    except (TypeError, ValueError, AttributeError) as error:
        message = f"Epoch {epoch.number} has content that is no plain JSON ({error})."
        raise TrainingFailed(message) from error


def keep_files(epoch: Epoch, formats: Sequence[str], folder: Path) -> Epoch:
    """The same epoch with copies of its files in a folder of its own below ``folder``.

    Raises TrainingFailed where a format or a file is missing, or names collide.
    """
    if not epoch.files:
        return epoch
    _check_formats(epoch, formats)
    target = folder / f"{epoch.number}-{uuid.uuid4().hex[:8]}"
    with durable.draft_of(target) as draft:
        for model_format, paths in epoch.files.items():
            _copy(paths, draft / model_format, f"epoch {epoch.number}, format {model_format}")
    copies = {
        model_format: [target / model_format / path.name for path in paths]
        for model_format, paths in epoch.files.items()
    }
    return replace(epoch, files=copies)


def drop(checkpoint: Epoch | None) -> None:
    """Delete the copies of an epoch that a newer one has replaced."""
    for folder in _folders(checkpoint):
        durable.remove(folder)


def drop_others(folder: Path, checkpoint: Epoch | None) -> None:
    """Delete all copies below ``folder`` but those of ``checkpoint``; no process may write them."""
    kept = _folders(checkpoint)
    for path in folder.iterdir() if folder.is_dir() else ():
        if path not in kept:
            durable.remove(path)


def _check_formats(epoch: Epoch, formats: Sequence[str]) -> None:
    if set(epoch.files) != set(formats):
        raise TrainingFailed(
            f"Epoch {epoch.number} has files of {sorted(epoch.files)}, but the trainer declares "
            f"the formats {sorted(formats)}: yield the files of all of them."
        )


def _copy(paths: Sequence[Path], folder: Path, where: str) -> None:
    names = [path.name for path in paths]
    if not names or len(set(names)) < len(names) or MODEL_JSON in names:
        raise TrainingFailed(
            f"The files of {where} are {names}: name at least one, each name once, and leave "
            f"{MODEL_JSON} to the node."
        )
    if missing := [str(path) for path in paths if not path.is_file()]:
        raise TrainingFailed(f"The files of {where} do not exist: {missing}.")
    folder.mkdir(parents=True)
    for path in paths:
        shutil.copyfile(path, folder / path.name)


def _folders(checkpoint: Epoch | None) -> set[Path]:
    files = checkpoint.files if checkpoint else {}
    return {path.parent.parent for paths in files.values() for path in paths}
