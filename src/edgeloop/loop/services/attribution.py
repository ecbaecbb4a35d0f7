"""Which model a trainer speaks of that names none: the one that its training has just made."""

from sqlalchemy import select

from edgeloop.loop.db.tables import ModelRow, TrainingRow
from edgeloop.loop.services import models
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.trainings import TrainingState
from edgeloop.loop.services.workspace import Workspace
from edgeloop.types import TrainerState

_DETECTING = (TrainerState.DETECTING, TrainerState.DETECTED, TrainerState.DETECTION_UPLOADING)


async def version_at_work(workspace: Workspace, project: Project) -> str:
    """The version of the model that a trainer of the project lets detect now.

    Empty where none does, or several: then nobody knows whose report it is.
    """
    query = select(TrainingRow.id).where(
        TrainingRow.project_id == project.id,
        TrainingRow.state == TrainingState.RUNNING,
        TrainingRow.trainer_state.in_(_DETECTING),
    )
    found = await models.newest_with_files(
        workspace, (await workspace.session.scalars(query)).all()
    )
    if len(found) != 1:
        return ""
    model = await workspace.session.get_one(ModelRow, *found.values())
    return model.version or ""
