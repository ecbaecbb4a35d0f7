"""Where every transport's calls are answered: decodes, asks the handler, encodes, counts."""

import logging
from time import perf_counter
from typing import Any

from edgeloop.errors import CodecError, EdgeloopError
from edgeloop.stream.codec import Decoder, Encoded, encode
from edgeloop.stream.transport.base import Handler, Message
from edgeloop.stream.transport.frames import Kind, handler_failure, refusal
from edgeloop.stream.transport.tally import Tally

log = logging.getLogger(__name__)

Answer = tuple[Kind, Encoded]

_REPLY = Kind.REPLY


class Desk:
    """Answers one call after the other; every thread that answers has one of its own."""

    def __init__(self, handler: Handler, tally: Tally) -> None:
        self._handler = handler
        self._tally = tally
        self._decode = Decoder().decode

    def answer(self, header: bytes, body: Any) -> Answer:
        """The frame that answers this call: a reply, or a failure. Never raises."""
        begun = perf_counter()
        try:
            route, message = self._decode(header, body)
            if type(route) is not str or type(message) is not dict:
                raise TypeError("a route is a text, a message a dict")
            answer = _REPLY, self._reply(route, message)
        except _HandlerRaised as raised:
            self._tally.failures += 1
            answer = Kind.FAILURE, handler_failure(raised.error)
        except CodecError as error:
            self._tally.failures += 1
            answer = Kind.FAILURE, refusal(error)
        except (ValueError, TypeError) as error:
            self._tally.failures += 1
            answer = Kind.FAILURE, refusal(CodecError(f"Not a call ({error})."))
        self._tally.timed(perf_counter() - begun)
        return answer

    def _reply(self, route: str, message: Message) -> Encoded:
        try:
            reply = self._handler(route, message)
            if not isinstance(reply, dict):
                raise TypeError(f"the handler must return a dict, not a {type(reply).__name__}")
            return encode(reply)
        except EdgeloopError as error:
            raise _HandlerRaised(error) from error
        except (Exception, SystemExit) as error:  # other people's code: the server lives on
            log.exception("the handler failed on %r", route)
            raise _HandlerRaised(error) from error


class _HandlerRaised(Exception):
    """The handler raised, or returned what cannot be sent."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error
