"""Counts what a header claims before anything is made from it."""

from edgeloop.errors import CodecError
from edgeloop.stream.codec import kinds

_FIXED = {
    0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8,
    0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8,
}  # fmt: skip
_LENGTH_BYTES = {
    0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4,
    0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4, 0xC7: 1, 0xC8: 2, 0xC9: 4,
}  # fmt: skip
_NO_CONTAINERS = bytes(
    byte for byte in range(256) if not (0x80 <= byte < 0xA0 or 0xDC <= byte < 0xE0)
)
_TIMESTAMPS = tuple(bytes((before, 0xFF)) for before in (0xD6, 0xD7, 4, 8, 12))
"""What is around the code of those that have a valid size, 4, 8 or 12 bytes."""
_FIXED_EXTENSION = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}


def scan_suspect(header: bytes) -> None:
    """``scan``, unless the header's bytes alone tell that it cannot claim too much."""
    if (
        len(header.translate(None, _NO_CONTAINERS)) > kinds.MAX_DEPTH
        or len(header) > kinds.MAX_ENTRIES
        or _may_have_timestamp(header)
    ):
        scan(header)


def scan(header: bytes) -> None:
    """Raise CodecError for too much nesting, too many entries, a timestamp, or a cut-off header.

    Only the structure is looked at; the values are checked where they are made.
    """
    if len(header) > kinds.MAX_HEADER_BYTES:
        raise CodecError("The message's header is too long: send lists as arrays.")
    try:
        _scan(header)
    except IndexError:
        raise CodecError("The message's header is cut off.") from None


def _may_have_timestamp(header: bytes) -> bool:
    return 0xFF in header and any(start in header for start in _TIMESTAMPS)


def _scan(header: bytes) -> None:
    position, entries, end = 0, 0, len(header)
    open_containers = [1]
    while open_containers:
        if not open_containers[-1]:
            open_containers.pop()
            continue
        open_containers[-1] -= 1
        entries += 1
        children, position = _token(header, position)
        if position > end or children > end - position:
            raise CodecError("The message's header is cut off.")
        if children:
            open_containers.append(children)
        if len(open_containers) > kinds.MAX_DEPTH + 1:
            raise CodecError(f"The message is nested deeper than {kinds.MAX_DEPTH}.")
        if entries > kinds.MAX_ENTRIES:
            raise CodecError(f"The message has more than {kinds.MAX_ENTRIES} entries: use arrays.")


def _token(header: bytes, position: int) -> tuple[int, int]:
    """(how many values follow inside, where the next token begins) of the token here."""
    first = header[position]
    position += 1
    if first < 0x80 or first >= 0xE0:
        return 0, position
    if first < 0x90:
        return 2 * (first & 15), position
    if first < 0xA0:
        return first & 15, position
    if first < 0xC0:
        return 0, position + (first & 31)
    if first in _FIXED:
        return 0, position + _FIXED[first]
    if first in _FIXED_EXTENSION:
        return _extension(header, position, _FIXED_EXTENSION[first])
    return _long_token(header, position, first)


def _long_token(header: bytes, position: int, first: int) -> tuple[int, int]:
    if first not in _LENGTH_BYTES:
        raise CodecError("The message's header is not MessagePack.")
    start, position = position, position + _LENGTH_BYTES[first]
    length = int.from_bytes(header[start:position], "big")
    if first in (0xC7, 0xC8, 0xC9):
        return _extension(header, position, length)
    if first in (0xDC, 0xDD):
        return length, position
    if first in (0xDE, 0xDF):
        return 2 * length, position
    return 0, position + length


def _extension(header: bytes, position: int, length: int) -> tuple[int, int]:
    """The extension whose code is here."""
    code = header[position]
    if code == 0xFF:
        raise CodecError("The message has a timestamp in it: send it as a number or a text.")
    if code != kinds.TUPLE:
        return 0, position + 1 + length
    first = header[position + 1]  # a tuple's bytes are those of one list
    if not (0x90 <= first < 0xA0 or first in (0xDC, 0xDD)):
        raise CodecError("The message has a tuple that is none.")
    return _token(header, position + 1)
