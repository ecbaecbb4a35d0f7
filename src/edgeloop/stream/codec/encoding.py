"""Plain values -> a header and the arrays of the body; refuses objects, naming where they are."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from msgspec.msgpack import Encoder, Ext

from edgeloop.errors import CodecError
from edgeloop.stream.codec import kinds
from edgeloop.stream.codec.kinds import AnyArray
from edgeloop.stream.codec.layout import describe, dtype_name
from edgeloop.stream.codec.scanning import scan

Part = AnyArray | bytes

_encode = Encoder().encode
_ZEROS = bytes(kinds.ALIGNMENT)
_FEW_BYTES = 1 << 14
"""Arrays up to here are copied when they are encoded: that is cheaper than a view of them."""
_INT64 = 1 << 63
_ARRAY, _BYTES, _INLINE, _DEPTH = kinds.ARRAY, kinds.BYTES, kinds.INLINE_BYTES, kinds.MAX_DEPTH


class Encoded(msgspec.Struct, eq=False, weakref=True):
    """An encoded message: ``header``, and the ``parts`` of a body of ``size`` bytes.

    Large parts are the sender's own arrays, not copies: they must not change before they are sent.
    """

    header: bytes
    parts: list[Any]
    size: int

    def joined(self, prefix: bytes) -> bytes:
        """``prefix``, header and body in one."""
        parts = self.parts
        if len(parts) == 1 and type(parts[0]) is bytes:
            return b"".join((prefix, self.header, parts[0]))
        return b"".join((prefix, self.header, *self.pieces()))

    def pieces(self) -> list[bytes | memoryview]:
        """The body as buffers of bytes, with the gaps that align it."""
        pieces: list[bytes | memoryview] = []
        end = 0
        for part in self.parts:
            if gap := -end & 63:
                pieces.append(_ZEROS[:gap])
            piece = part if isinstance(part, bytes) else _flat(part)
            pieces.append(piece)
            end += gap + len(piece)
        return pieces

    def write_to(self, target: memoryview) -> None:
        """Copy the body into ``target``, a writable buffer of at least ``size`` bytes."""
        end = 0
        for part in self.parts:
            start = end + (-end & 63)
            target[end:start] = _ZEROS[: start - end]  # the memory may have been another's
            if isinstance(part, bytes):
                end = start + len(part)
                target[start:end] = part
            else:
                end = start + part.nbytes
                np.copyto(np.ndarray(part.shape, part.dtype, target, start), part)

    def copied_to(self, target: memoryview) -> "Encoded":
        """The same message with its body in ``target``: the sender's arrays may change then."""
        self.write_to(target)
        parts: list[Part] = [np.frombuffer(target, np.uint8)] if self.size else []
        return Encoded(self.header, parts, self.size)


def encode(value: Any, *, title: str | None = None) -> Encoded:
    """Encode a plain value; raises CodecError naming the path of what cannot be sent.

    With a ``title``, what arrives is [title, value].
    """
    parts: list[Part] = []
    try:
        kind = type(value)
        depth = _DEPTH if title is None else _DEPTH - 1
        tree = value if kind in _AS_THEY_ARE else _BY_TYPE.get(kind, _rare)(value, parts, depth)
        header = _encode(tree if title is None else (title, tree))
    except _Refused as refused:
        path = "".join(f"[{step!r}]" for step in reversed(refused.path))
        raise CodecError(f"message{path}: {refused}") from None
    except UnicodeEncodeError as error:
        raise CodecError(f"message: a text is not valid Unicode ({error})") from error
    if len(header) > kinds.MAX_ENTRIES:
        scan(header)
    size = 0
    for part in parts:
        size += (-size & 63) + (len(part) if isinstance(part, bytes) else part.nbytes)
    return Encoded(header, parts, size)


