"""Framed messages over TCP and, on one host, Unix sockets and shared memory."""

from edgeloop.stream.transport.native.door import Door
from edgeloop.stream.transport.native.server import NativeServer

__all__ = ["Door", "NativeServer"]
