"""The page of a project's trainings: their states, and the curves of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from edgeloop.loop.services import models, projects, queue, trainings
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.queue import Waiting
from edgeloop.loop.services.trainings import Training, TrainingState
from edgeloop.loop.ui.curves import Curves, Epochs
from edgeloop.loop.ui.frame import project_path, project_title
from edgeloop.loop.ui.visits import Visit, visited
from edgeloop.loop.ui.widgets import (
    NOTHING,
    Link,
    Row,
    Table,
    Text,
    badge,
    bar,
    block,
    empty,
    lasting,
    moment,
    panel,
)

SHOWN = 100
MAX_EPOCHS = 5000
LOG_LINES = 200
REFRESH_S = 2.0


@dataclass(frozen=True, slots=True)
class _Line:
    """A training as it is shown; ``progress`` (0..1) is None where nothing is under way."""

    number: int
    variant: str
    state: str
    errors: tuple[str, ...]
    progress: float | None
    phase: str
    trainer: str
    images: str
    began: str
    took: str
    model: str


@dataclass(frozen=True, slots=True)
class _Board:
    """The newest trainings, and of the selected one the epochs and the end of its log."""

    lines: tuple[_Line, ...] = ()
    selected: int | None = None
    epochs: Epochs = ()
    log: str = ""


@visited("/projects/{organization}/{name}/trainings", title="Trainings")
async def trainings_page(visit: Visit, organization: str, name: str, *, training: str = "") -> None:
    """Trainings, newest first, and the curves of the one with the number ``training``.

    Where none is named, those of the training that runs, or of the newest with epochs.
    """
    async with visit.read() as workspace:
        project = await projects.by_names(workspace, organization, name=name)
    number = int(training) if training.isdecimal() else None
    figures = {"Images": None, "Trainings": None, "Models": None}
    project_title(organization, name, place="Trainings", figures=figures)
    view = _View(project)

    async def refresh(visit: Visit) -> None:
        view.show(await _load(visit, project, number))

    await refresh(visit)
    visit.every(REFRESH_S, refresh)


class _View:
    """The list and, below it, the curves; changes only what has changed."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._shown: _Board | None = None
        self._list = block("el-stack")
        with block("el-panel", tag="section") as self._panel:
            with block("el-panel-title", tag="header"):
                self._title = Text("", tag="h2")
                self._newest = Text("", "el-muted")
            self._curves = Curves()
        with block("el-panel", tag="section") as self._log_panel:
            with block("el-panel-title", tag="header"):
                self._log_title = Text("", tag="h2")
            self._log = Text("", "el-log", tag="pre")

    def show(self, board: _Board) -> None:
        """Show this board."""
        shown, self._shown = self._shown, board
        if shown is None or (shown.lines, shown.selected) != (board.lines, board.selected):
            self._list.clear()
            with self._list:
                _show_list(board, self._project)
        self._panel.set_visibility(bool(board.epochs))
        if board.epochs:
            self._title.text = f"Training {board.selected}"
            number, metrics = board.epochs[-1]
            figures = ", ".join(f"{name} {value:.3g}" for name, value in metrics.items())
            self._newest.text = f"epoch {number}: {figures}"
            self._curves.show(board.epochs)
        self._log_panel.set_visibility(bool(board.log))
        if board.log and (shown is None or shown.log != board.log):
            self._log_title.text = f"Log of training {board.selected}"
            self._log.text = board.log


async def _load(visit: Visit, project: Project, number: int | None) -> _Board:
    async with visit.read() as workspace:
        found = await trainings.list_newest_first(workspace, project.id, limit=SHOWN)
        with_files = await models.with_files(workspace, project.id)
        versions = {model.row.id: model.row.version or "" for model in with_files}
        waiting = {item.training.id: item for item in await queue.listed(workspace)}
        lines = tuple(
            _line(
                training,
                version=versions.get(training.model_id or ""),
                waiting=waiting.get(training.row.id),
                now=visit.now,
            )
            for training in found
        )
        for training in _candidates(found, number):
            epochs = await trainings.epochs(workspace, training.row.id, limit=MAX_EPOCHS)
            if epochs or number is not None:
                curve = [(epoch.number, epoch.metrics) for epoch in epochs]
                log = await trainings.log_of(workspace, training.row.id)
                shown = _last_lines(log.text) if log else ""
                return _Board(lines, training.row.number, curve, shown)
    return _Board(lines)


def _last_lines(text: str) -> str:
    return "\n".join(text.splitlines()[-LOG_LINES:])


def _candidates(found: Sequence[Training], number: int | None) -> Sequence[Training]:
    """The trainings whose curves are meant, the likeliest first."""
    if number is not None:
        return [training for training in found if training.row.number == number]
    return sorted(found, key=lambda training: training.row.state != TrainingState.RUNNING)[:5]


def _line(
    training: Training, *, version: str | None, waiting: Waiting | None, now: datetime
) -> _Line:
    record = training.row
    return _Line(
        number=record.number,
        variant=record.variant,
        state="lost" if training.is_lost else record.state,
        errors=tuple(f"{where.replace('_', ' ')}: {what}" for where, what in record.errors.items()),
        progress=(record.progress or 0.0) if record.state == TrainingState.RUNNING else None,
        phase=_phase(training, waiting),
        trainer=record.trainer_name,
        images=_images(training),
        began=moment(record.started or record.created),
        took=lasting((record.ended or now) - record.started) if record.started else NOTHING,
        model=version or NOTHING,
    )


def _phase(training: Training, waiting: Waiting | None) -> str:
    record = training.row
    if waiting is not None:
        return f"Place {waiting.position} in the queue. {waiting.reason}"
    if record.state != TrainingState.RUNNING:
        return ""
    phase = (record.trainer_state or "begins").replace("_", " ")
    wish = f", to {record.wish}" if record.wish else ""
    return (
        f"was {phase}{wish}; it goes on when its trainer is back"
        if training.is_lost
        else (f"{phase}{wish}")
    )


def _images(training: Training) -> str:
    record = training.row
    if record.train_images is None:
        return NOTHING
    skipped = f", {record.skipped_images} skipped" if record.skipped_images else ""
    return f"{record.train_images} train, {record.test_images or 0} test{skipped}"


def _show_list(board: _Board, project: Project) -> None:
    if not board.lines:
        empty(
            "Nothing was trained yet. With a trainer connected, a training is begun so:",
            f"edgeloop training start {project.address} --follow",
        )
        return
    path = project_path(project.organization, project.name, "trainings")
    with panel():
        columns = ("Training", "State", "Progress", "Trainer", "Images", "Began", "Took", "Model")
        table = Table(*columns, is_list=True)
        for line in board.lines:
            with table.row(is_selected=line.number == board.selected) as row:
                _fill(row, line, path)


def _fill(row: Row, line: _Line, path: str) -> None:
    with row.cell():
        Link(f"{path}?training={line.number}", f"#{line.number}", "el-name")
        Text(line.variant, "el-muted")
    with row.cell():
        badge(line.state)
        for error in line.errors:
            Text(error, "el-fault", tag="p")
    if line.progress is None:
        row.text(line.phase, "el-muted")
    else:
        with row.cell("el-progress"):
            bar(line.progress)
            Text(line.phase, "el-muted")
    row.text(line.trainer)
    row.text(line.images)
    row.text(line.began)
    row.text(line.took)
    row.text(line.model, "el-strong")
