"""agentlace.trainer: a learner's server, and clients that bring it data and get its network."""

import copy
import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import time
from types import MappingProxyType
from typing import Any

from edgeloop import stream
from edgeloop.compat.agentlace.hosting import Host, everywhere
from edgeloop.compat.agentlace.lines import Line
from edgeloop.compat.agentlace.payloads import owned, plain, unwrap, wrap
from edgeloop.compat.agentlace.stores import AnyStore, items_of, sink_of, source_of
from edgeloop.stream import Message
from edgeloop.stream.stores.base import Batch, count_of
from edgeloop.stream.trainer.config import TRANSITIONS
from edgeloop.stream.trainer.deliveries import Delivery, Weights, receipt_from
from edgeloop.stream.trainer.updating import Updater

log = logging.getLogger(__name__)

_NO_STORES: Mapping[str, AnyStore] = MappingProxyType({})
_PATIENCE_S = 5.0

DataCallback = Callable[[str, Any], Any]
RequestCallback = Callable[[str, Any], Any]


@dataclass
class TrainerConfig:
    """What clients may ask for, and how often per second; the same on both sides.

    ``broadcast_port`` and ``experimental_pipeline_port`` have no effect: one port carries all.
    """

    port_number: int = 5555
    broadcast_port: int = 5556
    request_types: list[str] = field(default_factory=list)
    rate_limit: int | None = None
    version: str = "0.0.2"
    experimental_pipeline_port: str | None = None


class TrainerServer:
    """Receives data into its stores and publishes a network; at all interfaces.

    Callbacks are called one at a time. ``config`` is a copy: with the port number 0 it has the one
    that was found. ``log_level`` has no effect.
    """

    def __init__(
        self,
        config: TrainerConfig,
        data_callback: DataCallback | None = None,
        request_callback: RequestCallback | None = None,
        log_level: int = logging.INFO,
    ) -> None:
        del log_level
        self.config = copy.deepcopy(config)
        self.request_types = set(config.request_types)
        self.data_stores: dict[str, AnyStore] = {}
        self.last_update_id_map: dict[str, int] = {}
        self.data_callback = data_callback
        self._request_callback = request_callback
        self.queue: deque[Any] = deque()  # agentlace has one, and does not use it
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        self._host = Host(self._make, config.port_number, daemon=True)
        self.config.port_number = self._host.port

    @property
    def req_rep_server(self) -> stream.TrainerServer:
        """What answers, and broadcasts."""
        return self._host.hosted

    @property
    def broadcast_server(self) -> stream.TrainerServer:
        """The same."""
        return self._host.hosted

    @property
    def thread(self) -> threading.Thread | None:
        """Lives while the server answers, if it was started threaded."""
        return self._host.thread

    def register_data_store(self, name: str, data_store: AnyStore) -> None:
        """Let clients fill a store: agentlace's, a user's own, or one of `edgeloop.stream`."""
        self.last_update_id_map[name] = -1
        self.data_stores[name] = data_store
        self.req_rep_server.register_data_store(name, sink_of(data_store))

    def data_store(self, name: str) -> AnyStore | None:
        """The store, None if unknown."""
        return self.data_stores.get(name)

    def store_names(self) -> set[str]:
        """The names of all stores."""
        return set(self.data_stores)

    def publish_network(self, payload: Any) -> None:
        """Tell all clients, those that come later too; the newest counts."""
        self.req_rep_server.publish_network(plain(payload))

    def start(self, threaded: bool = False) -> None:
        """Answer until it is stopped; ``threaded`` returns at once."""
        self._host.start(threaded=threaded)

    def stop(self) -> None:
        """End."""
        self._host.stop()

    def _make(self, port: int) -> stream.TrainerServer:
        server = stream.TrainerServer(
            _plain(self.config), self._note, self._answer, url=everywhere(port)
        )
        for name, store in self.data_stores.items():
            server.register_data_store(name, sink_of(store))
        return server

    def _note(self, name: str, batch: Batch) -> None:
        """Data came: ``last_id`` is the number of all that came so far, less one."""
        with self._counting:
            last_id = self.last_update_id_map[name] + count_of(batch)
            self.last_update_id_map[name] = last_id
        if self.data_callback:
            with self._turn:
                self.data_callback(name, {"data": items_of(batch), "last_id": last_id})

    def _answer(self, kind: str, message: Message) -> Message:
        if self._request_callback is None:
            return {}
        with self._turn:
            return wrap(self._request_callback(kind, unwrap(message)))


