"""``edgeloop training``: start, follow, stop and abort trainings; their queue."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer

from edgeloop.cli.connecting import connected
from edgeloop.cli.console import stderr, stdout
from edgeloop.cli.finding import find_model, find_node, find_training
from edgeloop.cli.following import follow, state_of
from edgeloop.cli.options import find_project
from edgeloop.cli.tables import AsJson, show, show_json, show_one
from edgeloop.cli.telling import tell
from edgeloop.client import LoopClient, items
from edgeloop.client.calls import trainings as calls
from edgeloop.client.calls.records import ProjectRecord, TrainingRecord, WaitingRecord
from edgeloop.errors import InputError, NotFound, TrainingFailed

app = typer.Typer(help="The trainings of a project.", no_args_is_help=True)
Project = Annotated[str, typer.Argument(metavar="ORG/PROJECT")]
Number = Annotated[int, typer.Argument(min=1, metavar="NUMBER", help="The training's number.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Show its epochs until it has ended.")]
_SCRATCH = "none"
_PAGE = 1000

_COLUMNS: Mapping[str, Callable[[TrainingRecord], Any]] = {
    "number": lambda training: training.number,
    "state": state_of,
    "progress": lambda training: _percent(training.progress),
    "trainer": lambda training: training.trainer_name,
    "variant": lambda training: training.variant,
    "images": lambda training: training.train_images,
    "created": lambda training: training.created[:19],
    "errors": lambda training: "; ".join(training.errors.values()),
}
_FACTS: Mapping[str, Callable[[TrainingRecord], Any]] = {
    "id": lambda training: training.id,
    **_COLUMNS,
    "format": lambda training: training.model_format,
    "base model": lambda training: training.base_model_id,
    "test images": lambda training: training.test_images,
    "skipped images": lambda training: training.skipped_images,
    "hyperparameters": lambda training: json.dumps(training.hyperparameters),
    "started": lambda training: (training.started or "")[:19],
    "ended": lambda training: (training.ended or "")[:19],
    "model": lambda training: training.model_id,
}
_QUEUE: Mapping[str, Callable[[WaitingRecord], Any]] = {
    "position": lambda waiting: waiting.position,
    "project": lambda waiting: waiting.project,
    "number": lambda waiting: waiting.training.number,
    "variant": lambda waiting: waiting.training.variant,
    "format": lambda waiting: waiting.training.model_format,
    "since": lambda waiting: waiting.training.created[:19],
    "waits for": lambda waiting: waiting.reason,
}


@app.command("list")
@connected
def list_trainings(
    client: LoopClient,
    project: Project,
    limit: Annotated[int, typer.Option(min=1, help="Up to so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the trainings of a project, newest first."""
    record = find_project(client, project)
    call = calls.project_trainings(record.id, limit=min(limit + 1, _PAGE))
    found = list(itertools.islice(items(client, call), limit + 1))
    show(found[:limit], _COLUMNS, as_json=as_json)
    if not as_json and len(found) > limit:
        stderr.print(f"There are more than these {limit}; --limit shows more.", highlight=False)


@app.command("start")
@connected
def start(
    client: LoopClient,
    project: Project,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter", "-p", metavar="NAME=VALUE", help="A hyperparameter. Repeatable."
        ),
    ] = None,
    variant: Annotated[str, typer.Option(help="The network, as trainers offer it.")] = "",
    model_format: Annotated[
        str, typer.Option("--format", help="A format that the trainer must make.")
    ] = "",
    base: Annotated[
        str | None,
        typer.Option(help="Start from this VERSION, or from none [default: the promoted model]."),
    ] = None,
    trainer: Annotated[
        str | None, typer.Option(help="By this trainer alone [default: any that offers it].")
    ] = None,
    follow_it: Follow = False,
    as_json: AsJson = False,
) -> None:
    """Queue a training; it begins as soon as a trainer is idle."""
    record = find_project(client, project)
    begun = client.send(
        calls.begin_training(
            record.id,
            hyperparameters=dict(_parameter(text) for text in parameter or ()),
            variant=variant,
            model_format=model_format,
            base_model_id=_base_id(client, record, base),
            trainer_id=find_node(client, trainer).id if trainer else None,
        )
    )
    if follow_it:
        begun = _follow(client, begun)
    if as_json:
        show_json(begun.model_dump(mode="json"))
    elif not follow_it:
        reason = _reason(client, begun) or "It waits for a trainer."
        said = f"Training {begun.number} of {project} is queued. {reason}"
        stdout.print(said, markup=False, highlight=False, soft_wrap=True)


