"""Passwords: hashed and tried by argon2, off the event loop, a few at a time."""

import asyncio
import contextlib
import functools
import secrets
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import argon2

from edgeloop.errors import Overloaded

HASHER = argon2.PasswordHasher()
"""Argon2id, as costly as its authors recommend."""
AT_ONCE = 2
"""Each takes 64 MiB for some 50 ms; more at once would only take more memory."""
MAX_WAITING = 200
LENGTHS = range(8, 1001)
"""How many characters a password has."""

T = TypeVar("T")


class Passwords:
    """Hashes and tries passwords in threads of its own: a storm of logins holds up nobody else."""

    def __init__(self, *, at_once: int = AT_ONCE, max_waiting: int = MAX_WAITING) -> None:
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="passwords")
        self._free = asyncio.Semaphore(at_once)
        self._waiting = 0
        self._max_waiting = max_waiting

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for one's turn; raises Overloaded where too many others wait for theirs."""
        if self._waiting >= self._max_waiting:
            raise Overloaded("Too many logins at the same time: wait and repeat.")
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()

    async def hash_of(self, password: str) -> str:
        """What is to be kept of a password."""
        async with self.turn():
            return await self._run(lambda: HASHER.hash(password))

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether it is the password; without a hash it takes as long. Call it within a turn."""
        return await self._run(lambda: _matches(password_hash or _decoy(), password))

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def made_up() -> str:
    """A new password, for someone who will be told."""
    return secrets.token_urlsafe(12)


def _matches(password_hash: str, password: str) -> bool:
    try:
        return HASHER.verify(password_hash, password)
    except argon2.exceptions.VerifyMismatchError:
        return False


@functools.cache
def _decoy() -> str:
    # An unknown username takes as long as a wrong password.
    return HASHER.hash(secrets.token_urlsafe())
