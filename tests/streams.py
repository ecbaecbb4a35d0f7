"""Servers and clients of the stream layer, one way of transport after the other."""

import functools
import queue
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import trustme
import zmq

from edgeloop.stream.transport import (
    Client,
    Curve,
    Handler,
    Limits,
    Message,
    Publication,
    Security,
    Server,
    Tls,
    connect,
    serve,
)

WAIT_S = 30.0
"""Longer than anything takes on a busy machine."""


@dataclass
class Way:
    """A transport, and what both sides need for it. Servers and clients end with the test."""

    name: str
    url: str
    limits: Limits = field(default_factory=Limits)
    server_security: Security | None = None
    client_security: Security | None = None
    stack: ExitStack = field(default_factory=ExitStack)

    def serve(
        self,
        handler: Handler,
        *,
        url: str | None = None,
        token: str | None = None,
        limits: Limits | None = None,
    ) -> Server:
        """A running server."""
        server = serve(
            url or self.url,
            handler,
            token=token,
            tls=self.server_security,
            limits=limits or self.limits,
        )
        return self.stack.enter_context(server)

    def connect(
        self,
        server: Server | str,
        *,
        token: str | None = None,
        timeout_s: float = WAIT_S,
        limits: Limits | None = None,
    ) -> Client:
        """A client of ``server``."""
        client = connect(
            server if isinstance(server, str) else server.url,
            token=token,
            tls=self.client_security,
            timeout_s=timeout_s,
            limits=limits or self.limits,
        )
        return self.stack.enter_context(client)


def native_way(name: str, folder: Path) -> Way:
    """One of the ways of the native transport."""
    if name == "tls":
        server, client = certificates(folder)
        return Way(name, "tcp://127.0.0.1:0", server_security=server, client_security=client)
    if name == "unix":
        return Way(name, f"unix://{folder}/robot.sock", Limits(share_from_bytes=1 << 40))
    if name == "shared":
        return Way(name, "tcp://127.0.0.1:0", Limits(share_from_bytes=1))
    return Way(name, "tcp://127.0.0.1:0", Limits(shortcut=name != "tcp"))


def way_of(name: str, folder: Path) -> Way:
    """Any of the ways; some need an extra."""
    if name.startswith("grpc"):
        server, client = certificates(folder) if name == "grpc+tls" else (None, None)
        return Way(name, "grpc://127.0.0.1:0", server_security=server, client_security=client)
    if name == "zmq":
        return Way(name, "zmq://127.0.0.1:0")
    if name == "zmq+curve":
        public, secret = (key.decode() for key in zmq.curve_keypair())
        return Way(
            name,
            "zmq://127.0.0.1:0",
            server_security=Curve(public=public, secret=secret),
            client_security=Curve(server=public),
        )
    return native_way(name, folder)


def certificates(folder: Path) -> tuple[Tls, Tls]:
    """What a server at 127.0.0.1 shows, and what a client needs to trust it."""
    authority = _authority()
    shown = authority.issue_cert("127.0.0.1")
    shown.private_key_pem.write_to_path(folder / "key.pem")
    for blob in shown.cert_chain_pems:
        blob.write_to_path(folder / "certificate.pem", append=True)
    authority.cert_pem.write_to_path(folder / "authority.pem")
    return (
        Tls(certificate=folder / "certificate.pem", key=folder / "key.pem"),
        Tls(authority=folder / "authority.pem"),
    )


@functools.cache
def _authority() -> trustme.CA:
    return trustme.CA()


def echo(route: str, message: Message) -> Message:
    """Answers with what it was sent."""
    return message


class Callbacks:
    """Notes what is published; waits for it."""

    def __init__(self) -> None:
        self._publications: queue.SimpleQueue[Publication] = queue.SimpleQueue()

    def __call__(self, publication: Publication) -> None:
        self._publications.put(publication)

    def next(self) -> Publication:
        """The next publication."""
        return self._publications.get(timeout=WAIT_S)

    def until(self, version: int) -> Publication:
        """The publication with this version; older ones are passed over."""
        while (publication := self.next()).version < version:
            continue
        return publication

    @property
    def is_empty(self) -> bool:
        """Whether none waits to be looked at."""
        return self._publications.empty()


class Gate:
    """A handler that answers "slow" only when the gate is open."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()

    def __call__(self, route: str, message: Message) -> Message:
        if route == "slow":
            self.entered.set()
            assert self.open.wait(WAIT_S)
        return message


def in_thread(work: Callable[[], Any]) -> "Outcome":
    """Begin ``work`` in another thread."""
    return Outcome(work)


class Outcome:
    """What work in another thread comes to."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._value: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def result(self) -> Any:
        """Its value; raises what it raised."""
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error
        return self._value

    def _run(self) -> None:
        try:
            self._value = self._work()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that asks
            self._error = error


def assert_same(left: Any, right: Any) -> None:
    """Assert that two messages are equal, types, dtypes and shapes included."""
    assert type(left) is type(right)
    if isinstance(left, np.ndarray):
        assert (left.dtype, left.shape) == (right.dtype, right.shape)
        assert left.tobytes() == right.tobytes()
    elif isinstance(left, dict):
        assert list(left) == list(right)
        for key, value in left.items():
            assert_same(value, right[key])
    elif isinstance(left, list | tuple):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            assert_same(one, other)
    else:
        assert left == right or (left != left and right != right)


def arrays(count: int = 3, *, items: int = 10_000) -> Message:
    """A message with arrays that are all different."""
    rng = np.random.default_rng(count)
    return {f"array {i}": rng.standard_normal(items) for i in range(count)}
