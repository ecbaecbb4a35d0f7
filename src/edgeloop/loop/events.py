"""Socket.IO: what nodes report comes in, commands go out."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import socketio
from socketio.exceptions import ConnectionRefusedError as Refusal
from starlette.requests import HTTPConnection

from edgeloop.errors import (
    Conflict,
    EdgeloopError,
    Forbidden,
    InputError,
    NotFound,
    Overloaded,
    Unprocessable,
)
from edgeloop.loop.services import progress
from edgeloop.loop.services.workspace import Caller, Workspaces
from edgeloop.protocol import events, routes
from edgeloop.protocol.payloads.nodes import (
    AcknowledgementPayload,
    TrainerStatusPayload,
    acknowledgement,
)
from edgeloop.protocol.payloads.trainings import EpochReportPayload, TrainingProgressPayload

log = logging.getLogger(__name__)

ANSWER_WITHIN_S = 15.0
REFUSED = "refused"
DETECTOR = "detector"

CallerOf = Callable[[HTTPConnection], Awaitable[Caller]]
Handler = Callable[..., Awaitable[Any]]


class ConnectedNodes:
    """The sockets of nodes: a node's is the one that sent its latest report."""

    def __init__(self, *, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        self.server = socketio.AsyncServer(async_mode="asgi")
        self._answer_within_s = answer_within_s
        self._sockets: dict[str, str] = {}
        self._awaited: dict[asyncio.Future[Any], str] = {}
        self._is_closed = False

    def is_connected(self, node_id: str) -> bool:
        """Whether the node has a live connection."""
        return node_id in self._sockets

    async def send(self, node_id: str, command: str, *arguments: Any) -> Any:
        """Send a command to one socket of a node; returns the payload of its answer.

        Raises what ``Fleet.send`` says. A restart is never answered.
        """
        socket = self._sockets.get(node_id)
        if socket is None:
            raise NotFound(f"The node {node_id} is not connected.")
        if command == events.RESTART:
            await self.server.emit(command, arguments, to=socket)
            return None
        return _payload_of(await self._ask(socket, command, arguments), node_id, command)

    async def close(self) -> None:
        """Wait for no more answers, and end the tasks of the server; may be called twice."""
        for socket in {*self._awaited.values(), *self._sockets.values()}:
            self.drop(socket)
        if not self._is_closed:
            self._is_closed = True
            await self.server.shutdown()

    def bind(self, node_id: str, socket: str) -> None:
        """From now on the node is reached by this socket."""
        self._sockets[node_id] = socket

    def drop(self, socket: str) -> None:
        """The socket is gone, and with it the answers that it owes."""
        self._sockets = {node: sid for node, sid in self._sockets.items() if sid != socket}
        for answer, owing in self._awaited.items():
            if owing == socket and not answer.done():
                answer.set_exception(Overloaded("The connection is lost: wait and repeat."))

    async def _ask(self, socket: str, command: str, arguments: tuple[Any, ...]) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def answered(*values: Any) -> None:
            if not answer.done():
                answer.set_result(values[0] if values else None)

        self._awaited[answer] = socket
        try:
            await self.server.emit(command, arguments, to=socket, callback=answered)
            async with asyncio.timeout(self._answer_within_s):
                return await answer
        except TimeoutError as error:
            message = f"There was no answer to {command} in {self._answer_within_s:g} s: repeat."
            raise Overloaded(message) from error
        finally:
            del self._awaited[answer]


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
        self._on_report = on_report
        self._callers: dict[str, Caller] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._at_work = 0
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self._handlers: dict[str, Handler] = {
            events.UPDATE_TRAINER: self._update_trainer,
            events.UPDATE_TRAINING: self._update_training,
            events.UPDATE_EPOCH: self._update_epoch,
        }
        nodes.server.on("connect", self._connect)
        nodes.server.on("disconnect", self._disconnect)
        nodes.server.on("*", self._answer)
        self.asgi = socketio.ASGIApp(nodes.server, socketio_path=routes.SOCKET)

    async def close(self) -> None:
        """Send nothing any more, and finish what nodes have said so far."""
        await self._nodes.close()
        await self._at_rest.wait()

    async def _connect(self, socket: str, environ: dict[str, Any], _auth: Any = None) -> None:
        kind = environ.get("HTTP_NODETYPE", "")
        try:
            with self._working():
                caller = await self._caller_of(HTTPConnection(environ["asgi.scope"]))
        except EdgeloopError as error:
            raise Refusal(str(error)) from error
        if caller.is_device and kind != DETECTOR:
            log.info("Refused the socket of a %s without a session", kind or "node")
            raise Refusal("Log in with a username and its password, then connect again.")
        self._callers[socket] = caller
        self._turns[socket] = asyncio.Lock()

    async def _disconnect(self, socket: str, _reason: Any = None) -> None:
        self._nodes.drop(socket)
        self._callers.pop(socket, None)
        self._turns.pop(socket, None)

    async def _answer(self, event: str, socket: str, *arguments: Any) -> dict[str, Any] | None:
        handler, turn = self._handlers.get(event), self._turns.get(socket)
        if handler is None or turn is None:
            return None
        try:
            async with turn:  # reports of a node count in the order in which they came
                with self._working():
                    payload = await handler(socket, *arguments)
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

    async def _update_trainer(self, socket: str, status: Any = None) -> None:
        report = TrainerStatusPayload.read(status).to_type()
        async with self._workspaces.write(self._trainer(socket)) as workspace:
            await progress.heard_from_trainer(workspace, report)
        if socket in self._callers:
            self._nodes.bind(report.id, socket)
        self._on_report()

    async def _update_training(
        self, socket: str, organization: Any = "", project: Any = "", report: Any = None
    ) -> dict[str, str]:
        read = TrainingProgressPayload.read(report)
        async with self._workspaces.write(self._trainer(socket)) as workspace:
            model = await progress.heard_progress(workspace, str(organization), str(project), read)
        return {"model_uuid": model.id}

    async def _update_epoch(
        self, socket: str, organization: Any = "", project: Any = "", report: Any = None
    ) -> None:
        read = EpochReportPayload.read(report)
        async with self._workspaces.write(self._trainer(socket)) as workspace:
            await progress.heard_epoch(workspace, str(organization), str(project), read)

    def _trainer(self, socket: str) -> Caller:
        caller = self._callers.get(socket)
        if caller is None or caller.is_device:
            raise Forbidden("Only a trainer that logged in may report: log in and connect again.")
        return caller


def _payload_of(answer: Any, node_id: str, command: str) -> Any:
    if answer is None:
        raise Unprocessable(f"The node {node_id} does not know {command}.")
    read = AcknowledgementPayload.read(answer)
    if read.success:
        return read.payload
    reason = read.error_msg or f"The node {node_id} says no to {command}."
    raise (Conflict if read.payload == REFUSED else InputError)(reason)
