"""The self-hosted Learning Loop as one app, wired."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import HTTPConnection

from edgeloop import __version__, durable
from edgeloop.errors import ConfigError
from edgeloop.loop import ui
from edgeloop.loop.api import accounts as account_routes
from edgeloop.loop.api import (
    failures,
    generator,
    images,
    models,
    nodes,
    projects,
    standalone,
    trainings,
)
from edgeloop.loop.api.context import Parts, context_of, provide
from edgeloop.loop.api.documented import DocumentedApp
from edgeloop.loop.api.limits import BoundedBodies
from edgeloop.loop.db.session import Database
from edgeloop.loop.dispatch import Dispatcher
from edgeloop.loop.events import ConnectedNodes, FleetServer
from edgeloop.loop.services import accounts, files, permanent
from edgeloop.loop.services.fleet import NoFleet
from edgeloop.loop.services.workspace import Caller, Workspaces
from edgeloop.loop.settings import LoopSettings
from edgeloop.loop.storage import FolderStorage
from edgeloop.protocol.routes import V1

log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


def log_password(password: str) -> None:
    """Say the password that was made up for the first account."""
    log.warning("Made the account %r with the password %s", accounts.ADMIN, password)


def create_app(
    settings: LoopSettings,
    *,
    clock: Callable[[], datetime] = utc_now,
    on_password: Callable[[str], None] = log_password,
) -> FastAPI:
    """The loop as an ASGI app.

    Its start-up makes the data folder, the tables and the first account; ``on_password`` is told
    the password that was made up for it, once. Raises ConfigError then if it cannot write, and at
    once for test routes on a public address.
    """
    if settings.test_routes:
        permanent.check_address(settings.host)
    database = Database(settings.database)
    storage = FolderStorage(settings.data_folder / "files")
    connected = ConnectedNodes()
    workspaces = Workspaces(database, storage, connected, clock)
    dispatcher = Dispatcher(workspaces)
    fleet = FleetServer(connected, workspaces, caller_of=_caller_of, on_report=dispatcher.wake)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with _own_folder(settings.data_folder):
            try:
                await asyncio.to_thread(_sweep, storage, settings.data_folder)
                await database.migrate()
                await _settle(workspaces)
                await _ensure_admin(workspaces, settings, on_password)
                await _prepare_tests(workspaces, settings)
                async with _running(fleet, dispatcher):
                    yield
            finally:
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
    provide(app, Parts(workspaces, settings, on_training=dispatcher.wake))
    app.add_middleware(BoundedBodies)
    failures.install(app)
    if settings.test_routes:
        app.include_router(generator.router)
    _add_routes(app)
    app.mount("/ws", fleet.asgi)
    ui.mount(app, workspaces, caller_of=_caller_of)
    return app


async def _caller_of(connection: HTTPConnection) -> Caller:
    return (await context_of(connection)).caller


@contextlib.asynccontextmanager
async def _running(fleet: FleetServer, dispatcher: Dispatcher) -> AsyncIterator[None]:
    """Dispatch trainings beside the block; if that fails, so does the block."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(dispatcher.run())
            try:
                yield
            finally:
                await fleet.close()
                await dispatcher.stop()
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from failed


async def reset_password(settings: LoopSettings, username: str) -> str:
    """Give an account of the loop with these settings a new password, and return it.

    Raises NotFound where there is no such account, ConfigError where there is no loop.
    """
    if settings.database_url is None and not (settings.data_folder / "loop.sqlite").is_file():
        message = f"{settings.data_folder} is no loop's data folder: name it by --data-folder."
        raise ConfigError(message)
    database = Database(settings.database)
    storage = FolderStorage(settings.data_folder / "files")
    try:
        await database.migrate()
        workspaces = Workspaces(database, storage, NoFleet(), utc_now)
        return await accounts.reset_password(workspaces, username)
    finally:
        await database.close()


def _add_routes(app: FastAPI) -> None:
    resources = (projects, images, trainings, models, nodes)
    for router in (account_routes.router, *(resource.router for resource in resources)):
        app.include_router(router)
    for resource in resources:  # /api/{organization}/... would swallow the fixed paths
        app.include_router(resource.clients)
    app.include_router(standalone.clients)


@contextlib.contextmanager
def _own_folder(folder: Path) -> Iterator[None]:
    """Make the data folder and keep other loops out of it; they would sweep each other's drafts."""
    with contextlib.ExitStack() as stack, _told(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        stack.enter_context(durable.alone_in(folder))
        keep = stack.pop_all()
    with keep:
        yield


def _sweep(storage: FolderStorage, folder: Path) -> None:
    with _told(folder):
        swept = storage.prepare()
    if swept:
        log.info("Removed %d unfinished files of an earlier run", swept)


async def _settle(workspaces: Workspaces) -> None:
    settled = await files.settle_intents(workspaces)
    if settled:
        log.info("Removed %d files of requests that an earlier run did not finish", settled)


@contextlib.contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except BlockingIOError as error:
        message = f"Another loop works in {folder}: end it, or choose another --data-folder."
        raise ConfigError(message) from error
    except OSError as error:
        message = (
            f"The loop cannot write to its data folder {folder} ({error.strerror}): "
            "choose another one with --data-folder."
        )
        raise ConfigError(message) from error


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
