"""agentlace.internal.utils."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from edgeloop.compat.agentlace.internal.utils import (
    compute_hash,
    jpeg_to_mat,
    make_compression_method,
    mat_to_jpeg,
    print_error,
    print_size,
    print_warning,
)
from edgeloop.errors import CodecError, ConfigError, ImageError


def test_an_image_survives_being_a_jpeg() -> None:
    image = np.zeros((64, 48, 3), np.uint8)
    image[:, :, 0] = 200  # blue, where channels are BGR
    data = mat_to_jpeg(image)
    assert data.startswith(b"\xff\xd8")
    assert np.abs(jpeg_to_mat(data).astype(int) - image).max() < 10


@pytest.mark.parametrize("shape", [(32, 32), (32, 32, 1)])
def test_a_gray_image_comes_back_with_three_channels(shape: tuple[int, ...]) -> None:
    assert jpeg_to_mat(mat_to_jpeg(np.full(shape, 99, np.uint8))).shape == (32, 32, 3)


def test_what_is_no_jpeg_is_an_image_error() -> None:
    with pytest.raises(ImageError):
        jpeg_to_mat(b"nothing")


def test_equal_values_have_equal_hashes() -> None:
    value = {"a": [1, "x"], "b": np.arange(3)}
    assert compute_hash(value) == compute_hash({"a": [1, "x"], "b": np.arange(3)})
    assert compute_hash(value) != compute_hash({"a": [1, "x"], "b": np.arange(4)})
    assert len(compute_hash(1)) == 32


@pytest.mark.parametrize("name", ["lz4", "zlib"])
def test_values_survive_compression(name: str) -> None:
    compress, decompress = make_compression_method(name)
    value: Any = {"zeros": np.zeros(10_000), "list": [1, (2, "x")]}
    data = compress(value)
    assert type(data) is bytes
    assert len(data) < 5000
    again = decompress(data)
    assert again["list"] == value["list"]
    again["zeros"] += 1
    assert again["zeros"].sum() == 10_000


def test_what_is_no_plain_value_is_not_compressed() -> None:
    compress, _ = make_compression_method("zlib")
    with pytest.raises(CodecError):
        compress({"f": compress})


def test_another_algorithm_fails_with_agentlaces_words() -> None:
    with pytest.raises(Exception, match=r"^Unknown compression algorithm: rar$"):
        make_compression_method("rar")


def test_without_lz4_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lz4", None)
    monkeypatch.setitem(sys.modules, "lz4.frame", None)
    with pytest.raises(ConfigError, match="pip install lz4"):
        make_compression_method("lz4")


def test_words_go_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_error("bad")
    print_warning("odd")
    print_size(b"")
    told = capsys.readouterr().out
    assert told.startswith("\033[31mbad\033[0m\n\033[33modd\033[0m\nbytes: ")


def test_importing_it_all_loads_nothing_heavy() -> None:
    heavy = ["gymnasium", "zmq", "grpc", "jax", "tensorflow", "torch", "fastapi", "pyarrow", "lz4"]
    program = (
        "import sys, edgeloop.compat.agentlace\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[]"
