"""The transport that a URL asks for; those that need an extra are loaded when asked for."""

import importlib
from typing import Protocol

from edgeloop.errors import ConfigError
from edgeloop.stream.transport.address import Address
from edgeloop.stream.transport.base import Handler, Limits, Security, Server
from edgeloop.stream.transport.connections import Open
from edgeloop.stream.transport.native import NativeDoor, NativeServer


class MakeServer(Protocol):
    """How the servers of all transports are made."""

    def __call__(
        self,
        address: Address,
        handler: Handler,
        *,
        token: str | None,
        tls: Security | None,
        limits: Limits,
    ) -> Server: ...


class Door(Protocol):
    """Opens connections to one server."""

    @property
    def open(self) -> Open:
        """Opens one."""


class MakeDoor(Protocol):
    """How the doors of all transports are made."""

    def __call__(
        self, address: Address, *, token: str | None, tls: Security | None, limits: Limits
    ) -> Door: ...


def transport_of(address: Address) -> tuple[MakeServer, MakeDoor]:
    """What makes servers and doors for this address; raises ConfigError for a missing extra."""
    if address.scheme in ("tcp", "unix"):
        return NativeServer, NativeDoor
    try:
        module = importlib.import_module(f"edgeloop.stream.transport.{address.scheme}")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{address.scheme}:// needs {error.name}: pip install 'edgeloop[{address.scheme}]'."
        ) from error
    name = address.scheme.capitalize()
    return getattr(module, f"{name}Server"), getattr(module, f"{name}Door")
