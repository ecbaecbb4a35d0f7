"""Bytes <-> pixels: decode, encode, verify, make a thumbnail."""

import io

import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

from edgeloop.errors import ImageError
from edgeloop.types import ImageArray

JPEG_START = b"\xff\xd8"
PNG_START = b"\x89PNG\r\n\x1a\n"
MAX_PIXELS = 200_000_000


def decode(data: bytes) -> ImageArray:
    """JPEG or PNG bytes -> (height, width, 3) uint8 RGB; raises ImageError."""
    image_size(data)
    try:
        if data.startswith(JPEG_START):
            return np.asarray(simplejpeg.decode_jpeg(data, colorspace="RGB", fastupsample=True))
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            return np.asarray(image.convert("RGB"), dtype=np.uint8)
    except (ValueError, OSError, SyntaxError) as error:
        raise ImageError(f"Not decodable as an image ({error}): send a whole JPEG.") from error


def image_size(data: bytes) -> tuple[int, int]:
    """(width, height) in pixels from the header of JPEG or PNG bytes; raises ImageError."""
    if not data.startswith((JPEG_START, PNG_START)):
        raise ImageError("Neither a JPEG nor a PNG: send the bytes of one of them.")
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            width, height = image.size
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise ImageError(f"The image's header is damaged ({error}): send a whole file.") from error
    except Image.DecompressionBombError as error:
        raise ImageError(_too_many_pixels()) from error
    if width * height > MAX_PIXELS:
        raise ImageError(_too_many_pixels())
    return width, height


def verify_jpeg(data: bytes) -> tuple[int, int]:
    """Decode JPEG bytes to the end and say (width, height); raises ImageError if corrupt."""
    if not data.startswith(JPEG_START):
        raise ImageError("Not a JPEG: only JPEG images are accepted.")
    size = image_size(data)
    try:  # at an eighth of the size: the entropy coding, where damage shows, is read all the same
        simplejpeg.decode_jpeg(
            data, colorspace="GRAY", fastdct=True, min_height=1, min_width=1, min_factor=8
        )
    except ValueError as error:
        raise ImageError(f"The JPEG is corrupt ({error}): send a whole file.") from error
    return size


def encode_jpeg(image: ImageArray, *, quality: int = 92) -> bytes:
    """(height, width, 3) uint8 RGB -> JPEG bytes."""
    pixels = np.ascontiguousarray(image)
    encoded: bytes = simplejpeg.encode_jpeg(pixels, quality=quality, colorspace="RGB")
    return encoded


def to_jpeg(data: bytes) -> bytes:
    """JPEG bytes as they are; any other decodable image encoded as JPEG once."""
    return data if data.startswith(JPEG_START) else encode_jpeg(decode(data))


def thumbnail(data: bytes, *, longer_side: int) -> bytes:
    """A JPEG of at most ``longer_side`` pixels, decoded at a reduced DCT scale."""
    width, height = image_size(data)
    with Image.open(io.BytesIO(data)) as image:
        factor = longer_side / max(width, height)
        image.draft("RGB", (max(1, round(width * factor)), max(1, round(height * factor))))
        small = image.convert("RGB")
        small.thumbnail((longer_side, longer_side), Image.Resampling.BILINEAR)
        return encode_jpeg(np.asarray(small, dtype=np.uint8), quality=85)


def _too_many_pixels() -> str:
    return f"The image has more than {MAX_PIXELS} pixels: send a smaller one."
