"""Calls and publications over ZeroMQ: ROUTER and DEALER, with CURVE where keys are given."""

from edgeloop.stream.transport.zmq.client import ZmqDoor
from edgeloop.stream.transport.zmq.server import ZmqServer

__all__ = ["ZmqDoor", "ZmqServer"]
