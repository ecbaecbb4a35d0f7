"""REST of a trainer: what it is and does; and, mounted apart, controls for tests of a loop."""

import logging
import multiprocessing
from typing import Any, Protocol

from fastapi import APIRouter, FastAPI, HTTPException

from edgeloop.protocol.payloads.nodes import trainer_status_to_json
from edgeloop.types import TrainerStatus

log = logging.getLogger(__name__)


class Controls(Protocol):
    """What the routes ask of the node."""

    def status(self) -> TrainerStatus:
        """What the node reports of itself."""
        ...

    async def report(self) -> None:
        """Tell the loop now; raises LoopUnreachable."""
        ...

    def abort(self) -> None:
        """End the present training and discard it."""
        ...


def create_app(controls: Controls, *, backdoor: bool) -> FastAPI:
    """The web app of a trainer; the controls that people must not have come with ``backdoor``."""
    app = FastAPI(title="edgeloop trainer")
    app.include_router(_about(controls))
    if backdoor:
        log.warning("The backdoor controls are open: whoever reaches this port may use them.")
        app.include_router(_backdoor(controls))
    return app


def _about(controls: Controls) -> APIRouter:
    router = APIRouter()

    @router.get("/about")
    async def about() -> dict[str, Any]:
        return trainer_status_to_json(controls.status())

    return router


def _backdoor(controls: Controls) -> APIRouter:
    router = APIRouter()

    @router.post("/reset")
    async def reset() -> bool:
        controls.abort()
        return True

    @router.post("/kill_training_process")
    async def kill_training_process() -> bool:
        children = multiprocessing.active_children()
        if not children:
            raise HTTPException(409, "No training process is running.")
        for child in children:
            child.kill()
        return True

    @router.post("/force_status_update")
    async def force_status_update() -> bool:
        await controls.report()
        return True

    return router
