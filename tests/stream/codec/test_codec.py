"""What the codec carries, and what it refuses."""

import dataclasses
import datetime
import decimal
import enum
from collections import OrderedDict, namedtuple
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from edgeloop.errors import CodecError
from edgeloop.stream.codec import MAX_DEPTH, Decoder, decode, encode, kinds, pack, unpack
from streams import assert_same

PLAIN_DTYPES = [
    "?", "b", "B", "<i2", ">i4", "<i8", "<u2", "<u4", ">u8", "<f2", "<f4", ">f8", "g", "F", "D",
    "S5", "<U7", ">U3", "V9", "<M8[ns]", "<M8[25s]", "<m8[D]", "<m8",
]  # fmt: skip
Point = namedtuple("Point", "x y")


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Pose:
    x: float = 0.0


def arrived(value: Any) -> Any:
    return unpack(pack(value))


def sample(dtype: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    kind = np.dtype(dtype)
    count = int(np.prod(shape))
    raw = np.random.default_rng(1).integers(1, 100, max(1, count) * kind.itemsize, dtype=np.uint8)
    if kind.kind == "b":
        raw %= 2
    if kind.kind == "U":
        raw[:] = 0
    return np.frombuffer(raw.tobytes(), kind, count).reshape(shape)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (5, 3), (2, 0, 4), (3, 1, 2, 2)])
@pytest.mark.parametrize("dtype", PLAIN_DTYPES)
def test_arrays_of_plain_dtypes_arrive_as_they_are(dtype: str, shape: tuple[int, ...]) -> None:
    array = sample(dtype, shape)
    assert_same(arrived({"a": array, "b": [array]}), {"a": array, "b": [array]})


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24)[::5],
        np.arange(24).reshape(4, 6)[::-1, ::2],
        np.asfortranarray(np.arange(24.0).reshape(4, 6)),
        np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1),
        np.broadcast_to(np.arange(3), (4, 3)),
        np.arange(40_000.0).reshape(200, 200).T,
        np.arange(40_000).astype("M8[s]")[::2],
        np.zeros(3, [("pose", "<f4", (3,)), ("name", "S4"), ("seen", "<M8[s]")]),
    ],
    ids=["strided", "reversed", "fortran", "transposed", "broadcast", "large", "dates", "records"],
)
def test_arrays_of_any_layout_arrive_contiguous_and_equal(array: np.ndarray[Any, Any]) -> None:
    received = arrived([array])[0]
    assert received.dtype == array.dtype
    assert received.flags.c_contiguous
    np.testing.assert_array_equal(received, array)


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, -1, 2**63, -(2**63), 2**64, -(2**64), 2**4000, -(2**4000), 0.1, float("inf"),
        float("nan"), 1 - 2j, "", "text", "ü" * 100, "\0", b"", b"bytes", bytes(1000), [], (), {},
        [1, (2, [3, ()])], {"a": {1: {"b": (None,)}}}, [0.5] * 100, list(range(100)), [True] * 100,
        [2**63] * 100, [None, 1.0] * 50, ["x"] * 100,
        np.float32(0.1), np.float64(0.1), np.int8(-1), np.uint64(2**64 - 1), np.bool_(True),
        np.complex64(1j), np.datetime64("2026-01-01", "ms"), np.timedelta64(3, "D"),
        np.void(b"abc"),
    ],
    ids=repr,
)  # fmt: skip
def test_plain_values_arrive_as_what_they_were(value: Any) -> None:
    assert_same(arrived(value), value)
    assert_same(arrived({"deep": [value]}), {"deep": [value]})


def test_an_ordered_dict_arrives_as_a_dict_and_numpy_texts_as_texts() -> None:
    value = {"weights": OrderedDict(b=1, a=2), "text": np.str_("x"), "bytes": np.bytes_(b"y")}
    assert_same(arrived(value), {"weights": {"b": 1, "a": 2}, "text": "x", "bytes": b"y"})


def test_a_memory_map_arrives_as_an_array(tmp_path: Any) -> None:
    mapped = np.memmap(tmp_path / "map", np.float32, "w+", shape=(10,))
    mapped[:] = 7
    assert_same(arrived([mapped]), [np.full(10, 7, np.float32)])


