"""Calls that came together are answered together.

No thread of its own: the call that came first leads. It answers those that wait with it, then lets
the next one lead. So a lone call is answered by its own thread at once.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable
from time import monotonic

from edgeloop.stream.inference.stacking import layout_of, part_of, stack
from edgeloop.stream.transport import Message

log = logging.getLogger(__name__)

Callback = Callable[[Message], Message]
_FAULTS = (Exception, SystemExit)
"""What other people's code may raise."""


class Batcher:
    """Answers a call by ``callback``, together with up to ``most`` of those that wait with it.

    ``callback`` runs in the threads of the calls, one at a time.
    """

    def __init__(self, callback: Callback, *, most: int, wait_s: float) -> None:
        self.batches = 0
        self.calls = 0
        self._callback = callback
        self._most = most
        self._wait_s = wait_s
        self._lock = threading.Lock()
        self._more = threading.Condition(self._lock)
        self._waiting: deque[_Call] = deque()
        self._is_led = False

    def __call__(self, message: Message) -> Message:
        with self._lock:
            leads, self._is_led = not self._is_led, True
            if not leads or self._wait_s:
                call = _Call(message, monotonic(), leads=leads)
                self._waiting.append(call)
                self._more.notify()
        if leads and not self._wait_s:
            return self._answer_alone(message)
        if call.waits_to_lead():
            self._lead()
        return call.outcome()

    @property
    def waiting(self) -> int:
        """How many calls wait for a batch now."""
        return len(self._waiting)

    def _answer_alone(self, message: Message) -> Message:
        """Nobody waits: no call is quicker than this."""
        try:
            self.batches += 1
            self.calls += 1
            answer: Message = part_of(self._called([message]), 0, 1)
            return answer
        finally:
            self._hand_over()

    def _lead(self) -> None:
        """Answer the call that waits longest, and those like it; then let the next one lead."""
        batch: list[_Call] = []
        try:
            self._gather(batch)
            self._answer(batch)
        finally:
            self._hand_over()
            for call in batch[1:]:
                call.go(leads=False)

    def _gather(self, batch: "list[_Call]") -> None:
        with self._more:
            if self._wait_s:
                left = self._waiting[0].came + self._wait_s - monotonic()
                self._more.wait_for(lambda: len(self._waiting) >= self._most, max(0.0, left))
            batch.append(self._waiting.popleft())
            if self._waiting:
                layout = batch[0].layout()
                alike = [call for call in self._waiting if call.layout() == layout]
                for call in alike[: self._most - 1]:
                    self._waiting.remove(call)
                    batch.append(call)

    def _answer(self, batch: "list[_Call]") -> None:
        self.batches += 1
        self.calls += len(batch)
        if len(batch) > 1:
            try:
                self._answer_as_one(batch)
            except _FAULTS as error:
                log.warning("A batch of %d failed, its calls are repeated: %r", len(batch), error)
            else:
                return
        for call in batch:
            try:
                self._answer_as_one([call])
            except _FAULTS as error:
                call.error = error

    def _answer_as_one(self, batch: "list[_Call]") -> None:
        answer = self._called([call.message for call in batch])
        for index, call in enumerate(batch):
            call.answer = part_of(answer, index, len(batch))

    def _called(self, messages: list[Message]) -> Message:
        answer = self._callback(stack(messages))
        if not isinstance(answer, dict):
            raise TypeError(f"a callback returns a dict, not a {type(answer).__name__}")
        return answer

    def _hand_over(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting[0].go(leads=True)
            else:
                self._is_led = False


class _Call:
    """A call, and what comes of it."""

    __slots__ = ("_layout", "_leads", "_turn", "answer", "came", "error", "message")

    def __init__(self, message: Message, came: float, *, leads: bool) -> None:
        self.message = message
        self.came = came
        self.answer: Message = {}
        self.error: BaseException | None = None
        self._layout: Hashable = None
        self._leads = leads
        self._turn = threading.Lock()
        if not leads:
            self._turn.acquire()

    def layout(self) -> Hashable:
        """What calls of one batch have in common."""
        if self._layout is None:
            self._layout = layout_of(self.message)
        return self._layout

    def waits_to_lead(self) -> bool:
        """Wait for `go`: True to lead, False with an outcome."""
        self._turn.acquire()
        return self._leads

    def go(self, *, leads: bool) -> None:
        """Let its thread go on."""
        self._leads = leads
        self._turn.release()

    def outcome(self) -> Message:
        """What the callback answered; raises what it raised."""
        error, self.error = self.error, None
        try:
            if error is not None:
                raise error
            return self.answer
        finally:
            del error  # its traceback refers to this frame: no cycle keeps the message's memory
