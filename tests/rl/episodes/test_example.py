"""tf.train.Example and TFRecord, byte by byte."""

import contextlib
from typing import Any

import hypothesis
import hypothesis.extra.numpy as arrays
import numpy as np
from hypothesis import strategies as st

from edgeloop.rl.episodes.rlds.example import pack_example, unpack_example
from edgeloop.rl.episodes.rlds.records import framed

VALUES = st.one_of(
    st.lists(st.binary(max_size=300), max_size=4),
    arrays.arrays(np.float32, st.integers(0, 5)),
    arrays.arrays(np.int64, st.integers(0, 5)),
)


def test_an_example_is_what_protocol_buffers_say() -> None:
    features: dict[str, Any] = {
        "a": [b"xy"],
        "b": np.array([1.0], np.float32),
        "c": np.array([1, 300, -1]),
    }
    assert pack_example(features) == bytes.fromhex(
        "0a34"  # features
        "0a0b 0a0161 1206 0a04 0a02 7879"  # "a": bytes_list
        "0a0d 0a0162 1208 1206 0a04 0000803f"  # "b": float_list, packed
        "0a16 0a0163 1211 1a0f 0a0d 01 ac02 ffffffffffffffffff01"  # "c": int64_list, packed
    )


def test_a_record_stands_between_checksums_of_its_length_and_of_itself() -> None:
    assert b"".join(framed(b"123456789")) == bytes.fromhex(
        "0900000000000000 37f97139 313233343536373839 e5b08ac7"
    )


@hypothesis.given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_any_example_comes_back(features: dict[str, Any]) -> None:
    found = unpack_example(pack_example(features))
    assert found.keys() == features.keys()
    for name, values in features.items():
        if isinstance(values, list):
            assert list(found[name]) == values
        else:
            assert np.asarray(found[name], values.dtype).tobytes() == values.tobytes()


@hypothesis.given(st.binary(max_size=60))
def test_what_is_no_example_is_a_value_error_at_worst(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        unpack_example(data)


def test_lists_that_are_not_packed_are_read() -> None:
    floats = unpack_example(bytes.fromhex("0a13 0a11 0a0162 120c 120a 0d0000803f 0d00000040"))
    assert np.asarray(floats["b"]).tolist() == [1, 2]
    integers = unpack_example(bytes.fromhex("0a0e 0a0c 0a0163 1207 1a05 0801 08ac02"))
    assert np.asarray(integers["c"]).tolist() == [1, 300]


def test_a_feature_without_values_is_an_empty_list() -> None:
    assert list(unpack_example(bytes.fromhex("0a05 0a03 0a0164"))["d"]) == []
