"""A header and a body -> plain values; hostile bytes end in a CodecError."""

from typing import Any

import msgspec
import numpy as np

from edgeloop.errors import CodecError
from edgeloop.stream.codec import kinds
from edgeloop.stream.codec.layout import dtype_from, layout_of
from edgeloop.stream.codec.scanning import scan_suspect

Body = bytes | bytearray | memoryview

_ARRAY, _BYTES = kinds.ARRAY, kinds.BYTES
_LISTS = {kinds.FLOATS: np.dtype(np.float64), kinds.INTS: np.dtype(np.int64)}
_HARMLESS_BYTES = kinds.MAX_DEPTH


class Decoder:
    """Decodes messages one after the other; belongs to one thread.

    Arrays are views into the body: they live as long as it, and are writable where it is.
    """

    __slots__ = ("_body", "_decode", "_end", "_size")

    def __init__(self) -> None:
        self._decode = msgspec.msgpack.Decoder(ext_hook=self._extension).decode
        self._body: Body = b""
        self._end = 0
        self._size = 0

    def decode(self, header: bytes, body: Body) -> Any:
        """The value that was encoded; raises CodecError."""
        if len(header) > _HARMLESS_BYTES or 0xFF in header:  # else it cannot claim too much
            scan_suspect(header)
        self._body = body
        self._size = len(body)
        self._end = 0
        try:
            value = self._decode(header)
        except (ValueError, TypeError, RecursionError, OverflowError) as error:
            raise CodecError(f"Not a valid message ({error}).") from error
        finally:
            self._body = b""
        if self._end != self._size:
            raise CodecError("The message's body is not as long as its header says.")
        return value

    def _extension(self, code: int, data: memoryview) -> Any:
        # What lies beyond the body is not looked for here: in the end the sizes do not agree.
        start = (self._end + 63) & -64
        if code == _ARRAY:
            dtype, shape, size = layout_of(data.tobytes())
            self._end = start + size
            return np.ndarray(shape, dtype, self._body, start)
        if code == _BYTES:
            self._end = end = start + int.from_bytes(data, "little")
            return bytes(self._body[start:end])
        if code == kinds.TUPLE:
            return tuple(self._decode(data))
        if code == kinds.TEXT:
            return self._extension(_BYTES, data).decode()
        if code in _LISTS:
            count = int.from_bytes(data, "little")
            self._end = start + 8 * count
            return np.ndarray((count,), _LISTS[code], self._body, start).tolist()
        return _small(code, data)


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
