"""What a process writes to its stdout and stderr, read by the node: also its last words."""

import asyncio
import codecs
import io
import os
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext

OnOutput = Callable[[str], None]
"""Called with text as it comes, in pieces that need not be whole lines."""
_AT_ONCE = 1 << 16


class Output:
    """A pipe that becomes stdout and stderr of a process; ``on_output`` hears what comes out.

    Processes that the work left behind may hold the pipe open: its end is not waited for.
    """

    def __init__(self, context: SpawnContext, on_output: OnOutput) -> None:
        self._ours, self.theirs = context.Pipe(duplex=False)
        os.set_blocking(self._ours.fileno(), False)
        self._on_output = on_output
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._is_listening = False

    def listen(self) -> None:
        """Read whatever comes, in the running event loop."""
        self.theirs.close()
        self._is_listening = True
        asyncio.get_running_loop().add_reader(self._ours.fileno(), self._receive)

    def close(self) -> None:
        """Read what is left and end; may be called twice."""
        if self._ours.closed:
            return
        if self._is_listening:
            asyncio.get_running_loop().remove_reader(self._ours.fileno())
        while self._receive():
            pass
        self._ours.close()
        self.theirs.close()

    def _receive(self) -> bool:
        """Whether there may be more."""
        try:
            data = os.read(self._ours.fileno(), _AT_ONCE)
        except BlockingIOError:
            return False
        if not data and self._is_listening:
            self._is_listening = False
            asyncio.get_running_loop().remove_reader(self._ours.fileno())
        if text := self._decoder.decode(data, final=not data):
            self._on_output(text)
        return bool(data)


def redirect(output: Connection) -> None:
    """From now on, what this process writes goes to ``output``, line by line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.flush()
            stream.reconfigure(line_buffering=True)
    for descriptor in (1, 2):
        os.dup2(output.fileno(), descriptor)
    output.close()
