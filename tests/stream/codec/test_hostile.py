"""Bytes from a stranger: every one of them ends in a CodecError, quickly and in little memory."""

import tracemalloc
from time import monotonic
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from edgeloop.errors import CodecError
from edgeloop.stream.codec import MAX_DEPTH, decode, encode, kinds, pack, unpack
from edgeloop.stream.codec.scanning import scan
from stream.damage import damaged
from streams import assert_same

Ext = msgspec.msgpack.Ext
packed = msgspec.msgpack.encode
BOUNDED = settings(
    max_examples=100,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""The same examples in every run: a failure here is a failure there."""
OTHERS = settings(BOUNDED, max_examples=200, derandomize=False)
FUZZ_S = 60.0
"""How long others are tried where there is time."""
PLAIN = (
    type(None), bool, int, float, complex, str, bytes, dict, list, tuple, np.ndarray, np.generic
)  # fmt: skip

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**300), 2**300)
    | st.floats()
    | st.complex_numbers()
    | st.text(max_size=100)
    | st.binary(max_size=200)
    | npst.arrays(
        npst.scalar_dtypes()
        | npst.byte_string_dtypes(min_len=1)
        | npst.unicode_string_dtypes(min_len=1),
        npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    )
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=20)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=10) | st.integers(-(2**63), 2**63), inner, max_size=5)
    ),
    max_leaves=20,
)
TYPICAL: list[Any] = [
    {"image": np.zeros((4, 4, 3), np.uint8), "camera": "left", "at": 1.5},
    ["act", {"joints": np.arange(7.0), "names": ("a", "b", (1, 2)), "grip": True, "none": None}],
    [b"x" * 100, "text " * 30, list(range(20)), [0.5] * 20, 2**100, 1 + 2j, np.float32(3), -1],
    {"rows": [{"state": np.ones(3, np.float32), "done": np.bool_(True)}] * 3, 7: {}},
    np.zeros(3, np.dtype([("a", "<f4"), ("b", "<i8", (2,))])),
]
"""Something of everything: what is rare among ``values``."""
messages = st.sampled_from(TYPICAL) | values


def array(name: object, shape: object) -> bytes:
    return packed(Ext(kinds.ARRAY, packed((name, shape))))


def count(code: int, number: int) -> bytes:
    return packed(Ext(code, number.to_bytes(8, "little")))


def nested(first: bytes, times: int) -> bytes:
    return first * times + b"\xc0"


HOSTILE = {
    "nothing": b"",
    "an invalid byte": b"\xc1",
    "cut off text": b"\xa5ab",
    "cut off list": b"\x93\x01",
    "a list of four thousand million": b"\xdd\xff\xff\xff\xff",
    "a dict of four thousand million": b"\xdf\xff\xff\xff\xff",
    "bytes of four gigabytes": b"\xc6\xff\xff\xff\xff",
    "two values": b"\x01\x02",
    "lists in lists": nested(b"\x91", 10_000),
    "lists in lists, just too many": nested(b"\x91", MAX_DEPTH + 1),
    "dicts in dicts": nested(b"\x81\x01", 5_000),
    "long lists in long lists": nested(b"\xdd\x00\x00\x00\x01", 5_000),
    "a list as a key": b"\x81\x91\x90\x01",
    "a dict as a key": b"\x81\x80\x01",
    "an invalid byte in a long header": b"\x93" + b"\xa9too short" * 2 + b"\xc1" * 70,
    "not utf-8": b"\xa1\xff",
    "a timestamp": b"\xd6\xff\x00\x00\x00\x01",
    **{
        f"a timestamp of {size} bytes after {start.hex()}": b"\x92\xd9\x50"
        + b"x" * 80
        + start
        + b"\xff"
        + bytes(size)
        for size, starts in {
            4: (b"\xd6", b"\xc7\x04", b"\xc8\x00\x04", b"\xc9\x00\x00\x00\x04"),
            8: (b"\xd7", b"\xc7\x08", b"\xc8\x00\x08", b"\xc9\x00\x00\x00\x08"),
            12: (b"\xc7\x0c", b"\xc8\x00\x0c", b"\xc9\x00\x00\x00\x0c"),
        }.items()
        for start in starts
    },
    "a list of four thousand million after a text": b"\x92\xd9\x50"
    + b"x" * 80
    + b"\xdd\xff\xff\xff\xff",
    "an unknown extension": packed(Ext(99, b"x")),
    "a negative extension": packed(Ext(-5, b"x")),
    "an array of objects": array("|O", [1]),
    "an array of a subarray": array("(2,3)<f4", [1]),
    "an array of records by text": array("<f4,<f4", [1]),
    "an array of no dtype": array(None, [1]),
    "an array of a nameless dtype": array("", [1]),
    "an array of empty texts": array("<U0", [10]),
    "an array of impossible floats": array("<f3", [1]),
    "an array of impossible dates": array("<M8[x]", [1]),
    "an array beyond the body": array("<f8", [1_000_000]),
    "an array of overflowing size": array("<f8", [2**40, 2**40]),
    "an array with a negative side": array("<f8", [-1]),
    "an array with a side that is no number": array("<f8", ["1"]),
    "an array with a true side": array("<f8", [True]),
    "an array with a shape that is no list": array("<f8", 3),
    "an array of 33 dimensions": array("<f8", [1] * 33),
    "an array of no fields": array([], [1]),
    "an array of fields that are none": array([1, 2], [1]),
    "an array of one field twice": array([["a", "<f4", []], ["a", "<f4", []]], [1]),
    "an array of a field of objects": array([["a", "|O", []]], [1]),
    "an array of a huge field": array([["a", "<f8", [2**40]]], [1]),
    "an array of too many fields": array([[str(i), "|u1", []] for i in range(300)], [1]),
    "an array of no description": packed(Ext(kinds.ARRAY, b"")),
    "an array of half a description": packed(Ext(kinds.ARRAY, packed(("<f8",)))),
    "an array of a nested description": packed(Ext(kinds.ARRAY, nested(b"\x91", 5_000))),
    "a scalar of another size": packed(Ext(kinds.SCALAR, packed(("<f8", b"abc")))),
    "a scalar that is a number": packed(Ext(kinds.SCALAR, packed(("<f8", 3)))),
    "a scalar of objects": packed(Ext(kinds.SCALAR, packed(("|O", bytes(8))))),
    "half a scalar": packed(Ext(kinds.SCALAR, packed("<f8"))),
    "a tuple of a number": packed(Ext(kinds.TUPLE, b"\x05")),
    "a tuple of a tuple": packed(Ext(kinds.TUPLE, packed(Ext(kinds.TUPLE, b"\x90")))) + bytes(60),
    "a tuple of nothing": packed(Ext(kinds.TUPLE, b"")),
    "tuples in tuples": b"\xc8\x00\x05\x03\x91" * 200,
    "an integer of a kilobyte": packed(Ext(kinds.INTEGER, bytes(1000))),
    "a complex number of three bytes": packed(Ext(kinds.COMPLEX, bytes(3))),
    "bytes beyond the body": count(kinds.BYTES, 2**63),
    "text beyond the body": count(kinds.TEXT, 1000),
    "floats beyond the body": count(kinds.FLOATS, 2**62),
    "ints beyond the body": count(kinds.INTS, 9),
    "a header that leaves the body over": b"\xc0",
}


@pytest.mark.parametrize("header", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_headers_are_refused(header: bytes) -> None:
    body = bytes(64)
    tracemalloc.start()
    try:
        with pytest.raises(CodecError):
            decode(header, body)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_text_in_the_body_must_be_utf8() -> None:
    with pytest.raises(CodecError, match="utf-8"):
        decode(count(kinds.TEXT, 64), b"\xff" * 64)


def test_a_header_above_the_bound_is_refused() -> None:
    with pytest.raises(CodecError, match="too long"):
        decode(bytes(kinds.MAX_HEADER_BYTES + 1), b"")


def test_more_entries_than_allowed_are_refused_where_they_arrive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kinds, "MAX_ENTRIES", 1000)
    assert decode(b"\xdc" + (999).to_bytes(2, "big") + b"\xc0" * 999, b"") == [None] * 999
    with pytest.raises(CodecError, match="entries"):
        decode(b"\xdc" + (1000).to_bytes(2, "big") + b"\xc0" * 1000, b"")


@pytest.mark.parametrize("size", range(0, 90, 7))
def test_a_cut_off_pack_is_refused(size: int) -> None:
    whole = pack({"x": np.arange(3), "text": "some words"})
    with pytest.raises(CodecError):
        unpack(whole[: min(size, len(whole) - 1)])


@given(values)
@BOUNDED
def test_whatever_is_plain_arrives_as_it_was(value: Any) -> None:
    assert_same(unpack(pack(value)), value)


@given(values)
@BOUNDED
def test_the_scan_lets_pass_what_the_encoder_makes(value: Any) -> None:
    scan(encode(value).header)


@given(st.binary(max_size=200), st.binary(max_size=200))
@BOUNDED
def test_random_bytes_are_refused_or_decoded(header: bytes, body: bytes) -> None:
    attempt(header, body)


@given(messages, st.data())
@BOUNDED
def test_damaged_messages_are_refused_or_decoded(value: Any, data: st.DataObject) -> None:
    damage(value, data)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_other_damaged_messages_are_refused_or_decoded_for_a_minute() -> None:
    @given(messages, st.data())
    @OTHERS
    def damage_some(value: Any, data: st.DataObject) -> None:
        damage(value, data)

    end = monotonic() + FUZZ_S
    while monotonic() < end:
        damage_some()


def damage(value: Any, data: st.DataObject) -> None:
    encoded = encode(value)
    body = b"".join(encoded.pieces())
    header = data.draw(damaged(encoded.header))
    attempt(header, body)
    attempt(header, data.draw(damaged(body)))
    attempt(encoded.header, data.draw(damaged(body)))


def attempt(header: bytes, body: bytes) -> None:
    """Decode: either it is refused, or it is plain; and it takes memory like what was sent."""
    tracemalloc.start()
    try:
        value = decode(header, bytearray(body))
    except CodecError:
        value = None
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 200_000 + 200 * (len(header) + len(body))
    assert_plain(value)


def assert_plain(value: Any, depth: int = MAX_DEPTH) -> None:
    assert isinstance(value, PLAIN)
    if isinstance(value, dict):
        for key, item in value.items():
            assert_plain(key, depth - 1)
            assert_plain(item, depth - 1)
    if isinstance(value, list | tuple):
        for item in value:
            assert_plain(item, depth - 1)
    assert depth >= 0
