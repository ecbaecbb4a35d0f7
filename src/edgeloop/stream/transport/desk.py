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

_REPLY = Kind.REPLY
_FAULTS = (Exception, SystemExit)
"""What other people's code may raise: the server lives on."""


class Desk:
    """Answers one call after the other; every thread that answers has one of its own."""

    def __init__(self, handler: Handler, tally: Tally) -> None:
        self._handler = handler
        self._tally = tally
        self._decode = Decoder().decode

    def answer(self, header: bytes, body: Any) -> Answer:
        """The frame that answers this call: a reply, or a failure. Never raises."""
        begun = perf_counter()
        answer: Answer
        try:
            route, message = self._decode(header, body)
            if type(route) is not str or type(message) is not dict:
                raise TypeError("a route is a text, a message a dict")
            try:
                reply = self._handler(route, message)
                if not isinstance(reply, dict):
                    raise TypeError(f"a handler returns a dict, not a {type(reply).__name__}")
                answer = _REPLY, encode(reply)
            except _FAULTS as error:
                answer = self._excuse(route, error)
        except (CodecError, ValueError, TypeError) as error:
            self._tally.failures += 1
            answer = Kind.FAILURE, refusal(CodecError(f"Not a call: {error}"))
        self._tally.timed(perf_counter() - begun)
        return answer

    def _excuse(self, route: str, error: BaseException) -> Answer:
        """What the caller is told of a handler that raised, or returned what cannot be sent."""
        self._tally.failures += 1
        if not isinstance(error, EdgeloopError):
            log.error("the handler failed on %r", route, exc_info=error)
        return Kind.FAILURE, handler_failure(error)
