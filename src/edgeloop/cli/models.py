"""``edgeloop model``: list, compare, promote, comment, retire; files up and down."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeloop.cli import evaluations
from edgeloop.cli.connecting import connected
from edgeloop.cli.console import stderr, stdout
from edgeloop.cli.finding import find_model
from edgeloop.cli.options import find_project
from edgeloop.cli.tables import AsJson, show, show_json, show_one
from edgeloop.cli.telling import tell
from edgeloop.client import LoopClient, items
from edgeloop.client.calls import conversions
from edgeloop.client.calls import models as calls
from edgeloop.client.calls.records import (
    ComparedRecord,
    ComparisonRecord,
    ConversionRecord,
    ModelRecord,
)
from edgeloop.errors import InputError, NotFound

app = typer.Typer(help="The models of a project.", no_args_is_help=True)
app.command("evaluation")(connected(evaluations.evaluate))
Project = Annotated[str, typer.Argument(metavar="ORG/PROJECT")]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="The model's version, or its id.")]
Format = Annotated[str, typer.Argument(metavar="FORMAT")]

_COLUMNS: Mapping[str, Callable[[ModelRecord], Any]] = {
    "version": lambda model: model.version,
    "is": lambda model: _standing(model),
    "formats": lambda model: ", ".join(model.formats),
    "training": lambda model: model.training_number,
    "images": lambda model: model.train_images,
    "mAP50": lambda model: model.metrics.get("map50"),
    "mAP50:95": lambda model: model.metrics.get("map50_95"),
    "created": lambda model: model.created[:19],
    "comment": lambda model: model.comment,
}
_MISSING: Mapping[str, Callable[[ConversionRecord], Any]] = {
    "version": lambda missing: missing.version,
    "lacks": lambda missing: missing.target_format,
    "has": lambda missing: ", ".join(missing.formats),
    "state": lambda missing: missing.state,
    "converter": lambda missing: missing.converter,
    "attempts": lambda missing: missing.attempts,
    "error": lambda missing: missing.error,
}


@app.command("list")
@connected
def list_models(
    client: LoopClient,
    project: Project,
    model_format: Annotated[str | None, typer.Option("--format", help="Has this format.")] = None,
    training: Annotated[int | None, typer.Option(help="Was made by this training.")] = None,
    retired: Annotated[
        bool | None, typer.Option("--retired/--in-use", help="Only these [default: all].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the models of a project, newest first."""
    record = find_project(client, project)
    call = calls.project_models(
        record.id, model_format=model_format, training=training, retired=retired
    )
    show(list(items(client, call)), _COLUMNS, as_json=as_json)


@app.command("show")
@connected
def show_model(
    client: LoopClient, project: Project, version: Version, as_json: AsJson = False
) -> None:
    """Show one model, and where it comes from."""
    model = find_model(client, find_project(client, project), version)
    lineage = client.send(calls.lineage(model.id))
    if as_json:
        show_json({**model.model_dump(mode="json"), "lineage": lineage.model_dump(mode="json")})
        return
    names = {
        "id": lambda model: model.id,
        **_COLUMNS,
        "test images": lambda model: model.test_images,
        "best epoch": lambda model: model.best_epoch,
        "comes from": lambda _: ", ".join(str(m.version) for m in lineage.ancestors),
        "became": lambda _: ", ".join(m.version or "" for m in lineage.children if m.version),
    }
    show_one(model, names, as_json=False)


