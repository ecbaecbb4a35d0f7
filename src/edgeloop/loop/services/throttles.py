"""Not too often: failures that count for a while, and a rate that nobody exceeds."""

import ipaddress
import logging
from collections import OrderedDict, deque
from datetime import datetime, timedelta
from typing import Any

from edgeloop import logs
from edgeloop.errors import RateLimited

log = logging.getLogger(__name__)

MAX_KEYS = 10_000
"""How many keys a throttle remembers: the longest unused are forgotten."""
_MAX_NAME = 100


class LoginGuard:
    """Refuses logins after too many failures, of a name from an address or of an address.

    Only failures count: a right password from an address that has not failed is never refused. A
    success forgives what its name has failed from its address.
    """

    def __init__(self) -> None:
        self._names = _Failures(most=10, within=timedelta(minutes=10))
        self._addresses = _Failures(most=100, within=timedelta(minutes=10))

    def check(self, username: str, address: str, *, now: datetime) -> None:
        """Raises RateLimited where the failures of the last minutes are too many."""
        network = network_of(address)
        of_name = self._names.wait((username, network), now=now)
        wait = max(of_name, self._addresses.wait(network, now=now))
        if wait:
            seconds = wait.total_seconds()
            message = f"Too many logins have failed: wait {seconds:.0f} s, then try again."
            raise RateLimited(message, retry_after_s=seconds)

    def failed(self, username: str, address: str, *, now: datetime) -> None:
        """Count a failure, and say it in the log; once more where others have to wait from now."""
        network, shown = network_of(address), username[:_MAX_NAME]
        facts = {"username": shown, "peer": address}
        log.warning("A login as %r from %s failed", shown, address, extra={logs.FACTS: facts})
        if self._names.add((username, network), now=now):
            log.warning("Logins as %r from %s have to wait", shown, network)
        if self._addresses.add(network, now=now):
            log.warning("All logins from %s have to wait", network)

    def succeeded(self, username: str, address: str) -> None:
        """Forgive the failures of this name from this address."""
        self._names.forgive((username, network_of(address)))


class Rate:
    """So many things per minute for each address, all at once if need be; 0: as many as come."""

    def __init__(self, *, per_minute: int, what: str = "uploads") -> None:
        self._per_minute = per_minute
        self._what = what
        self._left: OrderedDict[str, tuple[float, datetime]] = OrderedDict()

    def take(self, address: str, *, now: datetime) -> None:
        """Count one thing; raises RateLimited where the address has had its share."""
        if not self._per_minute:
            return
        key = network_of(address)
        left, at = self._left.pop(key, (float(self._per_minute), now))
        per_second = self._per_minute / 60
        left = min(left + (now - at).total_seconds() * per_second, float(self._per_minute))
        is_over = left < 1
        self._left[key] = (left if is_over else left - 1, now)
        _bound(self._left)
        if is_over:
            much = f"{self._per_minute} {self._what} per minute"
            wait = (1 - left) / per_second
            raise RateLimited(f"More than {much} from {address}: slow down.", retry_after_s=wait)


def network_of(address: str) -> str:
    """What counts as one sender: an IPv4 address, the 64 bits that an IPv6 network is given."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, 64), strict=False))


class _Failures:
    def __init__(self, *, most: int, within: timedelta) -> None:
        self._most = most
        self._within = within
        self._times: OrderedDict[object, deque[datetime]] = OrderedDict()

    def add(self, key: object, *, now: datetime) -> bool:
        """Whether this is the one that makes others wait."""
        had_to_wait = bool(self.wait(key, now=now))
        times = self._times.setdefault(key, deque(maxlen=self._most))
        times.append(now)
        self._times.move_to_end(key)
        _bound(self._times)
        return not had_to_wait and bool(self.wait(key, now=now))

    def forgive(self, key: object) -> None:
        self._times.pop(key, None)

    def wait(self, key: object, *, now: datetime) -> timedelta:
        """Until the oldest of the last ``most`` failures is old enough."""
        times = self._times.get(key, deque())
        if len(times) < self._most:
            return timedelta()
        return max(times[0] + self._within - now, timedelta())


def _bound(keys: OrderedDict[Any, Any]) -> None:
    while len(keys) > MAX_KEYS:
        keys.popitem(last=False)
