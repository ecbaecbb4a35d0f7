"""The log of a training: kept beside it, and its end told to the loop."""

import asyncio
import contextlib
import logging
import os
import re
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from io import FileIO
from pathlib import Path

from edgeloop.client import LoopSession
from edgeloop.nodes.trainer.stages.courier import ANSWER_WITHIN_S, Courier
from edgeloop.protocol import events
from edgeloop.protocol.payloads.trainings import MAX_LOG_CHARS, TrainingOrder

EVERY_S = 2.0
"""How long the loop is left alone after it was told."""
MAX_FILE_BYTES = 16 << 20
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_REDRAWN = re.compile(r"[^\n]*\r(?=[^\n])")


class TrainingLog(logging.Handler):
    """What this node logs and what the training prints while a training is ``open``.

    It is written to a file of the training's own, which outlives this process; that begins anew
    when it has ``max_file_bytes``. ``run`` tells the loop of its end whenever that has changed.
    """

    def __init__(
        self,
        session: LoopSession,
        *,
        answer_within_s: float = ANSWER_WITHIN_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        max_file_bytes: int = MAX_FILE_BYTES,
    ) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        self._courier = Courier(
            session, events.UPDATE_LOG, answer_within_s=answer_within_s, sleep=sleep
        )
        self._sleep = sleep
        self._max_file_bytes = max_file_bytes
        self._writing = threading.Lock()
        self._order: TrainingOrder | None = None
        self._file: FileIO | None = None
        self._end = ""
        self._former: list[tuple[TrainingOrder, str]] = []
        self._news = asyncio.Event()
        self._wake: Callable[[], object] = self._news.set

    @contextlib.contextmanager
    def open(self, order: TrainingOrder, path: Path) -> Iterator[None]:
        """Keep the log of this training during the block; goes on where a former run ended."""
        with contextlib.ExitStack() as stack:
            self._end = ""
            with contextlib.suppress(OSError):  # a full disk shall not keep the training from it
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = stack.enter_context(path.open("a+b", buffering=0))
                self._file.seek(max(0, self._file.tell() - MAX_LOG_CHARS))
                self._end = self._file.read(MAX_LOG_CHARS).decode(errors="replace")
            self._order = order
            source = logging.getLogger("edgeloop")
            source.addHandler(self)
            try:
                yield
            finally:
                source.removeHandler(self)
                self._former.append((order, self.end()))
                self._order = self._file = None
                self._wake()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what this node logs."""
        if not record.name.startswith(_OWN):  # it would tell of its telling
            self._keep(f"{self.format(record)}\n")

    def hear(self, text: str) -> None:
        """Keep what the training prints, and show it."""
        sys.stderr.write(text)
        sys.stderr.flush()
        self._keep(text)

    def end(self) -> str:
        """The last of it, as a terminal would show it."""
        lines = _REDRAWN.sub("", _ESCAPES.sub("", self._end.replace("\r\n", "\n")))
        return lines[-MAX_LOG_CHARS:]

    async def run(self) -> None:
        """Tell the loop, for ever."""
        loop = asyncio.get_running_loop()
        self._wake = lambda: loop.call_soon_threadsafe(self._news.set)
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                while self._former:
                    await self._tell(*self._former.pop(0))
                if self._order:
                    await self._tell(self._order, self.end())
                await self._sleep(EVERY_S)
        finally:
            self._wake = self._news.set

    async def _tell(self, order: TrainingOrder, text: str) -> None:
        await self._courier.deliver(order, {"text": text})

    def _keep(self, text: str) -> None:
        with self._writing:
            # Twice as much as is told: redrawn lines and colours are taken out of it.
            self._end = (self._end + text)[-2 * MAX_LOG_CHARS :]
            with contextlib.suppress(OSError):
                self._write(text.encode(errors="replace"))
        self._wake()

    def _write(self, data: bytes) -> None:
        if self._file is None:
            return
        if self._file.tell() + len(data) > self._max_file_bytes:
            os.ftruncate(self._file.fileno(), 0)
        self._file.write(data)


_OWN = "edgeloop.nodes.trainer.stages.courier"
