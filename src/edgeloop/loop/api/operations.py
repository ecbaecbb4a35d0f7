"""What probes and operators ask of the loop: is it alive, can it work, how much does it do."""

import asyncio
import contextlib
from collections.abc import Mapping

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from edgeloop.loop.api.context import Asking
from edgeloop.loop.api.draining import Door
from edgeloop.loop.api.metrics import CONTENT_TYPE, Metrics
from edgeloop.loop.api.published import (
    ANYBODY,
    HealthRecord,
    NotReadyRecord,
    ReadyRecord,
    told,
)
from edgeloop.loop.services import operations
from edgeloop.loop.services.stocktaking import Stocktaker
from edgeloop.loop.services.workspace import Workspaces

router = APIRouter()

LAG_EVERY_S = 0.5
READY_FOR_S = 1.0
"""How long an answer to whether the loop is ready is repeated: anybody may ask, at any rate."""
STOPPING = "The loop is ending: ask the next one."


class Operations:
    """Keeps the loop's figures, and knows whether it can work."""

    def __init__(self, workspaces: Workspaces, metrics: Metrics, door: Door) -> None:
        self.metrics = metrics
        self._door = door
        self._workspaces = workspaces
        self._stocktaker = Stocktaker(workspaces, metrics.set_stock)
        self._stopped = asyncio.Event()
        self._turn = asyncio.Lock()
        self._checks: Mapping[str, str] = {}
        self._checked_at = -READY_FOR_S

    async def run(self) -> None:
        """Watch the event loop, and count what is asked for, until stopped."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stocktaker.run())
            group.create_task(self._watch_lag())

    def stop(self) -> None:
        """End ``run`` soon."""
        self._stocktaker.stop()
        self._stopped.set()

    async def readiness(self) -> Mapping[str, str]:
        """What the loop needs for its work, by name: ``ok``, or what is wrong with it."""
        async with self._turn:
            now = asyncio.get_running_loop().time()
            if now - self._checked_at >= READY_FOR_S:
                self._checks = await operations.readiness(self._workspaces)
                self._checked_at = now
        return {**self._checks, "end": STOPPING} if self._door.is_closed else self._checks

    async def exposition(self) -> bytes:
        """All figures in Prometheus' text format; those of the stock may be some minutes old."""
        await self._stocktaker.ask()
        self.metrics.set_activity(await operations.activity(self._workspaces))
        return await asyncio.to_thread(self.metrics.exposition)

    async def _watch_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopped.is_set():
            due = loop.time() + LAG_EVERY_S
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), LAG_EVERY_S)
                return
            self.metrics.lag(max(0.0, loop.time() - due))


def provide(app: FastAPI, kept: Operations) -> None:
    """Let the routes of ``app`` answer with what is kept here."""
    app.state.operations = kept


@router.head("/health", include_in_schema=False)
@router.get("/health", **told(HealthRecord, login="none"))
async def health() -> dict[str, str]:
    """The loop is alive. Anybody may ask."""
    return {"status": operations.OK}


@router.head("/ready", include_in_schema=False)
@router.get(
    "/ready",
    responses={
        200: {"model": ReadyRecord},
        503: {"model": NotReadyRecord, "description": "It cannot work now: ``checks`` say why."},
    },
    openapi_extra=ANYBODY,
)
async def ready(request: Request) -> Response:
    """The loop can work: it can write its database, at its newest version, and its files."""
    kept: Operations = request.app.state.operations
    checks = await kept.readiness()
    faults = [f"{name}: {found}" for name, found in checks.items() if found != operations.OK]
    if not faults:
        return JSONResponse({"status": "ready", "checks": dict(checks)})
    body = {"detail": " ".join(faults), "code": "not_ready", "checks": dict(checks)}
    return JSONResponse(body, status_code=503)


@router.get("/metrics", response_class=Response, responses={200: {"content": {CONTENT_TYPE: {}}}})
async def metrics(asking: Asking, request: Request) -> Response:
    """Figures for Prometheus, for programs of the loop's own host and for admins."""
    operations.check_observer(asking.caller)
    kept: Operations = request.app.state.operations
    return Response(await kept.exposition(), media_type=CONTENT_TYPE)
