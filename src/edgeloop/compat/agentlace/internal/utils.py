"""agentlace.internal.utils: images, hashes, compression, words on the terminal."""

import hashlib
import importlib
import sys
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import simplejpeg

from edgeloop.compat.agentlace.payloads import plain
from edgeloop.errors import ConfigError, ImageError
from edgeloop.stream.codec import pack, unpack

_QUALITY = 95
_RED, _YELLOW, _PLAIN = "\033[31m", "\033[33m", "\033[0m"


def mat_to_jpeg(img: np.ndarray[Any, Any]) -> bytes:
    """(height, width, 3) BGR, or (height, width) gray, uint8 -> JPEG bytes."""
    pixels = np.ascontiguousarray(img)
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    space = "GRAY" if pixels.shape[2] == 1 else "BGR"
    encoded: bytes = simplejpeg.encode_jpeg(pixels, quality=_QUALITY, colorspace=space)
    return encoded


def jpeg_to_mat(buf: bytes) -> np.ndarray[Any, Any]:
    """JPEG bytes -> (height, width, 3) uint8 BGR; raises ImageError."""
    try:
        return np.asarray(simplejpeg.decode_jpeg(bytes(buf), colorspace="BGR"))
    except ValueError as error:
        raise ImageError(f"Not decodable as an image ({error}): send a whole JPEG.") from error


def compute_hash(obj: Any) -> str:
    """The MD5 of what would be sent, in hexadecimal: equal for equal values on all machines."""
    return hashlib.md5(pack(plain(obj)), usedforsecurity=False).hexdigest()


def print_size(obj: Any) -> None:
    """Tell how large an object is."""
    _tell(f"{type(obj).__name__}: {sys.getsizeof(obj):_} bytes")


def print_error(text: Any) -> None:
    """Tell in red."""
    _tell(f"{_RED}{text}{_PLAIN}")


def print_warning(text: Any) -> None:
    """Tell in yellow."""
    _tell(f"{_YELLOW}{text}{_PLAIN}")


def make_compression_method(
    compression: str,
) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
    """(compress, decompress) between plain values and bytes, by "lz4" or "zlib"; no pickle."""
    check_compression(compression)
    if compression == "zlib":
        squeeze, expand = zlib.compress, zlib.decompress
    else:
        try:
            frame = importlib.import_module("lz4.frame")
        except ImportError as error:
            raise ConfigError("lz4 is not installed: pip install lz4, or use 'zlib'.") from error
        squeeze, expand = frame.compress, frame.decompress

    def compress(data: Any) -> bytes:
        return squeeze(bytes(pack(plain(data))))

    def decompress(data: bytes) -> Any:
        return unpack(bytearray(expand(data)))

    return compress, decompress


def check_compression(compression: str) -> None:
    """Raise Exception for what agentlace does not know. On the wire nothing is compressed."""
    if compression not in ("lz4", "zlib"):
        raise Exception(f"Unknown compression algorithm: {compression}")  # agentlace's own


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
