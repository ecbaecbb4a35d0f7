"""What people make of models: a comment, promoted, retired; and where a model comes from."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from edgeloop.errors import Conflict
from edgeloop.loop.db.tables import ModelRow, ProjectRow
from edgeloop.loop.services import deployments, models, trainings
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.models import Model
from edgeloop.loop.services.trainings import Training
from edgeloop.loop.services.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ModelChange:
    """What of a model is to be changed; None leaves it as it is."""

    comment: str | None = None
    promoted: bool | None = None
    retired: bool | None = None


@dataclass(frozen=True, slots=True)
class Lineage:
    """The models that a model comes from, the nearest first, those that come from it, the oldest
    first, and the training that made it; None for one that people brought."""

    ancestors: Sequence[Model]
    children: Sequence[Model]
    training: Training | None


async def change(workspace: Workspace, model_id: str, wish: ModelChange) -> Model:
    """Change what is given.

    Promoting a model makes it the one of its project: another one is that no more. Raises NotFound,
    and Conflict for promoting what is retired or has no files, and for retiring what is promoted
    or deployed.
    """
    model = await models.row_of(workspace, model_id, right=Right.MANAGE_MODELS)
    project = await workspace.session.get_one(ProjectRow, model.project_id)
    if wish.comment is not None:
        model.comment = wish.comment
    if wish.promoted is False and project.promoted_model_id == model.id:
        project.promoted_model_id = None
    if wish.retired is False:
        model.retired = None
    if wish.retired and model.retired is None:
        await _check_idle(workspace, model, project)
        model.retired = workspace.clock()
    if wish.promoted:
        _check_usable(model)
        project.promoted_model_id = model.id
    return await models.get(workspace, model_id)


async def lineage(workspace: Workspace, model_id: str) -> Lineage:
    """Where a model comes from and what came of it; raises NotFound."""
    model = await models.row_of(workspace, model_id)
    query = select(ModelRow).where(
        ModelRow.base_model_id == model.id, ModelRow.project_id == model.project_id
    )
    children = await workspace.session.scalars(query.order_by(ModelRow.created, ModelRow.id))
    return Lineage(
        await models.described(workspace, await _ancestors(workspace, model)),
        await models.described(workspace, children.all()),
        await trainings.get(workspace, model.training_id) if model.training_id else None,
    )


async def _ancestors(workspace: Workspace, model: ModelRow) -> Sequence[ModelRow]:
    found: dict[str, ModelRow] = {}
    base = model.base_model_id
    while base and base not in found:
        row = await workspace.session.get(ModelRow, base)
        if row is None or row.project_id != model.project_id:
            break
        found[base] = row
        base = row.base_model_id
    return list(found.values())


async def _check_idle(workspace: Workspace, model: ModelRow, project: ProjectRow) -> None:
    if project.promoted_model_id == model.id:
        raise Conflict(f"The model {model.version} is promoted: promote another one first.")
    if model.id in await deployments.targets(workspace, [project.id]):
        raise Conflict(f"The model {model.version} is deployed: deploy another one first.")


def _check_usable(model: ModelRow) -> None:
    if model.version is None:
        raise Conflict(f"The model {model.id} has no files yet: promote one that has a version.")
    if model.retired:
        raise Conflict(f"The model {model.version} is retired: take that back first.")
