"""Who may use the environment: one client at a time, each of its requests once."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar
from uuid import uuid4

from edgeloop.errors import Conflict, EnvironmentLost
from edgeloop.rl.gym_env.thread import Turn

T = TypeVar("T")


@dataclass(slots=True)
class Tenant(Generic[T]):
    """The client that has the environment; ``session`` is the name of its stay."""

    client: str
    session: str
    heard: float
    sequence: int = 0
    turn: Turn[T] | None = None
    may_step: bool = False
    """Whether it has reset the environment."""


class Tenancy(Generic[T]):
    """Lets in one client, until it leaves, another one takes over, or it was silent for long."""

    def __init__(self, silence_s: float, *, clock: Callable[[], float] = monotonic) -> None:
        self._silence_s = silence_s
        self._clock = clock
        self._lock = threading.Lock()
        self._tenant: Tenant[T] | None = None
        self.takeovers = 0
        self.repeats = 0

    def enter(self, client: str, *, takeover: bool) -> str:
        """The session of ``client``: the one that it has, or a new one. Raises Conflict."""
        with self._lock:
            now = self._clock()
            tenant = self._tenant
            if tenant is not None and tenant.client == client:
                tenant.heard = now
                return tenant.session
            if tenant is not None:
                if not takeover and (left := self._left(tenant, now)) > 0:
                    raise Conflict(
                        "Another client has the environment: let it close, pass takeover=True, "
                        f"or come back when it was silent for {left:.3g} s more."
                    )
                self.takeovers += 1
            self._tenant = Tenant(client, uuid4().hex, now)
            return self._tenant.session

    def leave(self, session: str) -> None:
        """The next client may come in. What belongs to another session is left alone."""
        with self._lock:
            if self._tenant is not None and self._tenant.session == session:
                self._tenant = None

    def turn(self, session: str, sequence: int, begin: Callable[[Tenant[T]], Turn[T]]) -> Turn[T]:
        """The turn of this request: begun now, or what it came to when it was made before.

        Raises Conflict where another client has the environment, or for a request that is older
        than the last one; EnvironmentLost where the session ended.
        """
        with self._lock:
            tenant = self._tenant
            if tenant is None or tenant.session != session:
                raise _stranger(tenant)
            tenant.heard = self._clock()
            if sequence == tenant.sequence and tenant.turn is not None:
                self.repeats += 1
            elif sequence > tenant.sequence:
                tenant.turn = begin(tenant)
                tenant.sequence = sequence
            else:
                raise Conflict(f"Request {sequence} is older than the last: {tenant.sequence}.")
            return tenant.turn

    def _left(self, tenant: Tenant[T], now: float) -> float:
        """How long it may still be silent, in seconds; who waits for an answer is not silent."""
        if tenant.turn is not None and not tenant.turn.is_done:
            return self._silence_s
        return tenant.heard + self._silence_s - now


def _stranger(tenant: object) -> Exception:
    if tenant is not None:
        return Conflict("Another client took the environment over: connect again to get it back.")
    return EnvironmentLost(
        "The episode is gone, the server was started again or let another client in: reset."
    )
