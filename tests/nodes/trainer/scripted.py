"""A small real trainer that does what its hyperparameters say, and a detector for its models."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from edgeloop.errors import TrainingFailed
from edgeloop.nodes.contracts import Detector, ModelVariant, Trainer
from edgeloop.types import (
    BoxDetection,
    CategoryCounts,
    Detections,
    Epoch,
    ImageArray,
    TrainingTask,
)


@dataclass(frozen=True)
class Script:
    """What happens before epoch ``at``; ``once`` leaves out the misfortune at a repetition."""

    epochs: int = 2
    happens: str = ""
    at: int = 2
    once: bool = True

    def __post_init__(self) -> None:
        if self.happens == "confusion":
            raise RuntimeError("cannot make sense of that")


class ScriptedDetector(Detector):
    """Sees one box per image, as large as the image, and one too uncertain to be told."""

    model_format = "edge"
    max_batch = 4

    def load(self) -> None:
        self.behaviour = (self.model.path / "weights.edge").read_text()
        if self.behaviour == "unloadable":
            raise OSError("no such accelerator")
        mark = self.model.path.parent.parent / "output" / "detecting"
        if self.behaviour == "hangs" and not mark.exists():
            hang(mark)

    def detect(self, image: ImageArray) -> Detections:
        height, width = image.shape[:2]
        if self.behaviour == "blind" or (self.behaviour == "shy" and width == 40):
            raise ValueError("too dark")
        category = self.model.info.categories[0]

        def box(confidence: float) -> BoxDetection:
            return BoxDetection(category.id, category.name, 0, 0, width, height, confidence)

        return Detections(boxes=(box(0.9), box(0.04)))

    def detect_batch(self, images: Sequence[ImageArray]) -> list[Detections]:
        found = super().detect_batch(images)
        return found[1:] if self.behaviour == "miscounts" and len(found) > 1 else found


class ScriptedTrainer(Trainer):
    """Writes its epoch number as a model; continues where ``output`` says that it was."""

    formats: ClassVar[tuple[str, ...]] = ("weights", "edge")
    detector = ScriptedDetector
    variants = (ModelVariant("small", "Small", "is quick"), ModelVariant("large"))
    Hyperparameters = Script

    def train(self, task: TrainingTask) -> Iterator[Epoch]:
        script: Script = task.hyperparameters
        done = task.output / "done.txt"
        start = int(done.read_text()) if done.exists() else 0
        for number in range(start + 1, script.epochs + 1):
            if number == script.at:
                misfortune(script, task)
            done.write_text(str(number))
            yield self.epoch(number, task, script)

    def epoch(self, number: int, task: TrainingTask, script: Script) -> Epoch:
        """An epoch whose files are overwritten by the next one."""
        weights, edge = task.output / "weights.txt", task.output / "weights.edge"
        base = (task.base.path / "weights.txt").read_text() + "+" if task.base else ""
        weights.write_text(f"{base}{number}")
        edge.write_text(script.happens)
        return Epoch(
            number,
            of=script.epochs,
            metrics={"loss": 1 / number, "images": len(task.dataset.images), "odd": float("nan")},
            counts={task.categories[0].id: CategoryCounts(tp=number)},
            files={} if script.happens == "no files" else {"weights": [weights], "edge": [edge]},
            model_json={"resolution": 64},
        )


def misfortune(script: Script, task: TrainingTask) -> None:
    """What the script says shall happen here."""
    mark = task.output / f"{script.happens}.mark"
    if script.happens not in MISFORTUNES or (script.once and mark.exists()):
        return
    mark.write_text(str(os.getpid()))
    MISFORTUNES[script.happens](task.output)


def crash(_output: Path) -> None:
    """User code with a bug."""
    raise RuntimeError("out of memory")


def give_up(_output: Path) -> None:
    """User code that knows better."""
    raise TrainingFailed("the annotations contradict each other")


def kill(_output: Path) -> None:
    """The kernel needs memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def leave(_output: Path) -> None:
    """A library ends the process."""
    raise SystemExit(3)


def be_stubborn(output: Path) -> None:
    """A library swallows signals."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hang(output / "hanging")


def have_children(output: Path) -> None:
    """Data loaders and the like."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    (output / "child.pid").write_text(str(child.pid))
    hang(output / "hanging")


def hang(mark: Path) -> None:
    """Say that it hangs, and do."""
    mark.touch()
    threading.Event().wait()


MISFORTUNES: dict[str, Callable[[Path], None]] = {
    "crash": crash,
    "failure": give_up,
    "kill": kill,
    "exit": leave,
    "hang": lambda output: hang(output / "hanging"),
    "stubborn": be_stubborn,
    "children": have_children,
}


def talk(words: Sequence[str], ending: str) -> Iterator[dict[str, str]]:
    """Work for a process: says words on stdout, then on stderr how it ends."""
    for word in words:
        print(word)  # noqa: T201 - that is the point
    logging.getLogger("edgeloop.scripted").info("the log says %d", len(words))
    yield {"kind": "said"}
    sys.stderr.write(ending)
    if ending:
        os.kill(os.getpid(), signal.SIGKILL)


class NewerTrainer(ScriptedTrainer):
    """Has changed its format since."""

    formats = ("fresh", "edge")


class NoTrain(Trainer):
    """Forgot its train method."""

    formats = ("edge",)
    detector = ScriptedDetector


class OddTrainer(Trainer):
    """Yields what is no epoch."""

    formats = ("weights", "edge")
    detector = ScriptedDetector

    def train(self, task: TrainingTask) -> Iterator[Epoch]:
        yield from task.hyperparameters["yields"]