class _Refused(Exception):
    """Carries the way from the bad value back to the root."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.path: list[object] = []


def _dict(value: dict[Any, Any], parts: list[Part], depth: int) -> dict[Any, Any]:
    tree = {}
    inside = depth - 1 if depth else _too_deep()
    key: Any = None
    try:
        for key, item in value.items():
            if type(key) is not str and type(key) is not int:
                raise _Refused(f"a key of type {type(key).__name__} cannot be sent: use str or int")
            kind = type(item)
            if kind in _AS_THEY_ARE:
                tree[key] = item
            else:
                tree[key] = _BY_TYPE.get(kind, _rare)(item, parts, inside)
    except _Refused as refused:
        refused.path.append(key)
        raise
    return tree


def _list(value: list[Any], parts: list[Part], depth: int) -> Any:
    if len(value) > kinds.LONG_LIST and (numbers := _numbers(value)) is not None:
        parts.append(numbers)
        code = kinds.FLOATS if numbers.dtype.kind == "f" else kinds.INTS
        return Ext(code, len(value).to_bytes(8, "little"))
    return _items(value, parts, depth)


def _items(value: list[Any] | tuple[Any, ...], parts: list[Part], depth: int) -> list[Any]:
    tree: list[Any] = []
    inside = depth - 1 if depth else _too_deep()
    try:
        for item in value:
            kind = type(item)
            if kind in _AS_THEY_ARE:
                tree.append(item)
            else:
                tree.append(_BY_TYPE.get(kind, _rare)(item, parts, inside))
    except _Refused as refused:
        refused.path.append(len(tree))
        raise
    return tree


def _tuple(value: tuple[Any, ...], parts: list[Part], depth: int) -> Ext:
    return Ext(kinds.TUPLE, _encode(_items(value, parts, depth)))


def _array(value: AnyArray, parts: list[Part], depth: int) -> Ext:
    try:
        description = describe(value)
    except CodecError as error:
        raise _Refused(str(error)) from None
    parts.append(value if value.nbytes > _FEW_BYTES else value.tobytes())
    return Ext(_ARRAY, description)


def _text(value: str, parts: list[Part], depth: int) -> Any:
    if len(value) <= _INLINE:
        return value
    data = value.encode()
    parts.append(data)
    return Ext(kinds.TEXT, len(data).to_bytes(8, "little"))


def _bytes(value: bytes, parts: list[Part], depth: int) -> Any:
    if len(value) <= _INLINE:
        return value
    parts.append(value)
    return Ext(_BYTES, len(value).to_bytes(8, "little"))


def _integer(value: int, parts: list[Part], depth: int) -> Any:
    if -_INT64 <= value < 2 * _INT64:
        return value
    if value.bit_length() >= kinds.MAX_INT_BITS:
        raise _Refused(f"an integer of more than {kinds.MAX_INT_BITS} bits cannot be sent")
    return Ext(kinds.INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))


def _complex(value: complex, parts: list[Part], depth: int) -> Ext:
    return Ext(kinds.COMPLEX, np.complex128(value).tobytes())


def _rare(value: Any, parts: list[Part], depth: int) -> Any:
    if isinstance(value, dict):  # an OrderedDict, say: arrives as a dict
        return _dict(value, parts, depth)
    if isinstance(value, np.str_):
        return _text(str(value), parts, depth)
    if isinstance(value, np.bytes_):
        return _bytes(bytes(value), parts, depth)
    if isinstance(value, np.generic):
        return _scalar(value)
    raise _Refused(_why_not(value))


def _scalar(value: np.generic) -> Ext:
    try:
        name = dtype_name(value.dtype)
    except CodecError as error:
        raise _Refused(str(error)) from None
    return Ext(kinds.SCALAR, _encode((name, np.asarray(value).tobytes())))


_AS_THEY_ARE = frozenset({float, bool, type(None)})
_BY_TYPE: dict[type, Callable[[Any, list[Part], int], Any]] = {
    str: _text,
    bytes: _bytes,
    int: _integer,
    np.ndarray: _array,
    np.memmap: _array,
    dict: _dict,
    list: _list,
    tuple: _tuple,
    complex: _complex,
}


def _too_deep() -> int:
    raise _Refused(f"nested deeper than {kinds.MAX_DEPTH}")


def _numbers(value: list[Any]) -> AnyArray | None:
    """A list of floats alone or of (not too big) ints alone as an array; None for others."""
    types = set(map(type, value))
    if types == {float}:
        return np.array(value, np.float64)
    if types == {int} and min(value) >= -_INT64 and max(value) < _INT64:
        return np.array(value, np.int64)
    return None


def _why_not(value: object) -> str:
    name = type(value).__name__
    if hasattr(value, "__array__"):
        return f"a {name} cannot be sent: send numpy.asarray(...) of it"
    return f"a {name} cannot be sent: send plain values, arrays, dicts and lists of them"


def _flat(array: AnyArray) -> memoryview:
    # Some dtypes (datetime64) have no buffer of their own: bytes always have one.
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