@pytest.mark.parametrize(
    "value",
    [
        object(), {1, 2}, frozenset(), Pose(), Colour.RED, Point(1, 2),
        datetime.datetime.now(datetime.UTC), decimal.Decimal(1), bytearray(b"x"), memoryview(b"x"),
        range(3), Ellipsis, np.float32, 2**5000, "\ud800", np.array([None]),
        np.array(["a", None], dtype=object), np.ma.masked_array([1], [True]),
        np.zeros(2, [("a", "i4")]).view(np.recarray),
        np.zeros(2, [("a", "O")]), np.zeros(2, ml_dtypes.bfloat16), np.zeros(3, "V"),
        ml_dtypes.bfloat16(1),
        np.zeros(2, np.dtype([("a", "i1"), ("b", "i4")], align=True)), np.zeros((1,) * 40),
        np.zeros(2, [("a", [("b", "i4")])]), np.zeros(1, [(f"f{i}", "u1") for i in range(300)]),
        np.array(["a"], np.dtypes.StringDType()),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_objects_are_refused_and_where_they_are_is_said(value: Any) -> None:
    where = r"message: a text" if isinstance(value, str) else r"message\['robot'\]\[1\]\['x'\]: "
    with pytest.raises(CodecError, match=where):
        encode({"robot": [0, {"x": value}]})


@pytest.mark.parametrize("key", [None, 1.5, (1, 2), b"k", True])
def test_keys_other_than_texts_and_ints_are_refused(key: Any) -> None:
    with pytest.raises(CodecError, match=r"message\['a'\]\[.*\]: a key of type"):
        encode({"a": {key: 1}})


def test_what_can_become_an_array_is_refused_with_advice() -> None:
    class Tensor:
        def __array__(self) -> np.ndarray[Any, Any]:
            return np.zeros(1)

    with pytest.raises(CodecError, match=r"numpy\.asarray"):
        encode({"x": Tensor()})


@pytest.mark.parametrize(
    "make", [lambda inner: [inner], lambda inner: (inner,), lambda inner: {"k": inner}]
)
def test_nesting_is_bounded_where_it_is_sent(make: Any) -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH):
        value = make(value)
    assert_same(arrived(value), value)
    with pytest.raises(CodecError, match="nested deeper"):
        encode(make(value))


def test_an_endless_message_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(CodecError, match="nested deeper"):
        encode(endless)


def test_more_entries_than_allowed_are_refused_where_they_are_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kinds, "MAX_ENTRIES", 1000)
    encode({"list": [None] * 990})
    with pytest.raises(CodecError, match="entries"):
        encode({"list": [None] * 1000})


def test_arrays_are_views_into_the_body_at_multiples_of_64() -> None:
    encoded = encode([np.arange(3, dtype=np.uint8), np.arange(5.0), b"x" * 65, np.arange(2)])
    body = bytearray(encoded.size)
    encoded.write_to(memoryview(body))
    assert body == b"".join(encoded.pieces())
    first, second, _, last = decode(encoded.header, body)
    body[64:72] = np.array([9.0]).tobytes()
    assert second[0] == 9.0
    assert [array.flags.writeable for array in (first, second, last)] == [True] * 3
    start = first.ctypes.data
    assert [array.ctypes.data - start for array in (second, last)] == [64, 256]


def test_gaps_between_arrays_are_emptied() -> None:
    encoded = encode([np.ones(1, np.uint8), np.ones(1, np.uint8)])
    body = bytearray(b"secret" * 11)
    encoded.write_to(memoryview(body))
    assert body[:65] == b"\1" + bytes(63) + b"\1"


def test_arrays_of_a_read_only_body_cannot_be_written_to() -> None:
    encoded = encode(np.arange(3))
    with pytest.raises(ValueError, match="read-only"):
        decode(encoded.header, b"".join(encoded.pieces()))[0] = 1


def test_one_decoder_decodes_one_message_after_the_other() -> None:
    decoder = Decoder()
    for number in range(5):
        encoded = encode({"n": number, "x": np.full(number, number), "t": (number,)})
        value = decoder.decode(encoded.header, b"".join(encoded.pieces()))
        assert_same(value, {"n": number, "x": np.full(number, number), "t": (number,)})


def test_more_shapes_than_are_remembered_arrive() -> None:
    for length in range(1100):
        assert arrived(np.zeros((length, 0))).shape == (length, 0)


def test_a_titled_message_arrives_as_a_pair() -> None:
    encoded = encode({"x": np.arange(2)}, title="route")
    assert_same(decode(encoded.header, b"".join(encoded.pieces())), ["route", {"x": np.arange(2)}])
