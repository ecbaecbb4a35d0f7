"""Listening and connected sockets with the options that the wire wants."""

import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path

from edgeloop.errors import ConfigError
from edgeloop.stream.transport.address import Address

SHORTCUT_PREFIX = "edgeloop-"
_BACKLOG = 128
_UNIX_BUFFER_BYTES = 1 << 22


def listen(address: Address) -> tuple[socket.socket, Address]:
    """A listening socket and the address it got; raises ConfigError where that is impossible."""
    try:
        if address.scheme == "unix":
            return _listen_at(Path(address.path)), address
        listening = socket.create_server((address.host, address.port), family=_family(address))
        listening.listen(_BACKLOG)
        return listening, Address(address.scheme, address.host, listening.getsockname()[1])
    except OSError as error:
        raise ConfigError(f"Cannot listen at {address.url}: {error.strerror or error}.") from error


def listen_nearby() -> tuple[socket.socket, str]:
    """A listening Unix socket without a file, and its name; only this host reaches it."""
    name = SHORTCUT_PREFIX + secrets.token_hex(16)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(f"\0{name}")
    listening.listen(_BACKLOG)
    return listening, name


def identity(path: Path) -> tuple[int, int] | None:
    """Which file is at ``path``, None where there is none: a server that comes next makes another.

    (device, inode)
    """
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def dial(
    address: Address, timeout_s: float, begun: Callable[[socket.socket], None]
) -> socket.socket:
    """A connection to ``address``; raises OSError.

    ``begun`` is told which socket waits for the other host, and may raise.
    """
    if address.scheme == "unix":
        return _dial_unix(address.path, timeout_s)
    failure = OSError(f"{address.host} has no address")
    places = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    for family, kind, protocol, _, place in places:
        connection = socket.socket(family, kind, protocol)
        try:
            begun(connection)
            connection.settimeout(timeout_s)
            connection.connect(place)
            tune(connection)
        except OSError as error:
            connection.close()
            failure = error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise failure


def dial_nearby(name: str, timeout_s: float) -> socket.socket:
    """A connection to the Unix socket with this name; raises OSError, also on another host."""
    if not name.startswith(SHORTCUT_PREFIX):
        raise OSError("not a name that a server of edgeloop gives")
    return _dial_unix(f"\0{name}", timeout_s)


def tune(connection: socket.socket) -> None:
    """Small messages at once; a peer that vanished is noticed within two minutes."""
    if connection.family == socket.AF_UNIX:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNIX_BUFFER_BYTES)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _UNIX_BUFFER_BYTES)
        return
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)


def _dial_unix(path: str, timeout_s: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        tune(connection)
        connection.settimeout(timeout_s)
        connection.connect(path)
    except BaseException:
        connection.close()
        raise
    return connection


def _listen_at(path: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listening.fileno(), 0o600)  # what bind makes is the owner's alone from birth
        if _is_left_behind(path):
            path.unlink()
        listening.bind(str(path))
        listening.listen(_BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def _is_left_behind(path: Path) -> bool:
    """Whether a killed server's socket is there; raises ConfigError if somebody listens at it."""
    if not path.is_socket():
        return False
    try:
        _dial_unix(str(path), 1).close()
    except ConnectionRefusedError:
        return True
    raise ConfigError(f"Another server listens at {path}: stop it, or choose another path.")


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address.host else socket.AF_INET
