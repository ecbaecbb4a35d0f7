"""How good a model is, from the detections that the loop keeps of it."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from edgeloop.errors import Conflict
from edgeloop.evaluation import Evaluation, EvaluationImage, evaluate
from edgeloop.loop.db.expressions import Holds
from edgeloop.loop.db.tables import AnnotationsRow, DetectionsRow, ImageRow, ModelRow
from edgeloop.loop.services import models, projects
from edgeloop.loop.services.workspace import Caller, Workspace, Workspaces
from edgeloop.protocol.payloads.annotations import read_annotations
from edgeloop.protocol.payloads.detections import read_detections
from edgeloop.types import Category, Split

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which complete images count: those of a split, or of them those with a tag."""

    split: Split = "test"
    tag: str | None = None

    def __str__(self) -> str:
        return f"{self.split} images" + (f" tagged {self.tag}" if self.tag else "")


TEST_SPLIT = Selection()


async def evaluation(
    workspaces: Workspaces, caller: Caller, *, model_id: str, selection: Selection = TEST_SPLIT
) -> Evaluation:
    """The figures of a model on those of the selected images that it has looked at.

    Those of the whole test split are kept as its metrics. Raises NotFound, and Conflict where it
    has looked at none.
    """
    result = await _evaluation(workspaces, caller, model_id=model_id, selection=selection)
    if selection == TEST_SPLIT:
        async with workspaces.write(caller) as workspace:
            (await models.row_of(workspace, model_id)).metrics = metrics_of(result)
    return result


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same images, each with its own figures."""

    first: ModelRow
    second: ModelRow
    of_first: Evaluation
    of_second: Evaluation


async def compare(
    workspaces: Workspaces,
    caller: Caller,
    *,
    model_ids: tuple[str, str],
    selection: Selection = TEST_SPLIT,
) -> Comparison:
    """How good two models of a project are on those images that both have looked at.

    Raises NotFound, and Conflict where there is no such image.
    """
    async with workspaces.read(caller) as workspace:
        first, second = [await models.row_of(workspace, id_) for id_ in model_ids]
        if first.project_id != second.project_id:
            raise Conflict("The models belong to two projects: compare those of one.")
        project = await projects.by_id(workspace, first.project_id)
        seen = [await _images(workspace, model, selection) for model in (first, second)]
    shared = {image[0] for image in seen[0]} & {image[0] for image in seen[1]}
    if not shared:
        raise Conflict(
            f"The models {first.version} and {second.version} have looked at no complete "
            f"{selection} of {project.address} both: their detections come with their trainings."
        )
    found = [
        await asyncio.to_thread(
            _evaluate, [image for image in images if image[0] in shared], project.categories
        )
        for images in seen
    ]
    return Comparison(first, second, *found)


async def test_metrics(workspaces: Workspaces, training_id: str) -> dict[str, dict[str, Any]]:
    """What is to be kept as metrics of the models of a training, by model id."""
    async with workspaces.read() as workspace:
        query = select(ModelRow.id).where(
            ModelRow.training_id == training_id, ModelRow.version.is_not(None)
        )
        ids = (await workspace.session.scalars(query)).all()
        caller = workspace.caller
    return {id_: await _metrics_or_none(workspaces, caller, id_) for id_ in ids}


def metrics_of(figures: Evaluation) -> dict[str, Any]:
    """What is kept of an evaluation with the model."""
    return {"map50": figures.map50, "map50_95": figures.map50_95, "images": figures.images}


async def _metrics_or_none(workspaces: Workspaces, caller: Caller, model_id: str) -> dict[str, Any]:
    try:
        found = await _evaluation(workspaces, caller, model_id=model_id, selection=TEST_SPLIT)
    except Conflict as error:
        log.info("%s", error)
    except Exception:  # a training must not fail to end because of its figures
        log.exception("The figures of model %s cannot be computed", model_id)
    else:
        return metrics_of(found)
    return {}


async def _evaluation(
    workspaces: Workspaces, caller: Caller, *, model_id: str, selection: Selection
) -> Evaluation:
    async with workspaces.read(caller) as workspace:
        model = await models.row_of(workspace, model_id)
        project = await projects.by_id(workspace, model.project_id)
        images = await _images(workspace, model, selection)
    if not images:
        raise Conflict(
            f"The model {model.version} has not looked at complete {selection} of "
            f"{project.address} yet: its detections come at the end of its training."
        )
    return await asyncio.to_thread(_evaluate, images, project.categories)


_Image = tuple[str, dict[str, Any] | None, dict[str, Any]]


async def _images(workspace: Workspace, model: ModelRow, selection: Selection) -> Sequence[_Image]:
    query = (
        select(ImageRow.id, AnnotationsRow.shapes, DetectionsRow.shapes)
        .join(DetectionsRow, DetectionsRow.image_id == ImageRow.id)
        .outerjoin(AnnotationsRow, AnnotationsRow.image_id == ImageRow.id)
        .where(
            ImageRow.project_id == model.project_id,
            ImageRow.state == "complete",
            ImageRow.split == selection.split,
            DetectionsRow.model_version == model.version,
        )
        .order_by(ImageRow.id)
    )
    if selection.tag is not None:
        query = query.where(Holds(ImageRow.tags, selection.tag))
    return (await workspace.session.execute(query)).all()


def _evaluate(images: Sequence[_Image], categories: Sequence[Category]) -> Evaluation:
    names = {category.name: category.id for category in categories}
    return evaluate(
        [
            EvaluationImage(id_, read_annotations(truth or {}, names), read_detections(found))
            for id_, truth, found in images
        ],
        categories,
    )
