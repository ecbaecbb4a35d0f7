"""What travels in either direction: the kinds of frames, and errors as messages."""

import struct
from enum import IntEnum
from typing import Any

from edgeloop.errors import (
    CodecError,
    EdgeloopError,
    Overloaded,
    RemoteError,
    StreamClosed,
    StreamError,
    StreamTimeout,
    TooLarge,
    Unauthenticated,
)
from edgeloop.stream.codec import Encoded, encode
from edgeloop.stream.codec.decoding import Body

VERSION = 1
MAGIC = b"EDL1"
PREFIX = struct.Struct("<4sBBHIQQ")
"""magic, kind, whether the body is in a segment, which, header and body bytes, released segments"""


Frame = tuple["Kind", bytes, Body]
"""kind, header, body"""


class Kind(IntEnum):
    """What a frame is for."""

    GREETING = 1  # server: version, nonce, session, ways in
    HELLO = 2  # client: proof of the token
    WELCOME = 3  # server: come in
    CALL = 4  # client: [route, message]
    REPLY = 5  # server: message
    FAILURE = 6  # server: [origin, type, text]
    SUBSCRIBE = 7  # client: [topic, session, version seen last]
    PUBLICATION = 8  # server: [version, message]
    READY = 9  # client: the publication was dealt with; either: hand me the segment
    OFFER = 10  # either: a new segment of shared memory


class Idle(StreamTimeout):
    """Nothing came in time, not even the beginning of a frame."""


_REFUSALS: dict[str, type[EdgeloopError]] = {
    error.__name__: error
    for error in (CodecError, Overloaded, StreamClosed, TooLarge, Unauthenticated)
}


def handler_failure(error: BaseException) -> Encoded:
    """The message that tells the client what the handler raised."""
    return encode(["handler", type(error).__name__, _text(error)])


def refusal(error: EdgeloopError) -> Encoded:
    """The message that tells the client why the transport itself refuses."""
    return encode(["transport", type(error).__name__, _text(error)])


def error_from(failure: Any) -> EdgeloopError:
    """The error that a failure stands for."""
    try:
        origin, name, text = failure
    except (ValueError, TypeError):
        return CodecError("The server's failure is not readable: are both sides of one version?")
    if origin == "transport":
        return _REFUSALS.get(str(name), StreamError)(str(text))
    return RemoteError(str(name), str(text))


def check_size(message: Encoded, most: int) -> None:
    """Raise TooLarge for a message of more than ``most`` bytes."""
    size = len(message.header) + message.size
    if size > most:
        raise TooLarge(
            f"The message has {size} bytes, {most} are allowed: "
            "send less at once, or raise Limits.message_bytes on both sides."
        )


def _text(error: BaseException) -> str:
    return str(error).encode("utf-8", "replace").decode()[:10_000]
