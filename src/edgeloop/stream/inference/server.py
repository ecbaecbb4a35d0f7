"""Offers functions by name; some of them answer several calls at once."""

from collections.abc import Callable
from typing import Unpack

from edgeloop.errors import ConfigError
from edgeloop.stream.inference.batching import Batcher
from edgeloop.stream.inference.names import KIND, route_of
from edgeloop.stream.service import ServerOptions, Service
from edgeloop.stream.transport import Counters, Message


class InferenceServer(Service):
    """Answers `InferenceClient.call` by the callbacks that were registered.

    Callbacks run in several threads at once, those with a ``batch_size`` one at a time. One that
    raises is told to its caller as RemoteError. Raises ConfigError where it cannot listen.
    """

    def __init__(self, port_num: int = 0, **options: Unpack[ServerOptions]) -> None:
        self._interfaces: dict[str, Callable[[Message], Message]] = {}
        super().__init__(KIND, port_num, options)

    def register_interface(
        self,
        name: str,
        callback: Callable[[Message], Message],
        *,
        batch_size: int = 1,
        batch_wait_s: float = 0.0,
    ) -> None:
        """Answer calls of ``name`` by ``callback``, from now on; it replaces an earlier one.

        With a ``batch_size`` above 1 the callback gets up to so many messages as one: what waited
        while the last batch ran, or came within ``batch_wait_s`` of the first. Arrays and numbers
        are stacked along a new first axis, all else (texts, bytes, lists) is a list with an entry
        for each call. In its answer the same is taken apart again; numbers and texts go to every
        caller. Messages of other keys, dtypes or shapes form batches of their own. A batch that
        raises is repeated call by call, so that a bad call fails alone. Raises ConfigError.
        """
        if batch_size < 1 or batch_wait_s < 0:
            raise ConfigError(
                f"Batches of {batch_size} that wait {batch_wait_s} s: "
                "give a size of 1 or more, and no negative time."
            )
        chosen = callback
        if batch_size > 1:
            chosen = Batcher(callback, most=batch_size, wait_s=batch_wait_s)
        self._interfaces = {**self._interfaces, name: chosen}
        self.routes[route_of(name)] = chosen

    def interfaces(self) -> list[str]:
        """The names that were registered, sorted."""
        return sorted(self._interfaces)

    def about(self) -> Message:
        """What it says of itself; ``interfaces`` are the names."""
        return {**super().about(), "interfaces": self.interfaces()}

    def counters(self) -> Counters:
        """What happened so far; ``batched_calls`` through ``batches`` is the size of a batch."""
        batchers = [each for each in self._interfaces.values() if isinstance(each, Batcher)]
        return {
            **super().counters(),
            "interfaces": len(self._interfaces),
            "batches": sum(batcher.batches for batcher in batchers),
            "batched_calls": sum(batcher.calls for batcher in batchers),
            "waiting_calls": sum(batcher.waiting for batcher in batchers),
        }
