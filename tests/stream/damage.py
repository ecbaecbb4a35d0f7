"""Bytes that were valid before something was done to them."""

from hypothesis import strategies as st

TOKENS = [bytes((token,)) for token in (*range(0xC0, 0xE0), 0, 1, 0x7F, 0x80, 0x8F, 0x90, 0x9F)]
"""The first bytes of what MessagePack knows."""
EXTREMES = [b"\xff", b"\xff" * 4, b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\x80" + bytes(7), bytes(8)]
TIMESTAMP = b"\xd6\xff" + bytes(4)


def damaged(data: bytes) -> st.SearchStrategy[bytes]:
    """``data`` after a few changes: bytes put in, left out, put in the place of others, doubled."""
    places = st.integers(0, len(data))
    pieces = (
        st.binary(max_size=8)
        | st.sampled_from(TOKENS)
        | st.sampled_from([*EXTREMES, TIMESTAMP])
        | st.tuples(places, st.integers(0, 40)).map(lambda part: data[part[0] : sum(part)])
    )
    changes = st.tuples(places, st.integers(0, 8) | places, pieces)
    return st.lists(changes, min_size=1, max_size=4).map(lambda changes: _changed(data, changes))


def _changed(data: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for place, left_out, piece in changes:
        data = data[:place] + piece + data[place + left_out :]
    return data
