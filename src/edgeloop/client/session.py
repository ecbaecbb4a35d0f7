"""LoopSession: a live connection of a node to its loop; commands come in, reports go out."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import socketio

from edgeloop.client.http import AsyncLoopClient
from edgeloop.client.retry import REFUSED_LOGIN_PAUSE_S, Backoff
from edgeloop.client.settings import ClientSettings
from edgeloop.errors import (
    EdgeloopError,
    LoopRejected,
    LoopUnreachable,
    NotFound,
    Unauthenticated,
)
from edgeloop.protocol import routes
from edgeloop.protocol.payloads.nodes import AcknowledgementPayload

log = logging.getLogger(__name__)

_CONNECT_TIMEOUT_S = 10.0
_REQUEST_TIMEOUT_S = 20.0
_GOODBYE_S = 3.0
_BROKEN = (
    socketio.exceptions.SocketIOError,
    aiohttp.ClientError,
    OSError,  # a TimeoutError is one, too
    ValueError,
)


@dataclass(frozen=True, slots=True, eq=False)
class Command:
    """What the loop asks of this node; it waits for ``answer``."""

    name: str
    arguments: tuple[Any, ...]
    _answered: asyncio.Future[Mapping[str, Any]]

    async def answer(self, acknowledgement: Mapping[str, Any]) -> None:
        """Answer the loop; it is no error if it is gone by now."""
        if not self._answered.done():
            self._answered.set_result(acknowledgement)

    @property
    def expired(self) -> bool:
        """Whether the loop no longer waits for an answer."""
        return self._answered.cancelled()


class LoopSession:
    """Keeps a Socket.IO connection to the loop, with a new login each time it is built up.

    ``run`` keeps it up until it is cancelled; ``connected`` is set while it stands.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        node_type: str = "trainer",
        backoff: Backoff | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.connected = asyncio.Event()
        self._settings = settings
        self._node_type = node_type
        self._backoff = backoff or Backoff(first_s=1.0, max_s=30.0)
        self._sleep = sleep
        self._has_logged_in = False
        self._socket: socketio.AsyncClient | None = None
        self._dropped = asyncio.Event()
        self._commands: asyncio.Queue[Command] = asyncio.Queue()
        self._calls: set[asyncio.Future[tuple[Any, ...]]] = set()
        self._unanswered: set[asyncio.Future[Mapping[str, Any]]] = set()

    async def run(self) -> None:
        """Connect, and connect again whenever the connection is lost, until cancelled.

        Raises Unauthenticated where the first login is refused; a later one is tried again after
        five minutes, for the loop locks out who fails often.
        """
        while True:
            try:
                await self._stay_connected()
                log.warning("The connection to %s is lost.", self._settings.base_url)
            except Unauthenticated as error:
                if not self._has_logged_in:
                    raise
                log.warning("%s The next login is tried in 5 minutes.", error)
                await self._sleep(REFUSED_LOGIN_PAUSE_S)
                continue
            except EdgeloopError as error:
                log.warning("No connection to the loop: %s", error)
            await self._sleep(self._backoff.next_s())

    async def commands(self) -> AsyncIterator[Command]:
        """What the loop asks, in order; those it gave up on meanwhile are left out."""
        while True:
            command = await self._commands.get()
            if not command.expired:
                yield command

    async def call(
        self, event: str, *arguments: Any, timeout_s: float = 30.0
    ) -> AcknowledgementPayload:
        """Send an event and return what the loop says to it.

        Raises LoopUnreachable without an answer in time or without a connection, NotFound where
        the loop does not know the event, LoopRejected where the answer is no acknowledgement.
        """
        answer: asyncio.Future[tuple[Any, ...]] = asyncio.get_running_loop().create_future()
        self._calls.add(answer)
        try:
            async with asyncio.timeout(timeout_s):
                await self._emit(event, arguments, answer)
                return _read_acknowledgement(event, await answer)
        except TimeoutError as error:
            raise LoopUnreachable(f"The loop did not answer {event} in {timeout_s} s.") from error
        finally:
            self._calls.discard(answer)

    def reconnect(self) -> None:
        """Give up the present connection and build up a new one; one that is on its way stays."""
        if self._socket is not None:
            self._dropped.set()

    async def _stay_connected(self) -> None:
        async with AsyncLoopClient(self._settings) as client:
            await client.log_in()
            self._has_logged_in = True
            login = client.login_headers
        async with _connections(self._settings, self._headers(login)) as http:
            socket = socketio.AsyncClient(
                reconnection=False,
                handle_sigint=False,
                http_session=http,
                request_timeout=_REQUEST_TIMEOUT_S,
            )
            socket.on("*", self._on_command)
            socket.on("disconnect", self._on_disconnect)
            self._dropped.clear()
            try:
                await self._connect(socket)
                await self._dropped.wait()
            finally:
                await self._disconnect(socket)

    async def _connect(self, socket: socketio.AsyncClient) -> None:
        try:
            await socket.connect(
                self._settings.base_url,
                transports=["polling", "websocket"],
                socketio_path=routes.SOCKET.strip("/"),
                wait_timeout=_CONNECT_TIMEOUT_S,
            )
        except _BROKEN as error:
            where = f"{self._settings.base_url}{routes.SOCKET}"
            advice = (
                ""
                if self._settings.is_known
                else " Set LOOP_TOKEN, or LOOP_USERNAME and LOOP_PASSWORD."
            )
            message = f"{where} does not accept this {self._node_type} ({error}).{advice}"
            raise LoopUnreachable(message) from error
        _go_on_unless_cancelled()
        self._socket = socket
        self._backoff.reset()
        self.connected.set()
        log.info("Connected to %s.", self._settings.base_url)

    async def _disconnect(self, socket: socketio.AsyncClient) -> None:
        self._socket = None
        self.connected.clear()
        for call in self._calls:
            if not call.done():
                call.set_exception(LoopUnreachable("The connection to the loop was lost."))
        for command in self._unanswered:
            command.cancel()
        # A connection that was cut off half-way has no task yet that could be waited for.
        with contextlib.suppress(*_BROKEN, TypeError):
            async with asyncio.timeout(_GOODBYE_S):
                await socket.disconnect()

    async def _emit(
        self, event: str, arguments: tuple[Any, ...], answer: asyncio.Future[tuple[Any, ...]]
    ) -> None:
        def resolve(*values: Any) -> None:
            if not answer.done():
                answer.set_result(values)

        if self._socket is None:
            raise LoopUnreachable(f"No connection to {self._settings.base_url} at the moment.")
        try:
            await self._socket.emit(event, arguments, callback=resolve)
        except _BROKEN as error:
            raise LoopUnreachable(f"The connection broke while {event} was sent.") from error

    async def _on_command(self, name: str, *arguments: Any) -> Mapping[str, Any]:
        answered: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._unanswered.add(answered)
        self._commands.put_nowait(Command(name, arguments, answered))
        try:
            return await answered
        finally:
            self._unanswered.discard(answered)

    async def _on_disconnect(self, reason: Any = None) -> None:
        log.debug("Socket closed: %s", reason)
        self._dropped.set()

    def _headers(self, login: Mapping[str, str]) -> dict[str, str]:
        return {
            "organization": self._settings.organization,
            "project": self._settings.project,
            "nodeType": self._node_type,
            **login,
        }


@contextlib.asynccontextmanager
async def _connections(
    settings: ClientSettings, headers: dict[str, str]
) -> AsyncIterator[aiohttp.ClientSession]:
    verify: ssl.SSLContext | bool = True
    if settings.ssl_cert_path:
        verify = ssl.create_default_context(cafile=str(settings.ssl_cert_path))
    async with aiohttp.ClientSession(
        headers=headers,
        cookie_jar=aiohttp.DummyCookieJar(),
        connector=aiohttp.TCPConnector(ssl=verify),
    ) as session:
        yield session


def _go_on_unless_cancelled() -> None:
    # The library waits with asyncio.wait_for, which in Python 3.11 loses a cancellation that comes
    # in the moment of success: https://github.com/python/cpython/issues/86296
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _read_acknowledgement(event: str, values: tuple[Any, ...]) -> AcknowledgementPayload:
    if not values or values[0] is None:
        raise NotFound(f"The loop does not know the event {event}.")
    if not isinstance(values[0], dict):
        raise LoopRejected(f"The loop's answer to {event} is no acknowledgement: {values[0]!r}")
    return AcknowledgementPayload.read(values[0])
