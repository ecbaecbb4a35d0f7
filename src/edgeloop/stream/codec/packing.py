"""A message as one piece of bytes, for files and for transports that carry bytes."""

import struct
from typing import Any

from edgeloop.errors import CodecError
from edgeloop.stream.codec.decoding import decode
from edgeloop.stream.codec.encoding import encode
from edgeloop.stream.codec.kinds import aligned

_PREFIX = struct.Struct("<4sIQ")
_MAGIC = b"ELM1"


def pack(value: Any) -> bytearray:
    """A plain value as bytes; raises CodecError."""
    encoded = encode(value)
    start = aligned(_PREFIX.size + len(encoded.header))
    packed = bytearray(start + encoded.size)
    _PREFIX.pack_into(packed, 0, _MAGIC, len(encoded.header), encoded.size)
    packed[_PREFIX.size : _PREFIX.size + len(encoded.header)] = encoded.header
    encoded.write_to(memoryview(packed)[start:])
    return packed


def unpack(packed: bytes | bytearray | memoryview) -> Any:
    """The value that was packed; its arrays are views into ``packed``. Raises CodecError."""
    view = memoryview(packed)
    if len(view) < _PREFIX.size:
        raise CodecError("The bytes are too few for a message.")
    magic, header_size, size = _PREFIX.unpack_from(view)
    start = aligned(_PREFIX.size + header_size)
    if magic != _MAGIC or len(view) != start + size:
        raise CodecError("The bytes are not a whole message.")
    return decode(bytes(view[_PREFIX.size : _PREFIX.size + header_size]), view[start:])
