"""Pixels in and out, and what is refused."""

import io
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from edgeloop import imaging
from edgeloop.errors import ImageError
from fakes import jpeg, picture


def png(width: int = 20, height: int = 10) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture(width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_jpeg_decodes_to_rgb_of_its_size() -> None:
    pixels = imaging.decode(jpeg(40, 30))
    assert pixels.shape == (30, 40, 3)
    assert pixels.dtype == np.uint8


def test_red_stays_red() -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    pixels = imaging.decode(imaging.encode_jpeg(red))
    assert pixels[8, 8, 0] > 180
    assert pixels[8, 8, 2] < 20


def test_a_png_decodes_exactly() -> None:
    assert np.array_equal(imaging.decode(png()), picture(20, 10))


def test_jpeg_bytes_are_never_encoded_again() -> None:
    data = jpeg()
    assert imaging.to_jpeg(data) is data


def test_other_images_become_jpeg() -> None:
    assert imaging.verify_jpeg(imaging.to_jpeg(png(20, 10))) == (20, 10)


@pytest.mark.parametrize("data", [b"", b"hello", b"<svg/>", b"GIF89a...."])
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match="Neither a JPEG nor a PNG"):
        imaging.decode(data)


@pytest.mark.parametrize("kept", [10, 200, -200, -2])
def test_a_truncated_jpeg_is_refused(kept: int) -> None:
    with pytest.raises(ImageError):
        imaging.verify_jpeg(jpeg(200, 200)[:kept])


def test_a_png_is_no_jpeg() -> None:
    with pytest.raises(ImageError, match="Not a JPEG"):
        imaging.verify_jpeg(png())


def test_a_truncated_png_is_refused() -> None:
    with pytest.raises(ImageError, match="Not decodable"):
        imaging.decode(png(200, 200)[:-400])


def test_an_image_of_too_many_pixels_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imaging, "MAX_PIXELS", 100)
    with pytest.raises(ImageError, match="more than 100 pixels"):
        imaging.decode(jpeg())


def test_a_thumbnail_keeps_the_aspect() -> None:
    assert imaging.image_size(imaging.thumbnail(jpeg(400, 200), longer_side=100)) == (100, 50)


def test_the_thumbnail_of_a_line_is_a_line() -> None:
    assert imaging.image_size(imaging.thumbnail(jpeg(4000, 2), longer_side=100)) == (100, 1)


def test_a_jpeg_is_verified_without_all_its_pixels() -> None:
    height, width = 1600, 2400
    data = imaging.encode_jpeg(np.zeros((height, width, 3), np.uint8))
    tracemalloc.start()
    try:
        assert imaging.verify_jpeg(data) == (width, height)
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most_bytes < height * width / 32
