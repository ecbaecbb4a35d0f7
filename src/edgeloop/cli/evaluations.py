"""``edgeloop model evaluation``: how good one model is."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from edgeloop.cli.finding import find_model
from edgeloop.cli.options import find_project
from edgeloop.cli.tables import AsJson, show, show_json
from edgeloop.client import LoopClient
from edgeloop.client.calls import models as calls
from edgeloop.client.calls.records import EvaluationRecord

Line = tuple[str, float | None, float | None, int | None, int | None, int | None]


def evaluate(
    client: LoopClient,
    project: Annotated[str, typer.Argument(metavar="ORG/PROJECT")],
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="The model's version, or its id.")
    ],
    split: Annotated[str, typer.Option("--set", help="On the images of this set.")] = "test",
    tag: Annotated[str | None, typer.Option(help="On those of them with this tag.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show how good a model is, category by category, on the images that it has looked at."""
    record = find_project(client, project)
    model = find_model(client, record, version)
    found = client.send(calls.evaluation(model.id, split=split, tag=tag))
    if as_json:
        show_json(found.model_dump(mode="json"))
        return
    columns: Mapping[str, Callable[[Line], Any]] = {
        f"on {found.images} images": lambda line: line[0],
        "AP50": lambda line: line[1],
        "AP50:95": lambda line: line[2],
        "tp": lambda line: line[3],
        "fp": lambda line: line[4],
        "fn": lambda line: line[5],
    }
    show(_lines(found, {c.id: c.name for c in record.categories}), columns, as_json=False)


def _lines(found: EvaluationRecord, names: Mapping[str, str]) -> list[Line]:
    """The whole first, then category by category."""
    lines: list[Line] = [("all", found.map50, found.map50_95, None, None, None)]
    for id_, scores in found.per_category.items():
        counts = found.counts.get(id_, {})
        tp, fp, fn = (counts.get(key) for key in ("tp", "fp", "fn"))
        lines.append((names.get(id_, id_), scores.get("ap50"), scores.get("ap50_95"), tp, fp, fn))
    return lines
