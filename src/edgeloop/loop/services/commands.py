"""What people ask of nodes that are connected."""

from dataclasses import dataclass

from edgeloop.errors import Unprocessable
from edgeloop.loop.services import images, nodes, projects
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.workspace import Caller, Workspace, Workspaces
from edgeloop.protocol import events
from edgeloop.protocol.payloads.inputs import user_input_to_json
from edgeloop.types import UserEvent, UserInput


@dataclass(frozen=True, slots=True)
class Gesture:
    """An event of mouse or keyboard on an image, with the category that is being annotated.

    ``frontend_id`` names the page on which the person works; ``x`` and ``y`` are pixels.
    """

    frontend_id: str
    image_id: str
    category_id: str
    event: UserEvent
    x: int
    y: int
    key_up: str | None = None
    key_down: str | None = None
    epsilon: float | None = None
    is_shift_pressed: bool | None = None


async def restart(workspaces: Workspaces, caller: Caller, *, node_id: str) -> None:
    """Let a node end, so that its supervisor starts it afresh; raises NotFound, Forbidden."""
    async with workspaces.read(caller) as workspace:
        await nodes.known(workspace, node_id, right=Right.COMMAND_NODES)
    await workspaces.fleet.send(node_id, events.RESTART)


async def gesture(workspaces: Workspaces, caller: Caller, *, node_id: str, made: Gesture) -> str:
    """Pass what a person did on to an annotator; returns the SVG that it answers with.

    A polygon that comes of it is sent by the annotator itself before it answers. Raises NotFound,
    Unprocessable for a category of another project, and what ``Fleet.send`` says.
    """
    async with workspaces.read(caller) as workspace:
        await nodes.known(workspace, node_id, right=Right.ANNOTATE)
        given = await _user_input(workspace, made)
    answer = await workspaces.fleet.send(
        node_id, events.HANDLE_USER_INPUT, user_input_to_json(given)
    )
    return answer if isinstance(answer, str) else ""


async def leave(workspaces: Workspaces, caller: Caller, *, node_id: str, frontend_id: str) -> None:
    """Tell an annotator that a page was closed; raises what ``Fleet.send`` says."""
    async with workspaces.read(caller) as workspace:
        await nodes.known(workspace, node_id, right=Right.ANNOTATE)
    await workspaces.fleet.send(node_id, events.USER_LOGOUT, frontend_id)


async def _user_input(workspace: Workspace, made: Gesture) -> UserInput:
    image = await images.by_id(workspace, made.image_id)
    project = await projects.by_id(workspace, image.project_id, right=Right.ANNOTATE)
    category = next((c for c in project.categories if c.id == made.category_id), None)
    if category is None:
        raise Unprocessable(f"{project.address} has no category {made.category_id}.")
    return UserInput(
        frontend_id=made.frontend_id,
        organization=project.organization,
        project=project.name,
        image_id=made.image_id,
        category=category,
        event=made.event,
        x=made.x,
        y=made.y,
        key_up=made.key_up,
        key_down=made.key_down,
        epsilon=made.epsilon,
        is_shift_pressed=made.is_shift_pressed,
    )
