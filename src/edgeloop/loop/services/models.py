"""Models: what there is, and where their files lie."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from edgeloop.errors import NotFound, Unprocessable
from edgeloop.loop.db.tables import ModelFileRow, ModelRow, ProjectRow, TrainingRow
from edgeloop.loop.services import deployments, projects
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.workspace import Workspace
from edgeloop.protocol.payloads.categories import category_to_json


@dataclass(frozen=True, slots=True)
class Model:
    """A model with its formats, the number of its training, and whether it is the target.

    The ``promoted`` model of a project is what new trainings start from.
    """

    row: ModelRow
    formats: tuple[str, ...]
    training_number: int | None
    deployed: bool
    promoted: bool = False


@dataclass(frozen=True, slots=True)
class ModelFilter:
    """Which models are meant; None: no matter which."""

    model_format: str | None = None
    training_number: int | None = None
    retired: bool | None = None

    def accepts(self, model: Model) -> bool:
        """Whether it is one of them."""
        return (
            self.model_format in (None, *model.formats)
            and self.training_number in (None, model.training_number)
            and self.retired in (None, model.row.retired is not None)
        )


ALL = ModelFilter()


@dataclass(frozen=True, slots=True)
class ModelZip:
    """A model in one format: a name for the zip, and where it lies in the storage."""

    file_name: str
    storage_key: str
    size_bytes: int


async def get(workspace: Workspace, model_id: str) -> Model:
    """One model; raises as ``row_of`` does."""
    row = await row_of(workspace, model_id)
    return (await _described(workspace, [row]))[0]


async def row_of(workspace: Workspace, model_id: str, *, right: Right = Right.READ) -> ModelRow:
    """The row of a model for someone with this right; raises NotFound, Forbidden."""
    row = await workspace.session.get(ModelRow, model_id)
    unseen = f"There is no model {model_id}."
    return await projects.owned(workspace, row, right=right, unseen=unseen)


async def in_project(workspace: Workspace, project_id: str) -> Sequence[Model]:
    """All models of a project, newest first; the one without a version is the newest."""
    query = select(ModelRow).where(ModelRow.project_id == project_id)
    rows = sorted((await workspace.session.scalars(query)).all(), key=_age, reverse=True)
    return await _described(workspace, rows)


async def with_files(
    workspace: Workspace, project_id: str, *, after: str | None = None, which: ModelFilter = ALL
) -> Sequence[Model]:
    """The models of a project that have files, newest first, those behind the model ``after``.

    Raises Unprocessable where that is not one of them.
    """
    found = [m for m in await in_project(workspace, project_id) if m.row.version is not None]
    if after is not None:
        ids = [model.row.id for model in found]
        if after not in ids:
            raise Unprocessable(f"after: the project has no model {after!r} with files.")
        found = found[ids.index(after) + 1 :]
    return [model for model in found if which.accepts(model)]


async def described(workspace: Workspace, rows: Sequence[ModelRow]) -> Sequence[Model]:
    """These models, in the same order."""
    return await _described(workspace, rows)


async def newest_of_training(workspace: Workspace, training_id: str) -> ModelRow | None:
    """The model that a training's reports and files go to."""
    query = select(ModelRow).where(ModelRow.training_id == training_id)
    return max((await workspace.session.scalars(query)).all(), key=_age, default=None)


async def add(workspace: Workspace, training: TrainingRow) -> ModelRow:
    """A new model of a training, without files."""
    project = await projects.by_id(workspace, training.project_id)
    model = ModelRow(
        id=str(uuid.uuid4()),
        project_id=project.id,
        training_id=training.id,
        base_model_id=training.base_model_id,
        categories=[category_to_json(category) for category in project.categories],
        counts={},
        metrics={},
        comment="",
        created=workspace.clock(),
    )
    workspace.session.add(model)
    await workspace.session.flush()
    return model


async def newest_with_files(workspace: Workspace, training_ids: Collection[str]) -> dict[str, str]:
    """The id of the newest model with files, by the id of its training."""
    query = select(ModelRow).where(
        ModelRow.training_id.in_(training_ids), ModelRow.version.is_not(None)
    )
    rows = sorted((await workspace.session.scalars(query)).all(), key=_age)
    return {row.training_id: row.id for row in rows if row.training_id}


async def zip_of(
    workspace: Workspace, project: Project, *, model_id: str, model_format: str
) -> ModelZip:
    """A model of a project in one format; raises NotFound."""
    query = (
        select(ModelRow, ModelFileRow)
        .join(ModelFileRow)
        .where(
            ModelRow.id == model_id,
            ModelRow.project_id == project.id,
            ModelFileRow.format == model_format,
        )
    )
    found = (await workspace.session.execute(query)).one_or_none()
    if found is None:
        raise NotFound(f"{project.address} has no model {model_id} in format {model_format}.")
    model, file = found
    if not await workspace.storage.exists(file.storage_key):
        raise NotFound(
            f"The {model_format} files of model {model.version} of {project.address} are lost: "
            "upload them again."
        )
    name = f"{project.organization}_{project.name}_{model.version}_{model_format}.zip"
    return ModelZip(name, file.storage_key, file.size_bytes)


async def _described(workspace: Workspace, rows: Sequence[ModelRow]) -> list[Model]:
    ids = [row.id for row in rows]
    files = select(ModelFileRow).where(ModelFileRow.model_id.in_(ids))
    formats: dict[str, list[str]] = {id_: [] for id_ in ids}
    for file in await workspace.session.scalars(files.order_by(ModelFileRow.format)):
        formats[file.model_id].append(file.format)
    trainings = select(TrainingRow.id, TrainingRow.number).where(
        TrainingRow.id.in_({row.training_id for row in rows})
    )
    numbers = dict((await workspace.session.execute(trainings)).all())
    project_ids = {row.project_id for row in rows}
    targets = await deployments.targets(workspace, project_ids)
    promoted_query = select(ProjectRow.promoted_model_id).where(ProjectRow.id.in_(project_ids))
    promoted = set(await workspace.session.scalars(promoted_query))
    return [
        Model(
            row=row,
            formats=tuple(formats[row.id]),
            training_number=numbers.get(row.training_id or ""),
            deployed=row.id in targets,
            promoted=row.id in promoted,
        )
        for row in rows
    ]


def _age(model: ModelRow) -> tuple[bool, str, tuple[int, ...]]:
    version = tuple(int(part) for part in (model.version or "0").split("."))
    return model.version is None, model.created.isoformat(), version
