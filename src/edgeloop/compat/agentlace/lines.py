"""How a client of agentlace asks: a timeout that may be changed, and None where nobody answered."""

import logging
import math
from collections.abc import Callable
from typing import Any, TypeVar

from edgeloop.errors import CodecError, ConfigMismatch, EdgeloopError, StreamError, Unauthenticated
from edgeloop.stream import ClientOptions
from edgeloop.stream.codec import encode

log = logging.getLogger(__name__)

T = TypeVar("T")

_OTHER_CONFIG = "Incompatible config with hash with server."


class Line:
    """Where the other side is, and how many milliseconds it may take; both may be changed."""

    def __init__(self, ip: str, port: int, timeout_ms: float) -> None:
        self.ip = ip
        self.port = port
        self.timeout_ms = timeout_ms

    @property
    def timeout_s(self) -> float:
        """The timeout in seconds, at least a thousandth."""
        return max(0.001, self.timeout_ms / 1000)

    def reset_socket(self) -> None:
        """Nothing to do: a lost connection comes back by itself, a new timeout holds at once."""

    def ask(
        self, call: Callable[[], T], sent: Any, *, refused: tuple[type[EdgeloopError], ...] = ()
    ) -> T | None:
        """What ``call`` gives; None, and a warning, where there was no answer in time or an error.

        Raises the errors ``refused``, and CodecError where what is ``sent`` cannot be.
        """
        try:
            return call()
        except refused:
            raise
        except CodecError as error:
            encode(sent)  # raises if it is this side's fault
            self._warn(error)
        except EdgeloopError as error:
            self._warn(error)
        return None

    def join(self, open_client: Callable[[ClientOptions], T], what: str, *, wait: bool) -> T:
        """The client that is opened, after any time that it takes if it is to ``wait``.

        Raises Exception, with agentlace's words, where there is no such server.
        """
        options: ClientOptions = {"timeout_s": self.timeout_s}
        if wait:
            options["wait_for_server_s"] = math.inf
        try:
            return open_client(options)
        except ConfigMismatch as error:
            raise Exception(f"{_OTHER_CONFIG} {error}") from error
        except (StreamError, Unauthenticated) as error:
            raise Exception(f"Failed to connect to {what}") from error

    def _warn(self, error: EdgeloopError) -> None:
        log.warning("no answer from %s:%s: %s", self.ip, self.port, error)
