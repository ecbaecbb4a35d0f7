"""Frames as one piece of bytes, for transports that carry such pieces."""

from edgeloop.errors import CodecError, TooLarge
from edgeloop.stream.codec import MAX_HEADER_BYTES, Encoded
from edgeloop.stream.codec.decoding import Body
from edgeloop.stream.transport.buffers import Buffers
from edgeloop.stream.transport.desk import Answer, Desk
from edgeloop.stream.transport.frames import (
    MAGIC,
    PREFIX,
    Frame,
    Kind,
    check_size,
    refusal,
)

_SMALL_BYTES = 1 << 16
_KINDS = {int(kind): kind for kind in Kind}
OVERHEAD_BYTES = 1 << 12
"""What an envelope, and what carries it, adds to a message at most."""


def seal(kind: Kind, message: Encoded) -> bytes:
    """A frame as bytes."""
    prefix = PREFIX.pack(MAGIC, kind, 0, 0, len(message.header), message.size, 0)
    return message.joined(prefix)


def unseal(data: bytes | memoryview, buffers: Buffers) -> Frame:
    """The frame in the bytes; its body is copied to memory of its own. Raises CodecError."""
    view = memoryview(data)
    if len(view) < PREFIX.size:
        raise CodecError("The other side does not speak this protocol.")
    magic, kind, _, _, header_size, size, _ = PREFIX.unpack_from(view)
    middle = PREFIX.size + header_size
    if magic != MAGIC or kind not in _KINDS or header_size > MAX_HEADER_BYTES:
        raise CodecError("The other side does not speak this protocol, or another version.")
    if len(view) != middle + size:
        raise CodecError("The other side's message is cut off.")
    body: Body = bytearray(size) if size <= _SMALL_BYTES else buffers.lend(size)
    memoryview(body)[:] = view[middle:]
    return _KINDS[kind], bytes(view[PREFIX.size : middle]), body


def answered(desk: Desk, frame: Frame, most: int) -> bytes:
    """The sealed answer to a call, of at most so many bytes."""
    kind, header, body = frame
    if kind is not Kind.CALL:
        return seal(Kind.FAILURE, refusal(CodecError("A client calls or subscribes.")))
    answer: Answer = desk.answer(header, body)
    try:
        check_size(answer[1], most)
    except TooLarge as error:
        answer = Kind.FAILURE, refusal(error)
    return seal(*answer)
