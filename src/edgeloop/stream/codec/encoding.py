"""Plain values -> a header and the arrays of the body; refuses objects, naming where they are."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from msgspec.msgpack import Encoder, Ext

from edgeloop.errors import CodecError
from edgeloop.stream.codec import kinds
from edgeloop.stream.codec.kinds import AnyArray, aligned
from edgeloop.stream.codec.layout import describe, dtype_name
from edgeloop.stream.codec.scanning import scan

_encode = Encoder().encode
_NUMBERS = frozenset({float, bool, type(None)})
_MIN_INT, _MAX_INT = -(1 << 63), (1 << 64) - 1
_LONG_LIST = 16

Part = AnyArray | bytes


class Encoded:
    """An encoded message: ``header``, and the ``parts`` of a body of ``size`` bytes.

    The parts are the sender's own arrays, not copies: they must not change before they are sent.
    """

    __slots__ = ("header", "parts", "size")

    def __init__(self, header: bytes, parts: list[Part], size: int) -> None:
        self.header = header
        self.parts = parts
        self.size = size

    def buffers(self) -> Iterator[bytes | memoryview]:
        """The body piece by piece, with the gaps that align it."""
        end = 0
        for part in self.parts:
            start = aligned(end)
            if start > end:
                yield _ZEROS[: start - end]
            end = start + (len(part) if isinstance(part, bytes) else part.nbytes)
            yield part if isinstance(part, bytes) else _flat(part)

    def write_to(self, target: memoryview) -> None:
        """Copy the body into ``target``, a writable buffer of at least ``size`` bytes."""
        end = 0
        for part in self.parts:
            start = aligned(end)
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
        return Encoded(
            self.header, [np.frombuffer(target, np.uint8)] if self.size else [], self.size
        )


def encode(value: Any) -> Encoded:
    """Encode a plain value; raises CodecError naming the path of what cannot be sent."""
    parts: list[Part] = []
    try:
        header = _encode(_tree(value, parts, kinds.MAX_DEPTH))
    except _Refused as refused:
        path = "".join(f"[{step!r}]" for step in reversed(refused.path))
        raise CodecError(f"message{path}: {refused}") from None
    except UnicodeEncodeError as error:
        raise CodecError(f"message: a text is not valid Unicode ({error})") from error
    if len(header) > kinds.MAX_ENTRIES:
        scan(header)
    end = 0
    for part in parts:
        end = aligned(end) + (len(part) if isinstance(part, bytes) else part.nbytes)
    return Encoded(header, parts, end)


class _Refused(Exception):
    """Carries the way from the bad value back to the root."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.path: list[object] = []


_ZEROS = bytes(kinds.ALIGNMENT)


def _tree(value: Any, parts: list[Part], depth: int) -> Any:
    """What MessagePack shall encode for ``value``; ``parts`` takes what goes into the body."""
    kind = type(value)
    if kind in _NUMBERS:
        return value
    return _BY_TYPE.get(kind, _rare)(value, parts, depth)


def _text(value: str, parts: list[Part], depth: int) -> Any:
    if len(value) <= kinds.INLINE_BYTES:
        return value
    data = value.encode()
    parts.append(data)
    return Ext(kinds.TEXT, _encode(len(data)))


def _bytes(value: bytes, parts: list[Part], depth: int) -> Any:
    if len(value) <= kinds.INLINE_BYTES:
        return value
    parts.append(value)
    return Ext(kinds.BYTES, _encode(len(value)))


def _integer(value: int, parts: list[Part], depth: int) -> Any:
    if _MIN_INT <= value <= _MAX_INT:
        return value
    if value.bit_length() >= kinds.MAX_INT_BITS:
        raise _Refused(f"an integer of more than {kinds.MAX_INT_BITS} bits cannot be sent")
    return Ext(kinds.INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))


def _array(value: AnyArray, parts: list[Part], depth: int) -> Ext:
    try:
        description = describe(value)
    except CodecError as error:
        raise _Refused(str(error)) from None
    parts.append(value)
    return Ext(kinds.ARRAY, description)


def _dict(value: dict[Any, Any], parts: list[Part], depth: int) -> dict[Any, Any]:
    tree = {}
    inside = _deeper(depth)
    key: Any = None
    try:
        for key, item in value.items():
            if type(key) is not str and type(key) is not int:
                raise _Refused(f"a key of type {type(key).__name__} cannot be sent: use str or int")
            tree[key] = _tree(item, parts, inside)
    except _Refused as refused:
        refused.path.append(key)
        raise
    return tree


def _list(value: list[Any] | tuple[Any, ...], parts: list[Part], depth: int) -> Any:
    if len(value) > _LONG_LIST and _NUMBERS.issuperset(map(type, value)):
        return value
    tree: list[Any] = []
    inside = _deeper(depth)
    try:
        for item in value:
            tree.append(_tree(item, parts, inside))
    except _Refused as refused:
        refused.path.append(len(tree))
        raise
    return tree


def _tuple(value: tuple[Any, ...], parts: list[Part], depth: int) -> Ext:
    return Ext(kinds.TUPLE, _encode(_list(value, parts, depth)))


def _deeper(depth: int) -> int:
    if not depth:
        raise _Refused(f"nested deeper than {kinds.MAX_DEPTH}")
    return depth - 1


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


def _why_not(value: object) -> str:
    name = type(value).__name__
    if hasattr(value, "__array__"):
        return f"a {name} cannot be sent: send numpy.asarray(...) of it"
    return f"a {name} cannot be sent: send plain values, arrays, dicts and lists of them"


def _flat(array: AnyArray) -> memoryview:
    # Some dtypes (datetime64, float16 as it is) have no buffer of their own: bytes always have one.
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
