"""Where a training goes on after it was cut off."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from edgeloop import durable
from edgeloop.types import CategoryCounts, Epoch
from edgeloop.vision.learner import Learner

log = logging.getLogger(__name__)
FILE = "checkpoint.pt"


@dataclass(frozen=True, slots=True)
class Progress:
    """How many epochs are done; ``kept`` is the last of them with files, ``best_score`` its
    score by the validation split."""

    epoch: int = 0
    kept: Epoch | None = None
    best_score: float = -1.0


def save(folder: Path, learner: Learner, progress: Progress, *, recipe: str) -> None:
    """Write the checkpoint, whole or not at all; ``recipe`` tells which training it belongs to."""
    state = {
        "recipe": recipe,
        "learner": learner.state(),
        "epoch": progress.epoch,
        "kept": None if progress.kept is None else _plain(progress.kept),
        "best_score": progress.best_score,
    }
    # By file: torch refuses names that start with a dot, as drafts do.
    with durable.draft_of(folder / FILE) as draft, draft.open("wb") as file:
        torch.save(state, file)


def resume(folder: Path, learner: Learner, *, recipe: str) -> Progress:
    """Put ``learner`` where the checkpoint of this recipe was; a fresh start without one."""
    durable.sweep(folder)
    state = _read(folder / FILE)
    if state.get("recipe") != recipe:
        return Progress()
    learner.restore(state["learner"])
    log.info("Going on after epoch %d", state["epoch"])
    kept = None if state["kept"] is None else _epoch(state["kept"])
    return Progress(state["epoch"], kept, state["best_score"])


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # noqa: BLE001 - a damaged file fails in as many ways as it has bytes
        log.warning("%s cannot be read (%s): starting anew", path, error)
        return {}


def _plain(epoch: Epoch) -> dict[str, Any]:
    return {
        "number": epoch.number,
        "of": epoch.of,
        "metrics": dict(epoch.metrics),
        "counts": {id_: [each.tp, each.fp, each.fn] for id_, each in epoch.counts.items()},
        "files": {name: [str(path) for path in paths] for name, paths in epoch.files.items()},
        "model_json": dict(epoch.model_json),
    }


def _epoch(plain: Mapping[str, Any]) -> Epoch:
    counts = {id_: CategoryCounts(*numbers) for id_, numbers in plain["counts"].items()}
    files = {name: [Path(path) for path in paths] for name, paths in plain["files"].items()}
    return replace(Epoch(**plain), counts=counts, files=files)
