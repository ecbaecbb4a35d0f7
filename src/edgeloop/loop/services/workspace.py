"""What a service works with."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from edgeloop.loop.db.memory import Memory, Tables
from edgeloop.loop.db.session import Database
from edgeloop.loop.services.fleet import Fleet
from edgeloop.loop.services.holders import Holders
from edgeloop.loop.services.passwords import Passwords
from edgeloop.loop.services.presence import Presence
from edgeloop.loop.services.refusals import Refusals
from edgeloop.loop.services.sightings import Sightings
from edgeloop.loop.services.throttles import LoginGuard, Rate
from edgeloop.loop.storage import ObjectStorage
from edgeloop.types import Role

T = TypeVar("T")
NEWS_PER_MINUTE = 300
"""How often strangers may say something new of themselves, by address."""


def _news() -> Rate:
    return Rate(per_minute=NEWS_PER_MINUTE, what="new reports")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: an account, a device (no account) or the loop itself.

    ``grants`` are roles by address: ``""`` is the whole loop, then ORGANIZATION and
    ORGANIZATION/PROJECT. ``device_grants``: those of which a token lends what devices do.
    ``token_id``: the API token that speaks for it. ``has_session``: logged in, a device that did it
    without credentials included. ``is_local``: a program on the same host. ``peer``: its address.
    """

    account_id: str | None = None
    username: str = ""
    grants: Mapping[str, Role] = field(default_factory=dict)
    device_grants: Mapping[str, Role] = field(default_factory=dict)
    token_id: str | None = None
    is_local: bool = False
    peer: str = ""
    has_session: bool = False

    @property
    def is_admin(self) -> bool:
        """Whether the whole loop is the caller's."""
        return self.grants.get("") == "admin"

    @property
    def is_device(self) -> bool:
        """Whether neither an account nor the loop itself asks."""
        return self.account_id is None and not self.is_admin

    @property
    def is_stranger(self) -> bool:
        """Whether a device of another host asks that shows no token: anybody could be it."""
        return self.is_device and not self.is_local and self.token_id is None


@dataclass(frozen=True, slots=True)
class Recent:
    """What happens so often that it is not written down each time."""

    sessions: Sightings = field(default_factory=Sightings)
    tokens: Sightings = field(default_factory=Sightings)
    nodes: Presence = field(default_factory=Presence)


@dataclass(frozen=True, slots=True)
class Workspace:
    """The database session, the storage, the connected nodes, the clock (UTC) and who asks."""

    session: AsyncSession
    storage: ObjectStorage
    fleet: Fleet
    clock: Callable[[], datetime]
    caller: Caller
    refusals: Refusals = field(default_factory=Refusals)
    recent: Recent = field(default_factory=Recent)
    memory: Memory | None = None

    async def remembered(
        self, key: Hashable, tables: Tables, read: Callable[[], Awaitable[T]]
    ) -> T:
        """What ``read`` returns, or did before if these tables are as they were then.

        Who writes always reads.
        """
        return await (read() if self.memory is None else self.memory.get(key, tables, read))


@dataclass(frozen=True, slots=True)
class Workspaces:
    """Opens workspaces. Files and nodes are waited for outside of a writing one: others wait."""

    database: Database
    storage: ObjectStorage
    fleet: Fleet
    clock: Callable[[], datetime]
    holders: Holders = field(default_factory=Holders)
    passwords: Passwords = field(default_factory=Passwords)
    logins: LoginGuard = field(default_factory=LoginGuard)
    refusals: Refusals = field(default_factory=Refusals)
    recent: Recent = field(default_factory=Recent)
    news: Rate = field(default_factory=_news)

    @contextlib.asynccontextmanager
    async def read(self, caller: Caller | None = None) -> AsyncIterator[Workspace]:
        """A workspace that sees one moment and changes nothing; the loop itself asks by default."""
        async with self.database.read() as session:
            yield self._workspace(session, caller, memory=self.database.memory)

    @contextlib.asynccontextmanager
    async def write(self, caller: Caller | None = None) -> AsyncIterator[Workspace]:
        """A workspace whose changes are kept when the block ends well, and undone otherwise."""
        async with self.database.write() as session:
            yield self._workspace(session, caller)

    def _workspace(
        self, session: AsyncSession, caller: Caller | None, *, memory: Memory | None = None
    ) -> Workspace:
        return Workspace(
            session,
            self.storage,
            self.fleet,
            self.clock,
            caller or Caller(username="edgeloop", grants={"": "admin"}),
            refusals=self.refusals,
            recent=self.recent,
            memory=memory,
        )
