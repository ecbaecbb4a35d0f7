"""A trainer that goes on when it is told to, and whose model is large."""

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from edgeloop.nodes.contracts import Trainer
from edgeloop.types import CategoryCounts, Epoch, TrainingTask
from nodes.trainer.scripted import ScriptedDetector

_PAUSE_S = 0.01


@dataclass(frozen=True)
class Paces:
    """How many epochs, the file that says how many of them may be done, and the model's size."""

    epochs: int
    gate: str
    megabytes: int = 1


class PacedTrainer(Trainer):
    """Yields an epoch as soon as the number in the gate's file allows it."""

    formats: ClassVar[tuple[str, ...]] = ("weights", "edge")
    detector = ScriptedDetector
    Hyperparameters = Paces

    def train(self, task: TrainingTask) -> Iterator[Epoch]:
        """Train nothing."""
        paces: Paces = task.hyperparameters
        gate, pause = Path(paces.gate), threading.Event()
        weights, edge = task.output / "weights.txt", task.output / "weights.edge"
        weights.write_bytes(random.Random(1).randbytes(paces.megabytes << 20))
        edge.write_text("")
        for number in range(1, paces.epochs + 1):
            while int(gate.read_text() or 0) < number:
                pause.wait(_PAUSE_S)
            yield Epoch(
                number,
                of=paces.epochs,
                metrics={"loss": 1 / number},
                counts={task.categories[0].id: CategoryCounts(tp=number)},
                files={"weights": [weights], "edge": [edge]} if number == paces.epochs else {},
                model_json={"resolution": 64},
            )
