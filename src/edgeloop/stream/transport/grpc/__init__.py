"""Calls and publications over gRPC: generic methods that carry our own bytes, no generated code."""

from edgeloop.stream.transport.grpc.client import GrpcDoor
from edgeloop.stream.transport.grpc.server import GrpcServer

__all__ = ["GrpcDoor", "GrpcServer"]
