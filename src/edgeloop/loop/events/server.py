"""The Socket.IO server: who may connect, whose turn it is, and the acknowledgements."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import socketio
from socketio.exceptions import ConnectionRefusedError as Refusal
from starlette.requests import HTTPConnection

from edgeloop.errors import EdgeloopError, Unauthenticated
from edgeloop.loop.events.connected import ConnectedNodes
from edgeloop.loop.events.reports import Reports, Speaker
from edgeloop.loop.services import projects
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.workspace import Caller, Workspaces
from edgeloop.protocol import routes
from edgeloop.protocol.payloads.nodes import acknowledgement

log = logging.getLogger(__name__)

DETECTOR = "detector"
LOOK_AFTER = timedelta(minutes=1)
"""A session may end, or lose its rights, while its socket is open."""

CallerOf = Callable[[HTTPConnection], Awaitable[Caller]]


@dataclass(frozen=True, slots=True)
class _Line:
    """An open socket; reports of a node count in the order in which they came.

    ``seen``: when it was last looked at who speaks.
    """

    connection: HTTPConnection
    speaker: Speaker
    seen: datetime
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class FleetServer:
    """Answers what nodes say over their sockets; ``asgi`` is to be mounted at ``/ws``."""

    def __init__(
        self,
        nodes: ConnectedNodes,
        workspaces: Workspaces,
        *,
        caller_of: CallerOf,
        on_report: Callable[[], None],
    ) -> None:
        self._nodes = nodes
        self._workspaces = workspaces
        self._caller_of = caller_of
        self._lines: dict[str, _Line] = {}
        self._at_work = 0
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self._reports = Reports(workspaces, on_report=on_report).by_event
        nodes.on_look_again(self._look_again)
        nodes.server.on("connect", self._connect)
        nodes.server.on("disconnect", self._disconnect)
        nodes.server.on("*", self._answer)
        self.asgi = socketio.ASGIApp(nodes.server, socketio_path=routes.SOCKET)

    async def close(self) -> None:
        """Send nothing any more, and finish what nodes have said so far."""
        await self._nodes.close()
        await self._at_rest.wait()

    async def _connect(self, socket: str, environ: dict[str, Any], _auth: Any = None) -> None:
        connection = HTTPConnection(environ["asgi.scope"])
        try:
            with self._working():
                speaker = await self._admitted(socket, connection)
        except EdgeloopError as error:
            raise Refusal(str(error)) from error
        self._lines[socket] = _Line(connection, speaker, self._workspaces.clock())
        self._nodes.admit(socket, speaker.caller)

    async def _look_again(self) -> None:
        for socket in list(self._lines):
            await self._look_at(socket)

    async def _look_at(self, socket: str) -> _Line | None:
        """The line with its speaker as of now; None where it would not be let in any more."""
        line = self._lines.get(socket)
        if line is None:
            return None
        try:
            speaker = await self._admitted(socket, line.connection)
        except EdgeloopError as error:
            log.info("Disconnected a node: %s", error)
            self._lines.pop(socket, None)
            await self._nodes.server.disconnect(socket)
            return None
        line = replace(line, speaker=speaker, seen=self._workspaces.clock())
        if socket in self._lines:
            self._lines[socket] = line
            self._nodes.admit(socket, speaker.caller)
        return line

    async def _admitted(self, socket: str, connection: HTTPConnection) -> Speaker:
        kind = connection.headers.get("nodetype", "")
        speaker = Speaker(
            caller=await self._caller_of(connection),
            organization=connection.headers.get("organization", ""),
            project=connection.headers.get("project", ""),
            bind=lambda node_id: self._bind(node_id, socket),
        )
        if not speaker.caller.is_device:
            return speaker
        if kind != DETECTOR:
            log.info("Refused the socket of a %s without a session", kind or "node")
            raise Unauthenticated("Log in with a username and its password, then connect again.")
        await self._check_detector(speaker)
        return speaker

    async def _check_detector(self, speaker: Speaker) -> None:
        """Without an account it may come in where it may report, which its headers say."""
        if not speaker.project:
            if speaker.caller.is_local:
                return
            raise Unauthenticated(
                "A detector that does not log in must name its project: set LOOP_ORGANIZATION "
                "and LOOP_PROJECT."
            )
        async with self._workspaces.read(speaker.caller) as workspace:
            await projects.by_names(
                workspace, speaker.organization, name=speaker.project, right=Right.REPORT_DETECTOR
            )

    def _bind(self, node_id: str, socket: str) -> None:
        if socket in self._lines:
            self._nodes.bind(node_id, socket)

    async def _disconnect(self, socket: str, _reason: Any = None) -> None:
        self._nodes.drop(socket)
        self._lines.pop(socket, None)

    async def _answer(self, event: str, socket: str, *arguments: Any) -> dict[str, Any] | None:
        report, line = self._reports.get(event), self._lines.get(socket)
        if report is None or line is None:
            return None
        try:
            async with line.turn:
                with self._working():
                    if self._workspaces.clock() - line.seen >= LOOK_AFTER:
                        line = await self._look_at(socket)
                    if line is None:
                        return None
                    payload = await report(line.speaker, *arguments)
        except EdgeloopError as error:
            log.info("Refused %s: %s", event, error)
            return acknowledgement(success=False, error=str(error))
        except Exception:
            log.exception("%s met a bug", event)
            return acknowledgement(success=False, error="internal error: see the loop's log.")
        return acknowledgement(payload=payload)

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        self._at_work += 1
        self._at_rest.clear()
        try:
            yield
        finally:
            self._at_work -= 1
            if not self._at_work:
                self._at_rest.set()
