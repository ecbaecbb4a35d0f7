"""Where every transport's calls are answered: decodes, asks the handler, encodes, counts."""

import logging
from time import perf_counter
from typing import Any

from edgeloop.errors import CodecError, EdgeloopError
from edgeloop.stream.codec import Decoder, Encoded, encode
from edgeloop.stream.transport.base import Handler
from edgeloop.stream.transport.frames import Kind, handler_failure, refusal
from edgeloop.stream.transport.tally import Tally

log = logging.getLogger(__name__)

Answer = tuple[Kind, Encoded]


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
            answer = Kind.REPLY, self._reply(header, body)
        except _HandlerRaised as raised:
            answer = Kind.FAILURE, handler_failure(raised.error)
        except EdgeloopError as error:
            answer = Kind.FAILURE, refusal(error)
        if answer[0] is Kind.FAILURE:
            self._tally.failures += 1
        self._tally.timed(perf_counter() - begun)
        return answer

    def _reply(self, header: bytes, body: Any) -> Encoded:
        try:
            route, message = self._decode(header, body)
        except (ValueError, TypeError) as error:
            raise CodecError("A call is a route and a message.") from error
        if type(route) is not str or type(message) is not dict:
            raise CodecError("A call is a route and a message: a text and a dict.")
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
