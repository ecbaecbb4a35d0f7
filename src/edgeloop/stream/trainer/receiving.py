"""One store of the server: takes what is new of every origin, and says how far each has come."""

import logging
import threading
import uuid
from collections.abc import Callable

from edgeloop.errors import StreamTimeout
from edgeloop.stream.stores.base import Batch, DataStore, slice_of
from edgeloop.stream.trainer.deliveries import Delivery, Receipt
from edgeloop.stream.trainer.turns import Turns
from edgeloop.stream.transport import Counters

log = logging.getLogger(__name__)

DataCallback = Callable[[str, Batch], None]
"""(name of the store, what is new in it: columns or a list)."""

_LONGEST_WAIT_S = 2.0
"""How long a limiter holds a call: then the client asks again, and no thread is kept for it."""


class Reception:
    """A store that deliveries arrive at. ``session`` is new for every store that is registered.

    A client that knows another session is told where to go on, before anything is taken from it:
    the store may have lost what the client was told had arrived.
    """

    def __init__(self, name: str, store: DataStore, callback: DataCallback | None) -> None:
        self.store = store
        self._session = uuid.uuid4().hex
        self._name = name
        self._callback = callback
        self._turns = Turns()
        self._lock = threading.Lock()
        self._transitions = 0
        self._repeated = 0
        self._callback_errors = 0

    def take(self, delivery: Delivery) -> tuple[Receipt, int]:
        """Keep what is new, and call back with it; (what the client is told, how much was new).

        Raises what the store raises: InputError, StorageFull, StreamClosed.
        """
        origin, store = delivery.origin, self.store
        if delivery.batch is None or delivery.session != self._session:
            return Receipt(self._session, store.received(origin)), 0
        wait_s = min(_LONGEST_WAIT_S, max(0.0, delivery.wait_s))
        with self._turns.of(origin, timeout_s=wait_s) as came:
            if not came:
                held = f"An earlier delivery to '{self._name}' is not done with yet."
                return Receipt(self._session, store.received(origin), held), 0
            return self._take(delivery, delivery.batch, wait_s)

    def counters(self) -> Counters:
        """What came so far."""
        with self._lock:
            return {
                "size": len(self.store),
                "transitions": self._transitions,
                "repeated": self._repeated,
                "callback_errors": self._callback_errors,
            }

    def _take(self, delivery: Delivery, batch: Batch, wait_s: float) -> tuple[Receipt, int]:
        origin, first, store = delivery.origin, delivery.first, self.store
        begin = max(first, store.received(origin))
        held = ""
        try:
            store.receive(origin, first, batch, timeout_s=wait_s)
        except StreamTimeout as error:
            held = str(error)
        finally:  # on a full disk, a part may have come
            following = store.received(origin)
            new = max(0, following - begin)
            self._count(new, 0 if held else delivery.count - new)
            if new:
                self._tell(slice_of(batch, begin - first, following - first))
        return Receipt(self._session, following, held), new

    def _count(self, new: int, repeated: int) -> None:
        with self._lock:
            self._transitions += new
            self._repeated += repeated

    def _tell(self, new: Batch) -> None:
        if self._callback is None:
            return
        try:
            self._callback(self._name, new)
        except Exception:
            log.exception("the data callback failed on the store '%s'", self._name)
            with self._lock:
                self._callback_errors += 1
