"""Framed messages over TCP and, on one host, Unix sockets and shared memory."""

from edgeloop.stream.transport.native.door import NativeDoor
from edgeloop.stream.transport.native.server import NativeServer

__all__ = ["NativeDoor", "NativeServer"]
