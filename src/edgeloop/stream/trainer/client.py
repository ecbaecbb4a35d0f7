"""A trainer's client: sends what its stores gather, gets weights."""

import dataclasses
import threading
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Unpack

from edgeloop.errors import EdgeloopError, RateLimited, StreamClosed, StreamTimeout
from edgeloop.stream.service import ClientOptions, ServiceClient, open_client
from edgeloop.stream.stores import DataStore
from edgeloop.stream.trainer.config import (
    KIND,
    NETWORK,
    REQUEST,
    TRANSITIONS,
    TrainerConfig,
    check_type,
)
from edgeloop.stream.trainer.deliveries import Delivery, Receipt, Weights, receipt_from
from edgeloop.stream.trainer.sending import Held, Sender
from edgeloop.stream.trainer.updating import Updater
from edgeloop.stream.trainer.weights import WeightsInUse
from edgeloop.stream.transport import (
    DEFAULT_TIMEOUT_S,
    Counters,
    Message,
    Publication,
    Subscription,
)
from edgeloop.stream.transport.base import bounded

_PATIENCE_S = 5.0


class TrainerClient(ServiceClient):
    """Fills stores of a `TrainerServer`, asks it, and gets its weights; used from any thread.

    ``data_store`` fills the server's store called ``name``, ``data_stores`` those called as its
    keys. ``server`` is a host (the port is the config's), HOST:PORT or a URL. Raises
    ConfigMismatch with the fields that differ, StreamTimeout where no server answers,
    Unauthenticated, ConfigError.
    """

    def __init__(
        self,
        name: str,
        server: str,
        config: TrainerConfig,
        data_store: DataStore | None = None,
        *,
        data_stores: Mapping[str, DataStore] | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        self.name = name
        self.config = config
        self._timeout_s = options.get("timeout_s", DEFAULT_TIMEOUT_S)
        stores = dict(data_stores or {})
        if data_store is not None:
            stores[name] = data_store
        self._senders = [Sender(called, store, self._deliver) for called, store in stores.items()]
        self._weights = WeightsInUse()
        self._lock = threading.Lock()
        self._updater: Updater | None = None
        self._closed = False
        self._next_request = 0.0
        self._updates = self._failures = 0
        super().__init__(
            open_client(server, config.port_number, KIND, dataclasses.asdict(config), options)
        )

    @property
    def network_version(self) -> int:
        """The version of the weights that a callback took over last; 0 before the first."""
        return self._weights.current.version

    @property
    def staleness(self) -> int:
        """How many versions the server was ahead when it was last heard of."""
        return self._weights.staleness

    def update(self, *, timeout_s: float | None = None) -> int:
        """Send all that is new in all stores; how many transitions the server acknowledged.

        What is not acknowledged stays in its store for the next update, and nothing arrives twice,
        whatever was lost on the way. ``timeout_s`` bounds each message (default: the client's).
        Each store is tried, then the first error is raised: NotFound where the server has no such
        store, RemoteError where it refuses transitions, StreamTimeout also where its limiter holds
        them back for so long, StreamClosed, CodecError, TooLarge, Conflict.
        """
        seconds = bounded(self._timeout_s if timeout_s is None else timeout_s)
        errors: list[EdgeloopError] = []
        acknowledged = 0
        for sender in self._senders:
            try:
                acknowledged += sender.send(seconds)
            except EdgeloopError as error:
                errors.append(error)
                if _is_away(error):
                    break
        with self._lock:
            self._updates += 1
            self._failures += bool(errors)
        if errors:
            raise errors[0]
        return acknowledged

    def start_async_update(self, interval_s: float = 10.0) -> None:
        """Update every ``interval_s`` seconds in a thread; a second call changes nothing.

        Failures are counted, logged once per kind, and tried again with growing pauses. Raises
        StreamClosed where the client is closed.
        """
        with self._lock:
            if self._closed:
                raise StreamClosed("The client is closed: make another one.")
            if self._updater is None:
                self._updater = Updater(self.update, interval_s)

    def request(
        self, type: str, payload: Message | None = None, *, timeout_s: float | None = None
    ) -> Message:
        """What the server's callback answers. Arrays are writable and yours.

        Raises NotFound for a type that the config does not name and RateLimited beyond its rate,
        before anything is sent; RemoteError where the callback raised, StreamTimeout, StreamClosed.
        """
        check_type(type, self.config)
        self._keep_rate()
        return self._call(REQUEST, {"type": type, "payload": payload or {}}, timeout_s)

    def recv_network_callback(self, callback: Callable[[Any], None]) -> Subscription:
        """Call back with the current weights and each newer version, in one thread.

        While a callback runs newer ones replace each other. They are in use, and change
        ``network_version``, once it has returned; an error that it raises is logged and counted,
        and does not end the subscription. Arrays are read-only.
        """

        def take_over(publication: Publication) -> None:
            weights = Weights(publication.message["session"], publication.version)
            self._weights.hear(weights)
            callback(publication.message["network"])
            self._weights.use(weights)

        return self.transport.subscribe(NETWORK, take_over)

    def counters(self) -> Counters:
        """What happened so far; ``waiting`` are transitions that are not acknowledged yet."""
        with self._lock:
            updates, failures = self._updates, self._failures
        return {
            **super().counters(),
            "updates": updates,
            "update_failures": failures,
            "transitions": sum(sender.acknowledged for sender in self._senders),
            "waiting": sum(sender.waiting for sender in self._senders),
            "network_version": self.network_version,
            "staleness": self.staleness,
        }

    def close(self) -> None:
        """Send nothing more; calls and updates in progress raise StreamClosed. Idempotent."""
        with self._lock:
            self._closed = True
            updater = self._updater
        if updater:
            updater.end()
        super().close()
        if updater:
            updater.join(_PATIENCE_S)

    def _deliver(self, delivery: Delivery, timeout_s: float) -> Receipt:
        message = delivery.to_message(self._weights.current)
        receipt = receipt_from(self._call(TRANSITIONS, message, timeout_s))
        self._weights.hear(receipt.weights)
        return receipt

    def _keep_rate(self) -> None:
        rate = self.config.rate_limit
        if rate is None:
            return
        with self._lock:
            now = monotonic()
            if (wait_s := self._next_request - now) > 0:
                message = f"{rate} requests per second are allowed: wait {wait_s:.3f} s."
                raise RateLimited(message, retry_after_s=wait_s)
            self._next_request = now + 1 / rate


def _is_away(error: EdgeloopError) -> bool:
    """Whether it makes no sense to ask the server for more."""
    return isinstance(error, StreamClosed | StreamTimeout) and not isinstance(error, Held)
