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

    A running training has files only at its end, so its trainer detects or is about to. Empty where
    no training has any, or several: then nobody knows whose report it is.
    """
    query = select(TrainingRow.id, TrainingRow.trainer_state).where(
        TrainingRow.project_id == project.id, TrainingRow.state == TrainingState.RUNNING
    )
    states = dict((await workspace.session.execute(query)).all())
    found = await models.newest_with_files(workspace, list(states))
    if len(found) > 1:  # reports are seconds old: they only help to choose
        found = {id_: model for id_, model in found.items() if states[id_] in _DETECTING}
    if len(found) != 1:
        return ""
    model = await workspace.session.get_one(ModelRow, *found.values())
    return model.version or ""
