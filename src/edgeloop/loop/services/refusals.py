"""Devices that were not let in lately: people are told, in the log and on the pages."""

import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

log = logging.getLogger(__name__)

MAX_PROJECTS = 200
MAX_PEERS = 5
SHOWN_FOR = timedelta(days=1)
LOG_AGAIN_AFTER = timedelta(minutes=10)
"""A device repeats itself every few seconds."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """How often a peer was not let into a project, what it wanted last, and when that was."""

    project: str
    peer: str
    wanted: str
    count: int
    first: datetime
    last: datetime


class Refusals:
    """The last peers that were refused, a few for each project; the oldest are forgotten."""

    def __init__(self) -> None:
        self._projects: OrderedDict[str, OrderedDict[str, Refusal]] = OrderedDict()
        self._logged: OrderedDict[tuple[str, str], datetime] = OrderedDict()

    def note(self, project: str, *, peer: str, wanted: str, now: datetime) -> None:
        """A peer was refused; says so in the log, once in a while."""
        peers = self._projects.setdefault(project, OrderedDict())
        before = peers.pop(peer, None) or Refusal(project, peer, wanted, 0, now, now)
        peers[peer] = replace(before, wanted=wanted, count=before.count + 1, last=now)
        self._projects.move_to_end(project)
        while len(peers) > MAX_PEERS:
            peers.popitem(last=False)
        while len(self._projects) > MAX_PROJECTS:
            self._projects.popitem(last=False)
        self._log(peers[peer], now)

    def forget(self, project: str) -> None:
        """The project was opened, or is no more."""
        self._projects.pop(project, None)

    def projects(self) -> Sequence[str]:
        """The projects that have refused somebody, the last first."""
        return [*reversed(self._projects)]

    def of(self, project: str, *, now: datetime) -> Sequence[Refusal]:
        """Who was refused by a project within a day, the last first."""
        found = reversed(self._projects.get(project, OrderedDict()).values())
        return [refusal for refusal in found if now - refusal.last < SHOWN_FOR]

    def _log(self, refusal: Refusal, now: datetime) -> None:
        key = (refusal.project, refusal.peer)
        logged = self._logged.get(key)
        if logged is not None and now - logged < LOG_AGAIN_AFTER:
            return
        self._logged[key] = now
        self._logged.move_to_end(key)
        while len(self._logged) > MAX_PROJECTS * MAX_PEERS:
            self._logged.popitem(last=False)
        log.warning(
            "Refused %s, which wanted to %s of %s without a login: open the project with "
            "'edgeloop project open %s', or give the device a token with 'edgeloop token create "
            "NAME --scope device --project %s'.",
            refusal.peer or "a device",
            refusal.wanted,
            *([refusal.project] * 3),
        )
