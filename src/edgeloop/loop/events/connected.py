"""The sockets of nodes: who can be told something, and what it answers."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import socketio
from socketio.packet import Packet

from edgeloop.errors import Conflict, InputError, NotFound, Overloaded, Unprocessable
from edgeloop.loop.services.workspace import Caller
from edgeloop.protocol import events
from edgeloop.protocol.payloads.nodes import AcknowledgementPayload
from edgeloop.protocol.payloads.parsing import check_portable

ANSWER_WITHIN_S = 15.0
REFUSED = "refused"
PlainPacket = type("PlainPacket", (Packet,), {"json": json})
"""Nodes may say NaN, as Python's own JSON does; NiceGUI sets a stricter one for its pages."""


class ConnectedNodes:
    """The sockets of nodes: a node's is the one that sent its latest report."""

    def __init__(self, *, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        self.server = socketio.AsyncServer(async_mode="asgi", serializer=PlainPacket)
        self._answer_within_s = answer_within_s
        self._sockets: dict[str, str] = {}
        self._callers: dict[str, Caller] = {}
        self._awaited: dict[asyncio.Future[Any], str] = {}
        self._is_closed = False
        self._look_again: Callable[[], Awaitable[None]] = _nobody

    def on_look_again(self, look: Callable[[], Awaitable[None]]) -> None:
        """Who knows the callers behind the sockets looks again by ``look``."""
        self._look_again = look

    async def look_again(self) -> None:
        """Disconnect who would not be let in any more."""
        await self._look_again()

    def is_connected(self, node_id: str) -> bool:
        """Whether the node has a live connection."""
        return node_id in self._sockets

    def caller_of(self, node_id: str) -> Caller:
        """Who sent the node's latest report; nobody where it is not connected."""
        return self._callers.get(self._sockets.get(node_id, ""), Caller())

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
        _check(command, arguments)
        return _payload_of(await self._ask(socket, command, arguments), node_id, command)

    async def close(self) -> None:
        """Wait for no more answers, and end the tasks of the server; may be called twice."""
        for socket in {*self._awaited.values(), *self._sockets.values()}:
            self.drop(socket)
        if not self._is_closed:
            self._is_closed = True
            await self.server.shutdown()

    def admit(self, socket: str, caller: Caller) -> None:
        """A socket is open, and this is who speaks by it."""
        self._callers[socket] = caller

    def bind(self, node_id: str, socket: str) -> None:
        """From now on the node is reached by this socket."""
        self._sockets[node_id] = socket

    def drop(self, socket: str) -> None:
        """The socket is gone, and with it the answers that it owes."""
        self._sockets = {node: sid for node, sid in self._sockets.items() if sid != socket}
        self._callers.pop(socket, None)
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


async def _nobody() -> None:
    """Before there is a server there is nobody to look at."""


def _check(command: str, arguments: tuple[Any, ...]) -> None:
    try:  # what cannot be sent is found out later, and then nobody is told
        check_portable(arguments)
    except ValueError as error:
        raise Unprocessable(f"{command} cannot be sent with {error} in it.") from error


def _payload_of(answer: Any, node_id: str, command: str) -> Any:
    if answer is None:
        raise Unprocessable(f"The node {node_id} does not know {command}.")
    read = AcknowledgementPayload.read(answer)
    if read.success:
        return read.payload
    reason = read.error_msg or f"The node {node_id} says no to {command}."
    raise (Conflict if read.payload == REFUSED else InputError)(reason)
