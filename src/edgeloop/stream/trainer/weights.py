"""Which weights are in use on either side, and how far behind they are."""

import threading
import uuid

from edgeloop.stream.trainer.deliveries import Weights
from edgeloop.stream.transport import Counters


class PublishedWeights:
    """The server's side: what was published, and by how old weights transitions were made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest = Weights(uuid.uuid4().hex)
        self._last = 0
        self._most = 0
        self._sum = 0
        self._count = 0

    @property
    def newest(self) -> Weights:
        """What was published last."""
        return self._newest

    def publish(self, version: int) -> None:
        """Note that these are the newest."""
        with self._lock:
            if version > self._newest.version:
                self._newest = Weights(self._newest.session, version)

    def used(self, weights: Weights, count: int) -> None:
        """Note that ``count`` new transitions came from a client with these weights."""
        with self._lock:
            lag = self._newest.ahead_of(weights)
            self._last = lag
            self._most = max(self._most, lag)
            self._sum += lag * count
            self._count += count

    def counters(self) -> Counters:
        """``staleness`` is that of the delivery that came last, the mean is over transitions."""
        with self._lock:
            return {
                "network_version": self._newest.version,
                "staleness": self._last,
                "staleness_max": self._most,
                "staleness_mean": self._sum / self._count if self._count else 0.0,
            }


class WeightsInUse:
    """A client's side: what its callbacks have taken over, and what the server has."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._current = Weights()
        self._newest = Weights()

    @property
    def current(self) -> Weights:
        """What is in use."""
        return self._current

    @property
    def staleness(self) -> int:
        """How many versions the server is ahead, as far as is known."""
        with self._lock:
            return self._newest.ahead_of(self._current)

    def use(self, weights: Weights) -> None:
        """Note that a callback has taken these over."""
        with self._lock:
            self._current = weights
            self._hear(weights)

    def hear(self, weights: Weights) -> None:
        """Note what the server said that it has."""
        with self._lock:
            self._hear(weights)

    def _hear(self, weights: Weights) -> None:
        if weights.session != self._newest.session or weights.version > self._newest.version:
            self._newest = weights
