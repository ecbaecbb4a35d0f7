"""Which files are being stored or removed now: nobody removes what another counts on."""

import asyncio
from collections import Counter
from collections.abc import Collection


class Holders:
    """Counts, by key, who stores or removes a file in this process at the moment."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()
        self._leaving: dict[str, asyncio.Event] = {}

    async def take(self, keys: Collection[str]) -> None:
        """Hold these files; waits while one of them is being removed."""
        while busy := next((self._leaving[key] for key in keys if key in self._leaving), None):
            await busy.wait()
        self._held.update(keys)

    def leave(self, keys: Collection[str]) -> frozenset[str]:
        """Hold these files no longer; returns those that nobody else holds.

        Who wants one of those waits until ``gone`` is called with them.
        """
        self._held.subtract(keys)
        alone = frozenset(key for key in keys if self._held[key] <= 0)
        for key in alone:
            del self._held[key]
            self._leaving[key] = asyncio.Event()
        return alone

    def gone(self, keys: Collection[str]) -> None:
        """What was to be done with these files of ``leave`` is done."""
        for key in keys:
            self._leaving.pop(key).set()
