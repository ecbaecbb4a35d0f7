"""Runs a web app and background tasks in one TaskGroup, until a signal or a failure."""

import asyncio
import contextlib
import errno
import gc
import logging
import multiprocessing
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from edgeloop.errors import ConfigError
from edgeloop.heads import Bounds, bounded, bounds_here
from edgeloop.logs import ReadableLines

log = logging.getLogger(__name__)

Task = Callable[[], Awaitable[None]]
GRACE_S = 10
KEEP_IDLE_S = 65
"""Clients that ask every 5 s keep their connection that long, too: they shall be first to close."""
MAX_WAITING = 2048
"""Connections that the system keeps until they are accepted."""
ACCEPTED_AT_ONCE = 8
"""asyncio accepts that many before any of them can be refused: each takes an open file."""
AFTER_DRAIN_S = 1
"""For what is left then: long polls, and requests that take too long."""


@dataclass(frozen=True, slots=True)
class Drain:
    """How an app is brought to its end: ``wait`` until all is done, but no longer than that."""

    wait: Task
    within_s: float


async def serve(  # noqa: PLR0913 - all that a server is told
    app: FastAPI,
    *,
    host: str,
    port: int,
    tasks: Sequence[Task] = (),
    on_started: Callable[[int], None] | None = None,
    drain: Drain | None = None,
    bounds: Bounds | None = None,
) -> None:
    """Serve ``app`` and run ``tasks`` until SIGINT or SIGTERM, or until one of the tasks ends.

    ``on_started`` is told the port (a free one where ``port`` is 0). A task that ends well ends
    all; what a task or the app's start-up raises is raised here. After the first signal the app
    is served until ``drain`` is done; the second signal ends it at once. Who only connects is kept
    within ``bounds``: by default those of ``bounds_here``. Raises ConfigError where the port is
    taken.
    """
    listener = _listen(host, port)
    bounds = bounds or bounds_here()
    server = _Server(app, bounds, on_ready=lambda: _tell(on_started, listener))
    asked = asyncio.Event()

    async def end_when_asked() -> None:
        await asked.wait()
        if drain is not None:
            await _until_drained(drain)
            server.config.timeout_graceful_shutdown = AFTER_DRAIN_S

    try:
        async with app.router.lifespan_context(app):
            with _stop_on_signals(server, asked):
                await _run_together(server, listener, [*tasks, end_when_asked])
    except BaseExceptionGroup as group:
        raise _first_cause(group) from group
    finally:
        listener.close()


def run(  # noqa: PLR0913 - as for serve
    app: FastAPI,
    *,
    host: str,
    port: int,
    tasks: Sequence[Task] = (),
    on_started: Callable[[int], None] | None = None,
    drain: Drain | None = None,
) -> None:
    """``serve`` in an event loop of its own."""
    asyncio.run(
        serve(
            app,
            host=host,
            port=port,
            tasks=tasks,
            on_started=on_started,
            drain=drain,
        )
    )


def spare_start_from_collection() -> None:
    """Let the garbage collector pass over all that there is: a program that has just started.

    Each of its full collections would hold up whoever asks, by 0.15 s in the loop.
    """
    gc.collect()
    gc.freeze()


def refuse_unguarded_start() -> None:
    """Raise ConfigError where the program is only being imported, by a process that it spawned."""
    # While it imports the program, a spawned process bears its own name but no parent yet.
    is_main = multiprocessing.current_process().name == "MainProcess"
    if not is_main and multiprocessing.parent_process() is None:
        raise ConfigError(
            "The node would start again in a process that it spawned: put the line with run() "
            "below `if __name__ == '__main__':`."
        )


def show_log() -> None:
    """Show edgeloop's log on stderr where the program (a user's script) has set up none."""
    ours = logging.getLogger("edgeloop")
    if logging.getLogger().handlers or ours.handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(ReadableLines("%(asctime)s %(levelname)s %(message)s"))
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)


class _Server(uvicorn.Server):
    def __init__(self, app: FastAPI, bounds: Bounds, *, on_ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=GRACE_S,
                timeout_keep_alive=KEEP_IDLE_S,
                http=bounded(bounds),
                backlog=ACCEPTED_AT_ONCE,
                ws="websockets-sansio",
            )
        )
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        for listening in sockets or ():
            listening.listen(MAX_WAITING)
        self._on_ready()

    def hang_up(self) -> None:
        """Close what a cancelled ``serve`` left open: it would take the next server's calls."""
        for listening in getattr(self, "servers", []):
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are ours: see _stop_on_signals


async def _run_together(server: _Server, listener: socket.socket, tasks: Sequence[Task]) -> None:
    async def until_done(task: Task) -> None:
        await task()
        server.should_exit = True

    async with asyncio.TaskGroup() as group:
        background = [group.create_task(until_done(task)) for task in tasks]
        try:
            await server.serve(sockets=[listener])
        except asyncio.CancelledError:
            server.hang_up()
            raise
        for job in background:
            job.cancel()


async def _until_drained(drain: Drain) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(drain.within_s):
            await drain.wait()


@contextlib.contextmanager
def _stop_on_signals(server: _Server, asked: asyncio.Event) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if asked.is_set():  # the second signal does not wait
            server.force_exit = server.should_exit = True
        asked.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # By its number asyncio sees that it is TCP, and lets no answer wait for acknowledgements.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise ConfigError(
            f"{host!r} is no address to listen on ({error}): check --host (of a node: NODE_HOST)."
        ) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(MAX_WAITING)
    except OSError as error:
        listener.close()
        raise ConfigError(_why_no_port(host, port, error)) from error
    return listener


def _why_no_port(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} is taken by another program: end it, or choose another with --port "
            "(of a node: NODE_PORT)."
        )
    return (
        f"Cannot listen on {host}:{port} ({error.strerror}): check --host and --port "
        "(of a node: NODE_HOST and NODE_PORT)."
    )


def _tell(on_started: Callable[[int], None] | None, listener: socket.socket) -> None:
    address, port = listener.getsockname()[:2]
    log.info("Listening at http://%s:%d", f"[{address}]" if ":" in address else address, port)
    if on_started:
        on_started(port)


def _first_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first_cause(first) if isinstance(first, BaseExceptionGroup) else first
