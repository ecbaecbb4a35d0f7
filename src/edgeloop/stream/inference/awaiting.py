"""Calls the interfaces of an inference server from asyncio."""

import asyncio
import contextlib
import sys
import threading
from asyncio import AbstractEventLoop, Semaphore
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic
from types import TracebackType
from typing import Self, TypeVar, Unpack
from weakref import WeakKeyDictionary

from edgeloop.errors import RemoteError, StreamClosed, StreamTimeout
from edgeloop.stream.inference.names import KIND, route_of
from edgeloop.stream.service import (
    ClientOptions,
    as_raised,
    check_server,
    connect_to,
    server_url,
)
from edgeloop.stream.transport import DEFAULT_TIMEOUT_S, Counters, Limits, Message
from edgeloop.stream.transport.base import bounded
from edgeloop.stream.transport.workers import Workers

T = TypeVar("T")
_LEAST_S = 0.001


class AsyncInferenceClient:
    """Calls an `InferenceServer`; many calls at once are fine, by every transport.

    For ``async with``, which raises what the constructor of `InferenceClient` does. Each call waits
    in a thread of its own, at most ``limits.calls`` of them in an event loop. One that is cancelled
    goes on there until it is answered or its deadline has come: the client stays usable.
    """

    def __init__(
        self, server: str, port_num: int | None = None, **options: Unpack[ClientOptions]
    ) -> None:
        limits = options.get("limits", Limits())
        self._wait_s = options.get("wait_for_server_s", 0.0)
        self._timeout_s = options.get("timeout_s", DEFAULT_TIMEOUT_S)
        self._url = server_url(server, port_num)
        self._client = connect_to(self._url, options)
        self._most = min(limits.calls, limits.connections)
        self._workers = Workers(sys.maxsize)  # `_rooms` bound them
        self._rooms: WeakKeyDictionary[AbstractEventLoop, Semaphore] = WeakKeyDictionary()
        self._lock = threading.Lock()

    async def interfaces(self) -> set[str]:
        """The names that can be called now."""
        return set((await self._call("about", {}, None))["interfaces"])

    async def call(self, name: str, payload: Message, *, timeout_s: float | None = None) -> Message:
        """What the interface answers; raises as `InferenceClient.call` does.

        ``payload`` is not to be changed before this returns.
        """
        return await self._call(route_of(name), payload, timeout_s)

    def counters(self) -> Counters:
        """What happened so far."""
        return self._client.counters()

    async def aclose(self) -> None:
        """Close all connections; calls in progress raise StreamClosed. Idempotent."""
        self._workers.close()
        await asyncio.to_thread(self._client.close)

    async def __aenter__(self) -> Self:
        def check() -> None:
            check_server(self._client, self._url, kind=KIND, config=None, wait_s=self._wait_s)

        try:
            await self._run(check)
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _call(self, route: str, message: Message, timeout_s: float | None) -> Message:
        seconds = bounded(self._timeout_s if timeout_s is None else timeout_s)
        end = monotonic() + seconds

        def call() -> Message:
            return self._client.call(route, message, timeout_s=max(_LEAST_S, end - monotonic()))

        try:
            return await self._run(call, within_s=seconds)
        except RemoteError as error:
            raise as_raised(error) from None

    async def _run(self, work: Callable[[], T], *, within_s: float | None = None) -> T:
        """Do ``work`` in a thread, which begins ``within_s`` seconds."""
        loop = asyncio.get_running_loop()
        room = self._room_of(loop)
        await _enter(room, within_s)
        future: asyncio.Future[T] = loop.create_future()

        def settle(job: Future[T]) -> None:
            room.release()
            if not future.done():
                _hand_over(job, future)

        def tell(job: Future[T]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits
                loop.call_soon_threadsafe(settle, job)

        try:
            self._workers.submit(work).add_done_callback(tell)
        except RuntimeError as error:
            room.release()
            raise StreamClosed("The client is closed: make another one.") from error
        return await future

    def _room_of(self, loop: AbstractEventLoop) -> Semaphore:
        """Lets so many calls of this loop begin: what asyncio waits for belongs to one loop."""
        with self._lock:
            return self._rooms.setdefault(loop, Semaphore(self._most))


async def _enter(room: Semaphore, within_s: float | None) -> None:
    try:
        async with asyncio.timeout(within_s):
            await room.acquire()
    except TimeoutError:
        raise StreamTimeout("As many calls as `Limits.calls` are waiting.") from None


def _hand_over(job: Future[T], future: asyncio.Future[T]) -> None:
    error = job.exception()
    if error is None:
        future.set_result(job.result())
    else:
        future.set_exception(error)
