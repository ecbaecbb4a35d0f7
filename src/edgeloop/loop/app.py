"""The self-hosted Learning Loop as one app, wired."""

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import FastAPI
from starlette.requests import HTTPConnection

from edgeloop import __version__
from edgeloop.errors import Unauthenticated
from edgeloop.loop import ui
from edgeloop.loop.api import accounts as account_routes
from edgeloop.loop.api import (
    annotations,
    bulk,
    conversions,
    deployments,
    failures,
    generator,
    images,
    me,
    members,
    models,
    nodes,
    novelty,
    operations,
    projects,
    queue,
    standalone,
    tokens,
    trainings,
    users,
)
from edgeloop.loop.api.context import Parts, context_of, provide
from edgeloop.loop.api.documented import DocumentedApp
from edgeloop.loop.api.draining import Door, Guarded
from edgeloop.loop.api.limits import BoundedBodies, Pace
from edgeloop.loop.api.metrics import Metrics
from edgeloop.loop.api.operations import Operations
from edgeloop.loop.api.origins import SameOrigin
from edgeloop.loop.api.tracing import Traced
from edgeloop.loop.db.session import Database
from edgeloop.loop.dispatch import Dispatcher
from edgeloop.loop.events import ConnectedNodes, FleetServer
from edgeloop.loop.folder import keep_password, own_folder, sweep
from edgeloop.loop.services import accounts, files, hearing, permanent
from edgeloop.loop.services.throttles import Rate
from edgeloop.loop.services.workspace import Caller, Workspaces
from edgeloop.loop.settings import LoopSettings
from edgeloop.loop.storage import FolderStorage
from edgeloop.protocol.routes import V1

log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


def create_app(
    settings: LoopSettings,
    *,
    clock: Callable[[], datetime] = utc_now,
    on_password: Callable[[str], None] | None = None,
) -> FastAPI:
    """The loop as an ASGI app.

    Its start-up makes the data folder, the tables and the first account; ``on_password`` is told
    the password that was made up for it, once: without it, a file in the data folder has it.
    Raises ConfigError then if it cannot write, and at once for test routes on a public address.
    """
    if settings.test_routes:
        permanent.check_address(settings.host)
    on_password = on_password or functools.partial(keep_password, settings.data_folder)
    database = Database(settings.database)
    storage = FolderStorage(settings.data_folder / "files")
    connected = ConnectedNodes()
    workspaces = Workspaces(database, storage, connected, clock)
    dispatcher = Dispatcher(workspaces)
    fleet = FleetServer(connected, workspaces, caller_of=_caller_of, on_report=dispatcher.wake)
    door = Door()
    kept = Operations(workspaces, Metrics(), door)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with own_folder(settings.data_folder):
            try:
                await asyncio.to_thread(sweep, storage, settings.data_folder)
                await database.migrate()
                await _settle(workspaces)
                await _ensure_admin(workspaces, settings, on_password)
                await _prepare_tests(workspaces, settings)
                async with _running(fleet, dispatcher, kept):
                    yield
                await hearing.write_down(workspaces)
            finally:
                workspaces.passwords.close()
                await database.close()

    app = DocumentedApp(
        title="edgeloop",
        version=__version__,
        lifespan=lifespan,
        openapi_url=f"{V1}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    uploads = Rate(per_minute=settings.device_uploads_per_minute)
    provide(app, Parts(workspaces, settings, on_training=dispatcher.wake, uploads=uploads))
    operations.provide(app, kept)
    app.state.ending = Ending(door, dispatcher)
    _add_middleware(app, settings, door, kept.metrics)
    failures.install(app)
    if settings.test_routes:
        app.include_router(generator.router)
    _add_routes(app)
    app.mount("/ws", fleet.asgi)
    ui.mount(app, workspaces, caller_of=_caller_of)
    return app


async def drain(app: FastAPI) -> None:
    """Let the app take no new requests, and wait until those in flight are answered."""
    ending: Ending = app.state.ending
    ending.door.close()
    try:
        await ending.dispatcher.stop()
        await ending.door.until_empty()
    except asyncio.CancelledError:
        log.warning("Cutting off %d requests that take too long", ending.door.inside)
        raise


@dataclass(frozen=True, slots=True)
class Ending:
    """The parts of an app that take their time to end."""

    door: Door
    dispatcher: Dispatcher


async def _caller_of(connection: HTTPConnection) -> Caller:
    """Who looks at a page: with a token that is not known (any more), nobody."""
    try:
        return (await context_of(connection)).caller
    except Unauthenticated:
        return Caller()


@contextlib.asynccontextmanager
async def _running(
    fleet: FleetServer, dispatcher: Dispatcher, kept: Operations
) -> AsyncIterator[None]:
    """Dispatch trainings and keep figures beside the block; if that fails, so does the block."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(dispatcher.run())
            group.create_task(kept.run())
            try:
                yield
            finally:
                kept.stop()
                await fleet.close()
                await dispatcher.stop()
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from failed


def _add_middleware(app: FastAPI, settings: LoopSettings, door: Door, metrics: Metrics) -> None:
    pace = Pace(settings.body_idle_s, settings.body_min_bytes_per_s, settings.body_within_s)
    app.add_middleware(BoundedBodies, pace=pace)
    app.add_middleware(SameOrigin)
    app.add_middleware(Guarded, door=door)
    app.add_middleware(Traced, metrics=metrics)  # the last one is around all others


def _add_routes(app: FastAPI) -> None:
    resources = (projects, images, trainings, models, nodes)
    people = (account_routes, me, users, members, tokens)
    own = (annotations, bulk, conversions, deployments, queue)
    fixed = (operations, *people, *own, *resources)
    app.include_router(images.files)
    app.include_router(annotations.large)
    for resource in fixed:
        app.include_router(resource.router)
    for resource in resources:  # /api/{organization}/... would swallow the fixed paths
        app.include_router(resource.clients)
    app.include_router(images.large)
    app.include_router(novelty.clients)
    app.include_router(standalone.clients)


async def _settle(workspaces: Workspaces) -> None:
    settled = await files.settle_intents(workspaces)
    if settled:
        log.info("Removed %d files of requests that an earlier run did not finish", settled)


async def _prepare_tests(workspaces: Workspaces, settings: LoopSettings) -> None:
    if settings.test_routes:
        log.warning("For tests alone: any password lets %r in", accounts.ADMIN)
        uri = f"http://{settings.host}:{settings.port}"
        await permanent.ensure_demo(workspaces, loop_uri=uri)


async def _ensure_admin(
    workspaces: Workspaces, settings: LoopSettings, on_password: Callable[[str], None]
) -> None:
    given = settings.admin_password
    made_up = await accounts.ensure_admin(workspaces, given.get_secret_value() if given else None)
    if made_up:
        on_password(made_up)