@app.command("show")
@connected
def show_training(
    client: LoopClient,
    project: Project,
    number: Number,
    follow_it: Follow = False,
    as_json: AsJson = False,
) -> None:
    """Show one training; with its epochs as they come, if wanted."""
    training = find_training(client, find_project(client, project), number)
    if follow_it:
        training = _follow(client, training)
    reason = "" if as_json else _reason(client, training)
    waits = {"waits for": lambda _: reason} if reason else {}
    show_one(training, {**_FACTS, **waits}, as_json=as_json)


@app.command()
@connected
def stop(client: LoopClient, project: Project, number: Number, as_json: AsJson = False) -> None:
    """End a training early and keep its model."""
    training = find_training(client, find_project(client, project), number)
    _tell(client.send(calls.stop_training(training.id)), as_json=as_json)


@app.command()
@connected
def abort(client: LoopClient, project: Project, number: Number, as_json: AsJson = False) -> None:
    """End a training and discard what it made; asked twice, whatever its trainer does."""
    training = find_training(client, find_project(client, project), number)
    _tell(client.send(calls.abort_training(training.id)), as_json=as_json)


@app.command("continue")
@connected
def take_back(
    client: LoopClient, project: Project, number: Number, as_json: AsJson = False
) -> None:
    """Take back that a training shall stop or abort, if its trainer does not know yet."""
    training = find_training(client, find_project(client, project), number)
    _tell(client.send(calls.take_back_wish(training.id)), as_json=as_json)


@app.command()
@connected
def log(client: LoopClient, project: Project, number: Number, as_json: AsJson = False) -> None:
    """Show the end of a training's log."""
    training = find_training(client, find_project(client, project), number)
    found = client.send(calls.training_log(training.id))
    if as_json:
        show_json(found.model_dump(mode="json"))
    elif found.received is None:
        stderr.print("Its trainer told nothing of its log.")
    else:
        stdout.print(found.text, end="", highlight=False, markup=False, soft_wrap=True)


@app.command()
@connected
def queue(
    client: LoopClient,
    move: Annotated[
        tuple[str, int] | None,
        typer.Option(metavar="ORG/PROJECT NUMBER", help="Let this training wait elsewhere:"),
    ] = None,
    before: Annotated[
        tuple[str, int] | None,
        typer.Option(metavar="ORG/PROJECT NUMBER", help="before this one [default: the last]."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the trainings that wait, in the order in which they get a trainer; change it."""
    waiting = list(items(client, calls.queue()))
    if move is not None:
        place = _waiting(waiting, before).training.id if before is not None else None
        client.send(calls.place_training(_waiting(waiting, move).training.id, before=place))
        waiting = list(items(client, calls.queue()))
    elif before is not None:
        raise InputError("--before says where: say with --move which training.")
    show(waiting, _QUEUE, as_json=as_json)


def _waiting(waiting: Sequence[WaitingRecord], which: tuple[str, int]) -> WaitingRecord:
    project, number = which
    named = [w for w in waiting if (w.project, w.training.number) == (project, number)]
    if not named:
        raise NotFound(f"Training {number} of {project} does not wait: edgeloop training queue.")
    return named[0]


def _reason(client: LoopClient, training: TrainingRecord) -> str:
    """Why a training is queued still, in a sentence; empty where it is not."""
    if training.state != "queued":
        return ""
    waiting = items(client, calls.queue())
    return next((w.reason for w in waiting if w.training.id == training.id), "")


def _follow(client: LoopClient, training: TrainingRecord) -> TrainingRecord:
    if reason := _reason(client, training):
        said = f"Training {training.number} is queued. {reason}"
        stderr.print(said, markup=False, highlight=False, soft_wrap=True)
    try:
        training = follow(client, training)
    except KeyboardInterrupt:
        stderr.print(f"Training {training.number} goes on without you.", highlight=False)
        raise typer.Exit from None
    if training.state == "failed":
        reasons = " ".join(training.errors.values())
        raise TrainingFailed(f"Training {training.number} has failed: {reasons}")
    return training


def _base_id(client: LoopClient, project: ProjectRecord, base: str | None) -> str | None:
    if base is None:
        return calls.PROMOTED
    return None if base == _SCRATCH else find_model(client, project, base).id


def _parameter(text: str) -> tuple[str, Any]:
    """``NAME=VALUE`` -> both; a value is JSON, or a text where it is none."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InputError(f"{text!r} is no hyperparameter: write NAME=VALUE.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _tell(training: TrainingRecord, *, as_json: bool) -> None:
    tell(training, f"Training {training.number} is {state_of(training)}.", as_json=as_json)


def _percent(progress: float | None) -> str | None:
    return None if progress is None else f"{progress:.0%}"