class TrainerClient:
    """Brings data to a trainer server, asks it, and gets its network.

    ``data_store`` fills the server's store called ``name``; ``data_stores``, if there is none,
    those called as its keys. Raises Exception where there is no server, or another config's.
    ``req_rep_client.timeout_ms`` may be changed at any time.
    """

    def __init__(
        self,
        name: str,
        server_ip: str,
        config: TrainerConfig,
        data_store: AnyStore | None = None,
        data_stores: Mapping[str, AnyStore] = _NO_STORES,
        log_level: int = logging.INFO,
        wait_for_server: bool = False,
        timeout_ms: float = 800,
    ) -> None:
        self.client_name = name
        self.server_ip = server_ip
        self.config = copy.deepcopy(config)
        self.request_types = set(config.request_types)
        self.data_store = data_store
        stores = dict(data_stores) if data_store is None else {name: data_store}
        self.data_stores_map = stores
        self.log_level = log_level
        self.last_request_time = 0.0
        self.req_rep_client = Line(server_ip, config.port_number, timeout_ms)
        self.broadcast_client: stream.Subscription | None = None
        self.update_thread: threading.Thread | None = None
        self.stop_update_flag = threading.Event()
        self.producer = None  # agentlace's pipeline: nothing needs it
        self._sources = {called: source_of(store) for called, store in stores.items()}
        self._asked = self.req_rep_client.join(
            lambda options: stream.TrainerClient(
                name, server_ip, _plain(config), data_stores=self._sources, **options
            ),
            "server",
            wait=wait_for_server,
        )
        weakref.finalize(self, self._asked.close)
        if not self.update():
            log.error("the first update of %s failed", name)

    def update(self) -> bool:
        """Send all that is new; whether the server has it. What it has not is sent next time."""
        if not self._sources:
            return False
        return (
            self._line.ask(lambda: self._asked.update(timeout_s=self._line.timeout_s), {})
            is not None
        )

    def update_datastore(self, name: str, from_id: Any, confirm_update: bool = False) -> bool:
        """As ``update``; the server says from where on. False for an unknown name."""
        del from_id, confirm_update
        if name not in self._sources:
            log.error("there is no data store %r, only %s", name, sorted(self._sources))
            return False
        return self.update()

    def get_server_last_update_id(self, name: str) -> int | None:
        """The id of the last item that the server has of our store; -1 for none.

        None, and a warning, for an unknown store and where there was no answer.
        """
        source = self._sources.get(name)
        origin = source.identity if source else self.client_name
        question = Delivery(name, origin, "").to_message(Weights())
        answer = self._line.ask(
            lambda: self._asked.transport.call(
                TRANSITIONS, question, timeout_s=self._line.timeout_s
            ),
            {},
        )
        return None if answer is None else receipt_from(answer).following - 1

    def request(self, type: str, payload: Any) -> Any:
        """What the server's callback returned; None where there was no answer, for a type that
        the config does not name, and (with a warning) beyond its rate."""
        if type not in self.request_types:
            return None
        sent = wrap(payload)
        self.last_request_time = time()
        answer = self._line.ask(
            lambda: self._asked.request(type, sent, timeout_s=self._line.timeout_s), sent
        )
        return None if answer is None else unwrap(answer)

    def recv_network_callback(self, callback: Callable[[Any], None]) -> None:
        """Call back with the network as it is now and with newer ones, in one thread."""
        if self.broadcast_client:
            self.broadcast_client.close()

        def hand_on(network: Any, _: TrainerClient = self) -> None:  # listening, we live on
            callback(owned(network))

        self.broadcast_client = self._asked.recv_network_callback(hand_on)

    def start_async_update(self, interval: float = 10) -> None:
        """Update every so many seconds, in a thread; while that lives a second call is ignored."""
        if self.update_thread and self.update_thread.is_alive():
            return
        self.stop_update_flag.clear()
        self.update_thread = threading.Thread(
            target=_update, args=(self._asked, interval, self.stop_update_flag), daemon=True
        )
        self.update_thread.start()

    def stop(self) -> None:
        """Update and listen no more; `update` and `request` go on."""
        self.stop_update_flag.set()
        if self.update_thread:
            self.update_thread.join(2 * _PATIENCE_S)
        if self.broadcast_client:
            self.broadcast_client.close()

    @property
    def _line(self) -> Line:
        return self.req_rep_client


class TrainerSMInterface:
    """Server and client in one process: what is published is handed on, requests are answered."""

    def __init__(self) -> None:
        self._network_callback: Callable[[Any], None] | None = None
        self._request_callback: RequestCallback | None = None

    def recv_network_callback(self, callback: Callable[[Any], None]) -> None:
        """What `publish_network` calls."""
        self._network_callback = callback

    def publish_network(self, payload: Any) -> None:
        """Hand a network on."""
        if self._network_callback:
            self._network_callback(payload)

    def start(self, *args: Any, **kwargs: Any) -> None:
        """Nothing to do."""

    def stop(self) -> None:
        """Nothing to do."""

    def update(self) -> None:
        """Nothing to do: both sides have the same store."""

    def register_request_callback(self, callback: RequestCallback) -> None:
        """What `request` calls."""
        self._request_callback = callback

    def request(self, type: str, payload: Any) -> Any:
        """What the callback returns, None without one."""
        return self._request_callback(type, payload) if self._request_callback else None

    def start_async_update(self, interval: float = 10) -> None:
        """Nothing to do."""


def _update(client: stream.TrainerClient, interval_s: float, ended: threading.Event) -> None:
    updater = Updater(client.update, interval_s)
    ended.wait()
    updater.end()
    updater.join(_PATIENCE_S)


def _plain(config: TrainerConfig) -> stream.TrainerConfig:
    return stream.TrainerConfig(
        config.port_number, config.request_types, config.rate_limit, config.version
    )
