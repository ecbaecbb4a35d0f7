"""The project ``zauberzeug/demo``, which the test suites of published clients count on."""

import ipaddress

from edgeloop.errors import ConfigError, NotFound
from edgeloop.loop.db.tables import ModelRow
from edgeloop.loop.services import deployments, generator, projects, publishing, removal
from edgeloop.loop.services.generator import Plan
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.trainings import numbered
from edgeloop.loop.services.workspace import Workspace, Workspaces
from edgeloop.protocol.payloads.categories import category_to_json

ORGANIZATION, NAME = "zauberzeug", "demo"
MODEL_IDS = tuple(f"00000000-0000-0000-0000-0000000000{number}" for number in (10, 11, 12))
"""Of the models 1.0, 1.1 and 1.2; 1.1 is deployed."""
_PLAN = Plan(
    ORGANIZATION,
    NAME,
    images={"inbox": 1, "annotate": 1, "review": 1, "complete": 4},
    categories={"box": 2, "point": 2, "segmentation": 2, "classification": 2},
)


def check_address(host: str) -> None:
    """Raises ConfigError where a loop that lets admin in with any password could be reached."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        address = ipaddress.IPv4Address(0)
    if address.is_unspecified or not address.is_private:
        raise ConfigError(
            f"With --test-routes any password lets admin in, so not on {host}: set --host to "
            "127.0.0.1 or to another private address, or leave --test-routes out."
        )


async def ensure_demo(workspaces: Workspaces, *, loop_uri: str) -> None:
    """Make the project unless it is there as a whole."""
    async with workspaces.read() as workspace:
        found = await projects.find(workspace, organization=ORGANIZATION, name=NAME)
        caller = workspace.caller
        if found and await _is_whole(workspace, found[0]):
            return
    if found:
        await removal.delete_project(workspaces, caller, ORGANIZATION, name=NAME)
    project = await generator.generate(workspaces, caller, _PLAN, loop_uri=loop_uri)
    async with workspaces.write() as workspace:
        number = await generator.finished_training(workspace, project)
        training = await numbered(workspace, project.id, number)
        for model_id in MODEL_IDS:
            workspace.session.add(_model(workspace, project, model_id, training_id=training.id))
    for model_id in MODEL_IDS:
        upload = generator.mocked_model(loop_uri)
        await publishing.publish(
            workspaces, caller, project=project, model_id=model_id, upload=upload
        )
    async with workspaces.write() as workspace:  # last: by the target it is seen to be whole
        await deployments.deploy(workspace, project, model_id=MODEL_IDS[1])


async def _is_whole(workspace: Workspace, project: Project) -> bool:
    try:
        await deployments.target(workspace, project)
    except NotFound:
        return False
    return True


def _model(workspace: Workspace, project: Project, model_id: str, *, training_id: str) -> ModelRow:
    return ModelRow(
        id=model_id,
        project_id=project.id,
        training_id=training_id,
        categories=[category_to_json(category) for category in project.categories],
        counts={},
        metrics={},
        comment="",
        created=workspace.clock(),
    )
