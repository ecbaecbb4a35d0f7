"""A header and a body -> plain values; hostile bytes end in a CodecError."""

from typing import Any

import msgspec
import numpy as np

from edgeloop.errors import CodecError
from edgeloop.stream.codec import kinds
from edgeloop.stream.codec.kinds import aligned
from edgeloop.stream.codec.layout import dtype_from, layout_of
from edgeloop.stream.codec.scanning import is_harmless, scan

Body = bytes | bytearray | memoryview


class Decoder:
    """Decodes messages one after the other; belongs to one thread.

    Arrays are views into the body: they live as long as it, and are writable where it is.
    """

    def __init__(self) -> None:
        self._decode = msgspec.msgpack.Decoder(ext_hook=self._extension).decode
        self._body: Body = b""
        self._end = 0
        self._size = 0

    def decode(self, header: bytes, body: Body) -> Any:
        """The value that was encoded; raises CodecError."""
        if not is_harmless(header):
            if len(header) > kinds.MAX_HEADER_BYTES:
                raise CodecError("The message's header is too long: send lists as arrays.")
            scan(header)
        self._body, self._end, self._size = body, 0, len(body)
        try:
            value = self._decode(header)
        except (ValueError, TypeError, RecursionError, OverflowError) as error:
            raise CodecError(f"Not a valid message ({error}).") from error
        finally:
            self._body = b""
        if self._end != self._size:
            raise CodecError("The message's body is longer than its header says.")
        return value

    def _extension(self, code: int, data: memoryview) -> Any:
        if code == kinds.ARRAY:
            layout = layout_of(data.tobytes())
            return np.ndarray(layout.shape, layout.dtype, self._body, self._advance(layout.size))
        if code in (kinds.BYTES, kinds.TEXT):
            return self._long(code, data)
        if code == kinds.TUPLE:
            return tuple(self._decode(data))
        return _small(code, data)

    def _advance(self, size: int) -> int:
        """Where the next ``size`` bytes of the body begin."""
        start = aligned(self._end)
        self._end = start + size
        if self._end > self._size:
            raise CodecError("The message's body is shorter than its header says.")
        return start

    def _long(self, code: int, data: memoryview) -> str | bytes:
        size = msgspec.msgpack.decode(data, type=int)
        if size < 0:
            raise CodecError("The message's header has a negative length.")
        start = self._advance(size)
        raw = bytes(self._body[start : start + size])
        return raw if code == kinds.BYTES else raw.decode()


def decode(header: bytes, body: Body) -> Any:
    """``Decoder.decode`` with a decoder of its own."""
    return Decoder().decode(header, body)


def _small(code: int, data: memoryview) -> Any:
    if code == kinds.SCALAR:
        name, raw = msgspec.msgpack.decode(data)
        dtype = dtype_from(name)
        if not isinstance(raw, bytes) or len(raw) != dtype.itemsize:
            raise CodecError("The message has a scalar of a wrong size.")
        return np.ndarray((), dtype, raw)[()]
    if code == kinds.INTEGER and data.nbytes <= kinds.MAX_INT_BITS // 8:
        return int.from_bytes(data, "little", signed=True)
    if code == kinds.COMPLEX and data.nbytes == 16:
        return complex(np.ndarray((), np.complex128, data)[()])
    raise CodecError(f"The message has an extension ({code}) that this version does not know.")
