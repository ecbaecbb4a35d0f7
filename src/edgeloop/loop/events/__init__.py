"""Socket.IO: what nodes report comes in, commands go out."""

from edgeloop.loop.events.connected import ConnectedNodes, PlainPacket
from edgeloop.loop.events.server import FleetServer

__all__ = ["ConnectedNodes", "FleetServer", "PlainPacket"]
