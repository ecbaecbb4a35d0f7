"""The trainer's server: stores that clients fill, weights that they get."""

import dataclasses
from collections.abc import Callable
from typing import Any, Unpack

from edgeloop.errors import InputError, NotFound
from edgeloop.stream.service import ServerOptions, Service
from edgeloop.stream.stores import DataStore
from edgeloop.stream.trainer.config import (
    KIND,
    NETWORK,
    REQUEST,
    TRANSITIONS,
    TrainerConfig,
    check_type,
)
from edgeloop.stream.trainer.deliveries import delivery_from
from edgeloop.stream.trainer.receiving import DataCallback, Reception
from edgeloop.stream.trainer.weights import PublishedWeights
from edgeloop.stream.transport import Counters, Message

RequestCallback = Callable[[str, Message], Message]
"""(type, payload) -> the answer."""


class TrainerServer(Service):
    """Receives transitions of many `TrainerClient` into its stores, and publishes weights to them.

    ``data_callback`` gets what is new in a store, after it is there; what a client repeats does
    not get there again. ``request_callback`` answers `TrainerClient.request`. Both run in several
    threads at once; what comes from one client's store comes in its order. An error in the first
    is logged and counted, one in the second is told to its caller as RemoteError.
    """

    def __init__(
        self,
        config: TrainerConfig,
        data_callback: DataCallback | None = None,
        request_callback: RequestCallback | None = None,
        **options: Unpack[ServerOptions],
    ) -> None:
        self.config = config
        self._data_callback = data_callback
        self._request_callback = request_callback
        self._receptions: dict[str, Reception] = {}
        self._weights = PublishedWeights()
        super().__init__(KIND, config.port_number, options, dataclasses.asdict(config))
        self.routes |= {TRANSITIONS: self._answer_transitions, REQUEST: self._answer_request}

    def register_data_store(self, name: str, store: DataStore) -> None:
        """Let clients fill ``store`` as ``name``, in place of what was called so before.

        Clients send again what this store lacks of what they still hold. One that was restored, or
        that knows their transitions otherwise, gets none of them twice.
        """
        self._receptions[name] = Reception(name, store, self._data_callback)

    def data_store(self, name: str) -> DataStore:
        """The store of this name; raises NotFound."""
        return self._reception(name).store

    def store_names(self) -> set[str]:
        """The names of all stores."""
        return set(self._receptions)

    def publish_network(self, network: Any, *, version: int | None = None) -> int:
        """Make ``network`` (whatever travels) the current weights of all clients; its version.

        It is copied before this returns. A slow client gets the newest only, a late one the
        current ones at once. ``version`` must grow; the default is the next, from 1 on. Raises
        CodecError, TooLarge, Conflict, StreamClosed after `close`.
        """
        session = self._weights.newest.session
        message = {"network": network, "session": session}
        number = self.transport.publish(NETWORK, message, version=version)
        self._weights.publish(number)
        return number

    def counters(self) -> Counters:
        """What happened so far: calls, weights, and of each store what ``stores/NAME/...`` says."""
        receptions = dict(self._receptions)
        of_stores = {name: reception.counters() for name, reception in receptions.items()}
        return {
            **super().counters(),
            **self._weights.counters(),
            "transitions": sum(figures["transitions"] for figures in of_stores.values()),
            **{
                f"stores/{name}/{figure}": value
                for name, figures in of_stores.items()
                for figure, value in figures.items()
            },
        }

    def _answer_transitions(self, message: Message) -> Message:
        delivery = delivery_from(message)
        receipt, new = self._reception(delivery.store).take(delivery)
        if new:
            self._weights.used(delivery.weights, new)
        return receipt.to_message(self._weights.newest)

    def _answer_request(self, message: Message) -> Message:
        match message:
            case {"type": str(kind), "payload": dict(payload)}:
                check_type(kind, self.config)
                return self._request_callback(kind, payload) if self._request_callback else {}
        raise InputError("A request has a type, a text, and a payload, a dict.")

    def _reception(self, name: str) -> Reception:
        reception = self._receptions.get(name)
        if reception is None:
            there_are = ", ".join(sorted(self._receptions)) or "none"
            raise NotFound(f"This trainer has no store '{name}': there are {there_are}.")
        return reception
