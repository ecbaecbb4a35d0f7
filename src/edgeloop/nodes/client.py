"""NodeClient: a node's client of the loop, which does not insist on a login that was refused."""

import asyncio
import time
from collections.abc import Callable

from edgeloop.client import AsyncLoopClient, ClientSettings
from edgeloop.client.retry import REFUSED_LOGIN_PAUSE_S
from edgeloop.errors import Unauthenticated


class NodeClient(AsyncLoopClient):
    """What all parts of a node share: after a refused login none of them asks for the next one
    for five minutes.

    Each one that is refused counts at the loop, which locks out who fails too often, and with it
    everybody else of that name and address.
    """

    def __init__(
        self, settings: ClientSettings, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(settings)
        self._clock = clock
        self._refusal = ""
        self._again_at = 0.0
        self._has_logged_in = False
        self._is_unknown = asyncio.Event()

    async def log_in(self) -> None:
        """Begin a new session, if there is no token; raises Unauthenticated, for a while without
        asking the loop."""
        if self._refusal and self._clock() < self._again_at:
            raise Unauthenticated(self._refusal)
        try:
            await super().log_in()
        except Unauthenticated as error:
            self._refusal = str(error)
            self._again_at = self._clock() + REFUSED_LOGIN_PAUSE_S
            if not self._has_logged_in:
                self._is_unknown.set()
            raise
        self._refusal = ""
        self._has_logged_in = True

    async def until_unknown(self) -> None:
        """Wait, for ever if need be, until the first login is refused; then raise what was said."""
        await self._is_unknown.wait()
        raise Unauthenticated(self._refusal)
