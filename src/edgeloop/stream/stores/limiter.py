"""How far sampling and inserting may get ahead of each other."""

import threading
from collections.abc import Callable

from edgeloop.errors import ConfigError, StreamClosed, StreamTimeout


class Limiter:
    """Holds back whoever is ahead: sampling before there is enough, or one side of a ratio.

    With ``samples_per_insert`` r, the balance is (inserted - min_size) * r - sampled, both counted
    in transitions. Sampling waits while it is at -tolerance or below, inserting while it is at
    +tolerance or above; so one of the two can always go on, and the ratio holds in the long run to
    within ``tolerance`` and one batch. Below ``min_size`` inserting never waits and sampling
    always does. (After the rate limiters of Reverb, Cassirer et al., 2021.)

    Either waits at most ``timeout_s`` seconds (None: for ever) and then raises StreamTimeout.
    """

    def __init__(
        self,
        samples_per_insert: float | None = None,
        *,
        min_size: int = 1,
        tolerance: float = 1000.0,
        timeout_s: float | None = None,
    ) -> None:
        if min_size < 1 or tolerance <= 0 or (samples_per_insert or 1) <= 0:
            raise ConfigError("min_size, tolerance and samples_per_insert are above 0.")
        self._ratio = samples_per_insert
        self._min_size = min_size
        self._tolerance = tolerance
        self._timeout_s = timeout_s
        self._changed = threading.Condition()
        self._inserted = 0
        self._sampled = 0
        self._is_closed = False

    @property
    def balance(self) -> float:
        """By how many transitions sampling is behind; below 0 it is ahead; 0 without a ratio."""
        if self._ratio is None:
            return 0.0
        return (self._inserted - self._min_size) * self._ratio - self._sampled

    def start(self, held: int) -> None:
        """Begin with ``held`` transitions, in balance."""
        with self._changed:
            self._inserted = held
            self._sampled = 0 if self._ratio is None else int((held - self._min_size) * self._ratio)
            self._sampled = max(0, self._sampled)
            self._changed.notify_all()

    def wait_to_insert(self, timeout_s: float | None = None) -> None:
        """Return when a batch may be inserted; raises StreamTimeout, StreamClosed.

        ``timeout_s`` may be shorter than the limiter's own, not longer.
        """
        waits_s = [wait_s for wait_s in (self._timeout_s, timeout_s) if wait_s is not None]
        patience_s = min(waits_s, default=None)
        self._wait(self._may_insert, "inserting is too far ahead of sampling", patience_s)

    def wait_to_sample(self) -> None:
        """Return when a batch may be sampled; raises StreamTimeout, StreamClosed."""
        self._wait(self._may_sample, "sampling is too far ahead of inserting", self._timeout_s)

    def inserted(self, count: int) -> None:
        """Count transitions that came."""
        with self._changed:
            self._inserted += count
            self._changed.notify_all()

    def sampled(self, count: int) -> None:
        """Count transitions that were drawn."""
        with self._changed:
            self._sampled += count
            self._changed.notify_all()

    def close(self) -> None:
        """Wake all who wait; from now on waiting raises StreamClosed."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _may_insert(self) -> bool:
        return self._inserted < self._min_size or self.balance < self._tolerance

    def _may_sample(self) -> bool:
        if self._inserted < self._min_size:
            return False
        return self._ratio is None or self.balance > -self._tolerance

    def _wait(self, is_allowed: Callable[[], bool], reason: str, patience_s: float | None) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or is_allowed(), patience_s)
            if self._is_closed:
                raise StreamClosed("The buffer is closed: nothing can be inserted or sampled.")
            if not is_allowed():
                raise StreamTimeout(
                    f"Waited {patience_s} s: {reason} ({self._inserted} inserted, "
                    f"{self._sampled} sampled, at least {self._min_size} needed). "
                    "Is the other side running?"
                )
