"""Runs work in a spawned process with a process group of its own; its messages are JSON."""

import asyncio
import contextlib
import json
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from edgeloop import host
from edgeloop.errors import EdgeloopError, TrainingFailed, TrainingInterrupted
from edgeloop.nodes.trainer.worker.output import OnOutput, Output, redirect

log = logging.getLogger(__name__)

Message = Mapping[str, Any]
Work = Callable[..., Iterable[Message]]

KILL_AFTER_S = 5.0
_MAIN_GUARD = "if __name__ == '__main__':"


class WorkerProcess:
    """A context: the process runs ``work(*arguments)`` inside it, and nothing of it after it.

    ``work`` and its arguments must be importable by name: the process is spawned. It ends by itself
    when this process ends, however that happens. With ``on_output``, what it writes to stdout and
    stderr is passed on instead of appearing there.
    """

    def __init__(
        self,
        work: Work,
        *arguments: Any,
        kill_after_s: float = KILL_AFTER_S,
        on_output: OnOutput | None = None,
    ) -> None:
        spawning = multiprocessing.get_context("spawn")
        self._ours, self._theirs = spawning.Pipe()
        self._output = Output(spawning, on_output) if on_output else None
        said = self._output.theirs if self._output else None
        self._process = spawning.Process(
            target=_run_work, args=(self._theirs, said, work, *arguments)
        )
        self._kill_after_s = kill_after_s
        self._received: asyncio.Queue[Message | None] = asyncio.Queue()
        self._exit_descriptor = -1
        self._started = False
        self._finished = False

    async def __aenter__(self) -> Self:
        try:
            self._process.start()
        except BaseException:
            self._ours.close()
            self._close_output()
            raise
        finally:
            self._theirs.close()
        self._exit_descriptor = _exit_descriptor(self._process)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._ours.fileno(), self._receive)
        loop.add_reader(self._exit_descriptor, self._note_exit)
        if self._output:
            self._output.listen()
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self._stop_listening()
        await asyncio.to_thread(self._end)
        self._close_output()

    @property
    def pid(self) -> int:
        """The process, which is also its process group."""
        return self._process.pid or 0

    async def messages(self) -> AsyncIterator[Message]:
        """What the work yields.

        Raises TrainingFailed where repeating it is useless, TrainingInterrupted where it is not.
        """
        while (message := await self._received.get()) is not None:
            match message:
                case {"kind": "started"}:
                    self._started = True
                case {"kind": "done"}:
                    self._finished = True
                    return
                case {"kind": "failed", "message": text}:
                    raise TrainingFailed(text)
                case {"kind": "crashed", "message": text}:
                    raise TrainingInterrupted(text)
                case _:
                    yield message
        raise await asyncio.to_thread(self._why_it_ended)

    def _receive(self) -> None:
        try:
            self._received.put_nowait(json.loads(self._ours.recv_bytes()))
        except (EOFError, OSError):
            self._stop_listening()
            self._received.put_nowait(None)

    def _note_exit(self) -> None:
        # Processes that the work left behind may hold the pipe open: its end may never come.
        with contextlib.suppress(EOFError, OSError):
            while self._ours.poll():
                self._received.put_nowait(json.loads(self._ours.recv_bytes()))
        self._stop_listening()
        self._received.put_nowait(None)

    def _stop_listening(self) -> None:
        if self._exit_descriptor >= 0:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._ours.fileno())
            loop.remove_reader(self._exit_descriptor)
            os.close(self._exit_descriptor)
            self._exit_descriptor = -1

    def _why_it_ended(self) -> EdgeloopError:
        self._process.join(self._kill_after_s)
        code = self._process.exitcode
        if not self._started and code is not None and code > 0:
            return TrainingFailed(
                "The training process could not begin: its script cannot be imported there (the "
                f"reason is in this node's output). Does it start the node below {_MAIN_GUARD!r}?"
            )
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            return TrainingInterrupted(f"The training process was ended by {name}.")
        return TrainingInterrupted(f"The training process ended with exit code {code}.")

    def _end(self) -> None:
        if self._finished:
            self._process.join(self._kill_after_s)
        self._signal_group(signal.SIGTERM)
        self._process.join(self._kill_after_s)
        self._signal_group(signal.SIGKILL)
        self._process.join()
        self._process.close()
        self._ours.close()

    def _close_output(self) -> None:
        if self._output:
            self._output.close()

    def _signal_group(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:  # it has no group of its own yet, or all of it is gone
            if self._process.exitcode is None:
                os.kill(self.pid, number)


def _exit_descriptor(process: "multiprocessing.context.SpawnProcess") -> int:
    """Readable as soon as the process has ended; ours to close."""
    if hasattr(os, "pidfd_open"):
        return os.pidfd_open(process.pid or 0)
    return os.dup(process.sentinel)


def _run_work(
    connection: Connection, output: Connection | None, work: Work, *arguments: Any
) -> None:
    os.setsid()
    if output:
        redirect(output)
    host.show_log()
    threading.Thread(target=_end_with_the_node, args=(connection,), daemon=True).start()

    def send(message: Message) -> None:
        connection.send_bytes(json.dumps(message).encode())

    send({"kind": "started"})
    try:
        for message in work(*arguments):
            send(message)
    except EdgeloopError as error:
        send({"kind": "crashed" if error.retryable else "failed", "message": str(error)})
    except Exception as error:
        log.exception("The training crashed.")
        send({"kind": "crashed", "message": f"{type(error).__name__}: {error}"})
    else:
        send({"kind": "done"})


def _end_with_the_node(connection: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        connection.recv_bytes()  # the node never sends: this returns when it is gone
    os.killpg(0, signal.SIGKILL)
