"""A client's hold on an environment: asks until the answer is there, and has nothing done twice."""

import threading
from time import monotonic
from uuid import uuid4

from edgeloop.errors import (
    CodecError,
    ConfigMismatch,
    Conflict,
    EdgeloopError,
    EnvironmentLost,
    RemoteError,
    StreamClosed,
    StreamTimeout,
    TooLarge,
)
from edgeloop.stream import Client, Message
from edgeloop.stream.codec import pack
from edgeloop.stream.transport import Counters

_FIRST_PAUSE_S = 0.01
_LONGEST_PAUSE_S = 0.5
_FAREWELL_S = 1.0
_LONGEST_PATIENCE_S = 15.0
_CERTAIN = (CodecError, ConfigMismatch, Conflict, EnvironmentLost, RemoteError, TooLarge)
"""After these it is known whether the environment did what was asked."""
_CHANGING = ("reset", "step")
_REFUSALS: dict[str, type[EdgeloopError]] = {
    error.__name__: error for error in (Conflict, EnvironmentLost)
}


class Asker:
    """Asks for one thing after the other; may be used from several threads.

    ``timeout_s`` is how long the server may be silent: it says by itself that a step takes longer.
    Raises Conflict where another client has the environment, StreamTimeout, ...
    """

    def __init__(self, client: Client, *, timeout_s: float, takeover: bool) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._patience_s = min(timeout_s / 4, _LONGEST_PATIENCE_S)
        self._name = uuid4().hex
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._sequence = 0
        self._doubt: tuple[int, str, bytes] | None = None
        """The request that may or may not have been done: its number, its route and all else."""
        self._session, self.environment = self._enter(takeover=takeover)

    def ask(self, route: str, request: Message) -> Message:
        """The environment's answer.

        Raises RemoteError with what the environment raised; EnvironmentLost where the episode is
        gone; Conflict where another client took over, or where the last request's outcome is not
        known and this is another one; StreamTimeout and StreamClosed, after which it is not known
        whether it was done: the same request again gets its answer. CodecError, TooLarge.
        """
        with self._lock:
            sequence = self._number(route, request)
            try:
                answer = self._answer(route, request, sequence)
            except _CERTAIN:
                self._doubt = None
                raise
            except BaseException:
                self._doubt = (sequence, route, bytes(pack(request)))
                raise
            self._doubt = None
            return answer

    def counters(self) -> Counters:
        """What happened so far."""
        return self._client.counters()

    def close(self) -> None:
        """Leave, and end what another thread waits for. Idempotent."""
        if self._closing.is_set():
            return
        self._closing.set()
        try:
            seconds = min(self._timeout_s, _FAREWELL_S)
            self._client.call("leave", {"session": self._session}, timeout_s=seconds)
        except EdgeloopError:
            pass  # it will be taken for silent
        finally:
            self._client.close()

    def _number(self, route: str, request: Message) -> int:
        """The number of a request: of the one in doubt, where this is the same again."""
        if self._doubt is not None:
            sequence, last_route, last = self._doubt
            if (route, bytes(pack(request))) == (last_route, last):
                return sequence
            if last_route in _CHANGING and route != "reset":
                raise Conflict(
                    f"Whether the last {last_route} was done is not known: "
                    f"{last_route} again with the same arguments to get its answer, or reset."
                )
            self._doubt = None
        self._sequence += 1
        return self._sequence

    def _answer(self, route: str, request: Message, sequence: int) -> Message:
        try:
            return self._insist(route, self._numbered(request, sequence))
        except EnvironmentLost:
            if route != "reset":
                raise
        session, environment = self._enter(takeover=False)
        if pack(environment) != pack(self.environment):
            self._insist("leave", {"session": session})
            raise ConfigMismatch("The server has another environment now: connect again.")
        self._session = session
        return self._insist(route, self._numbered(request, sequence))

    def _numbered(self, request: Message, sequence: int) -> Message:
        return {
            **request,
            "session": self._session,
            "sequence": sequence,
            "patience_s": self._patience_s,
        }

    def _enter(self, *, takeover: bool) -> tuple[str, Message]:
        answer = self._insist("enter", {"client": self._name, "takeover": takeover})
        return str(answer.get("session")), answer.get("environment", {})

    def _insist(self, route: str, message: Message) -> Message:
        """The answer to this very message, however often it must be sent."""
        heard = monotonic()
        pause_s = _FIRST_PAUSE_S
        while True:
            if self._closing.is_set():
                raise StreamClosed("The environment is closed: make a new client.")
            try:
                answer = self._client.call(route, message, timeout_s=self._timeout_s / 2)
            except (StreamClosed, StreamTimeout) as error:
                if (silent_s := monotonic() - heard) >= self._timeout_s:
                    raise StreamTimeout(f"No answer for {silent_s:.3g} s ({error})") from error
                self._closing.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            if "is_busy" in answer:
                heard = monotonic()
            elif "refused" in answer:
                kind = _REFUSALS.get(str(answer["refused"]), Conflict)
                raise kind(str(answer.get("why")))
            else:
                return answer
