"""A training as it goes on: a bar and a curve for each figure, epoch by epoch."""

import itertools
import threading
from collections import defaultdict
from collections.abc import Sequence

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from edgeloop.cli.console import stderr
from edgeloop.client import LoopClient, items
from edgeloop.client.calls import trainings
from edgeloop.client.calls.records import EpochRecord, TrainingRecord

LOOK_EVERY_S = 1.0
_BARS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
_WIDTH = 40


def follow(
    client: LoopClient, training: TrainingRecord, *, pause_s: float = LOOK_EVERY_S
) -> TrainingRecord:
    """Show a training until it has ended, and return it."""
    board = _Board(training.number)
    pause = threading.Event()
    with Live(board.shown, console=stderr, refresh_per_second=4, transient=False) as live:
        while True:
            training = client.send(trainings.training(training.id))
            for epoch in items(client, trainings.epochs(training.id, after=str(board.last))):
                board.add(epoch)
            board.tell(training)
            live.update(board.shown)
            if training.has_ended:
                return training
            pause.wait(pause_s)


def state_of(training: TrainingRecord) -> str:
    """The state of a training in words."""
    if training.state != "running":
        return training.state
    phase = (training.trainer_state or "begins").replace("_", " ")
    wish = f", to {training.wish}" if training.wish else ""
    return f"lost in {phase}{wish}" if training.lost else f"{phase}{wish}"


def spark(values: Sequence[float], width: int = _WIDTH) -> str:
    """A curve of blocks, as wide as there are values or ``width``; each block is a mean."""
    count = min(len(values), width)
    edges = [index * len(values) // count for index in range(count + 1)] if count else []
    parts = [values[a:b] for a, b in itertools.pairwise(edges)]
    means = [sum(part) / len(part) for part in parts]
    low, high = min(means, default=0.0), max(means, default=0.0)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((mean - low) * scale)] for mean in means)


class _Board:
    def __init__(self, number: int) -> None:
        self.last = 0
        self._curves: dict[str, list[float]] = defaultdict(list)
        self._bar = Progress(
            TextColumn("training {task.description}"),
            BarColumn(_WIDTH),
            MofNCompleteColumn(),
            TextColumn("epochs"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[state]}"),
            console=stderr,
        )
        self._task = self._bar.add_task(str(number), total=None, state="")

    @property
    def shown(self) -> Group:
        """What is to be seen now."""
        table = Table.grid(padding=(0, 2))
        for name, values in self._curves.items():
            table.add_row(Text(name), Text(f"{values[-1]:.4g}"), Text(spark(values)))
        return Group(self._bar, table)

    def add(self, epoch: EpochRecord) -> None:
        """There is a new epoch."""
        self.last = epoch.number
        for name, value in epoch.metrics.items():
            self._curves[name].append(value)
        self._bar.update(self._task, completed=epoch.number, total=max(epoch.of, epoch.number))

    def tell(self, training: TrainingRecord) -> None:
        """Say how the training is."""
        self._bar.update(self._task, state=state_of(training))
