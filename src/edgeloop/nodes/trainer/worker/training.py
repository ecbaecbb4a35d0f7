"""Runs Trainer.train in a process of its own and yields its epochs."""

from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from edgeloop.nodes.contracts import Trainer
from edgeloop.nodes.trainer.worker import journal
from edgeloop.nodes.trainer.worker.checkpoints import keep_files, plain
from edgeloop.nodes.trainer.worker.hyperparameters import read_hyperparameters
from edgeloop.nodes.trainer.worker.output import OnOutput
from edgeloop.nodes.trainer.worker.process import KILL_AFTER_S, Message, WorkerProcess
from edgeloop.nodes.trainer.worker.records import read_dataset
from edgeloop.types import Category, Epoch, LocalModel, TrainingTask

_EPOCH = TypeAdapter(Epoch)


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What the process needs to train.

    ``dataset`` is the file of records, ``images`` the folder of files; ``output`` is the trainer's
    own, ``checkpoints`` keeps the files of epochs, ``journal`` is the file that notes them.
    """

    number: int
    dataset: Path
    images: Path
    categories: tuple[Category, ...]
    hyperparameters: Mapping[str, Any]
    output: Path
    checkpoints: Path
    journal: Path
    base: LocalModel | None = None
    variant: str = ""


async def train(
    trainer: type[Trainer],
    plan: TrainingPlan,
    *,
    kill_after_s: float = KILL_AFTER_S,
    on_output: OnOutput | None = None,
) -> AsyncGenerator[Epoch, None]:
    """The epochs of a training; their files are copies. Closing the iterator ends the process.

    ``on_output`` hears what the process prints. Raises TrainingFailed where the trainer says so,
    TrainingInterrupted where it crashed.
    """
    async with WorkerProcess(
        epochs_of, trainer, plan, kill_after_s=kill_after_s, on_output=on_output
    ) as process:
        async for message in process.messages():
            yield _EPOCH.validate_python(message["epoch"])


def epochs_of(trainer: type[Trainer], plan: TrainingPlan) -> Iterator[Message]:
    """What runs in the process: the trainer's epochs as messages."""
    plan.output.mkdir(parents=True, exist_ok=True)
    task = TrainingTask(
        number=plan.number,
        dataset=read_dataset(plan.dataset, plan.images),
        categories=plan.categories,
        hyperparameters=read_hyperparameters(trainer, plan.hyperparameters),
        output=plan.output,
        base=plan.base,
        variant=plan.variant,
    )
    for epoch in trainer().train(task):
        kept = keep_files(plain(epoch), trainer.formats, plan.checkpoints)
        document = _EPOCH.dump_python(kept, mode="json")
        journal.append(plan.journal, document)
        yield {"kind": "epoch", "epoch": document}