@app.command()
@connected
def compare(
    client: LoopClient,
    project: Project,
    first: Version,
    second: Version,
    split: Annotated[str, typer.Option("--set", help="On the images of this set.")] = "test",
    tag: Annotated[str | None, typer.Option(help="On those of them with this tag.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show two models side by side, on the images that both have looked at."""
    record = find_project(client, project)
    ids = [find_model(client, record, version).id for version in (first, second)]
    found = client.send(calls.comparison(*ids, split=split, tag=tag))
    if as_json:
        show_json(found.model_dump(mode="json"))
        return
    rows = _compared(found, {c.id: c.name for c in record.categories})
    left, right = (model.version for model in found.models)
    columns: dict[str, Callable[[tuple[str, float | None, float | None]], Any]] = {
        f"on {found.images} images": lambda row: row[0],
        left: lambda row: row[1],
        right if right != left else f"{right} again": lambda row: row[2],
        "gain": lambda row: _gain(row[1], row[2]),
    }
    show(rows, columns, as_json=False)


@app.command()
@connected
def promote(
    client: LoopClient, project: Project, version: Version, as_json: AsJson = False
) -> None:
    """Let new trainings start from this model; at most one per project."""
    model = find_model(client, find_project(client, project), version)
    changed = client.send(calls.change_model(model.id, promoted=True))
    tell(changed, f"New trainings of {project} start from {model.version}.", as_json=as_json)


@app.command()
@connected
def demote(client: LoopClient, project: Project, version: Version, as_json: AsJson = False) -> None:
    """Let new trainings start from scratch again."""
    model = find_model(client, find_project(client, project), version)
    changed = client.send(calls.change_model(model.id, promoted=False))
    tell(changed, f"{model.version} is promoted no more.", as_json=as_json)


@app.command()
@connected
def comment(
    client: LoopClient, project: Project, version: Version, text: str, as_json: AsJson = False
) -> None:
    """Say what is to be known of a model."""
    model = find_model(client, find_project(client, project), version)
    changed = client.send(calls.change_model(model.id, comment=text))
    tell(changed, f"{model.version} has the comment.", as_json=as_json)


@app.command()
@connected
def retire(
    client: LoopClient,
    project: Project,
    version: Version,
    undo: Annotated[bool, typer.Option("--undo", help="Offer it again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Offer a model no more: for trainings, deployments, conversions. Its files stay."""
    model = find_model(client, find_project(client, project), version)
    changed = client.send(calls.change_model(model.id, retired=not undo))
    said = f"{model.version} is {'offered again' if undo else 'retired'}."
    tell(changed, said, as_json=as_json)


@app.command("conversions")
@connected
def list_conversions(
    client: LoopClient,
    project: Project,
    retry: Annotated[bool, typer.Option("--retry", help="Let failed ones be tried again.")] = False,
    as_json: AsJson = False,
) -> None:
    """List which models lack a format that the project wants."""
    record = find_project(client, project)
    found = list(items(client, conversions.conversions(record.id)))
    if retry:
        for failed in [c for c in found if c.state == "failed" and c.id]:
            client.send(conversions.retry_conversion(str(failed.id)))
        found = list(items(client, conversions.conversions(record.id)))
    show(found, _MISSING, as_json=as_json)


@app.command()
@connected
def download(
    client: LoopClient,
    project: Project,
    version: Version,
    model_format: Format,
    output: Annotated[
        Path | None, typer.Option(help="The file to write [default: PROJECT_VERSION_FORMAT.zip].")
    ] = None,
) -> None:
    """Download a model in one format, as a zip."""
    record = find_project(client, project)
    model = find_model(client, record, version)
    if model_format not in model.formats:
        has = ", ".join(model.formats)
        raise NotFound(f"{project} {model.version} has no format {model_format}, but {has}.")
    target = output or Path(f"{record.name}_{model.version}_{model_format}.zip")
    call = calls.model_file(record.organization, record.name, model.id, model_format)
    with stderr.status("downloading"):
        client.download(call, target)
    stdout.print(f"Wrote {target}.", highlight=False)


@app.command()
@connected
def upload(
    client: LoopClient,
    project: Project,
    model_format: Format,
    files: Annotated[list[Path], typer.Argument(help="The model's files, or one zip of them.")],
    version: Annotated[
        str | None,
        typer.Option("--to", help="Add it to this VERSION [default: a new one]."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Upload a model in one format: a new one, or another format of one that is there."""
    record = find_project(client, project)
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise InputError(f"{', '.join(missing)} is no file: name those of the model.")
    to = find_model(client, record, version).id if version else None
    with stderr.status("uploading"):
        call = calls.upload_model(
            record.organization, record.name, model_format, files, model_id=to
        )
        model = client.send(calls.model(client.send(call)))
    tell(model, f"{project} {model.version} has {', '.join(model.formats)}.", as_json=as_json)


def _compared(
    found: ComparisonRecord, names: Mapping[str, str]
) -> list[tuple[str, float | None, float | None]]:
    """A line for each figure: the whole first, then category by category."""
    first, second = found.models
    lines = [
        ("mAP50", first.map50, second.map50),
        ("mAP50:95", first.map50_95, second.map50_95),
    ]
    for id_ in first.per_category:
        lines += [
            (f"{names.get(id_, id_)} {title}", _score(first, id_, key), _score(second, id_, key))
            for title, key in (("AP50", "ap50"), ("AP50:95", "ap50_95"))
        ]
    return lines


def _score(model: ComparedRecord, category_id: str, key: str) -> float | None:
    return model.per_category.get(category_id, {}).get(key)


def _gain(first: float | None, second: float | None) -> str | None:
    return None if first is None or second is None else f"{second - first:+.3f}"


def _standing(model: ModelRecord) -> str:
    said = {"deployed": model.deployed, "promoted": model.promoted, "retired": model.retired}
    return ", ".join(word for word, is_so in said.items() if is_so)
