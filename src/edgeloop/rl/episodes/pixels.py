"""Many images at once <-> PNG or JPEG bytes, on as many threads as there are processors."""

import io
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from edgeloop import imaging
from edgeloop.errors import InputError
from edgeloop.stream.stores.layout import Array

_JPEG_QUALITY = 95
_PNG_LEVEL = 1  # a tenth larger than the default, in a fraction of the time


def encode_all(images: Iterable[Array], kind: str) -> list[bytes]:
    """(height, width, 3) uint8 each -> its bytes; ``kind`` is "png" or "jpeg"."""
    encode: Any = _encode_png
    if kind == "jpeg":
        encode = partial(imaging.encode_jpeg, quality=_JPEG_QUALITY)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(encode, images))


def decode_all(files: Sequence[bytes], where: str) -> Array:
    """Bytes of images of one size -> (count, height, width, 3) uint8.

    Raises InputError, naming ``where`` they come from, for what is no image or of another size.
    """
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        try:
            return np.stack(list(threads.map(imaging.decode, files)))
        except ValueError as error:
            raise InputError(f"{where}: the images differ in size.") from error
        except InputError as error:
            raise InputError(f"{where}: an image is damaged ({error})") from error


def _encode_png(image: Array) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=_PNG_LEVEL)
    return file.getvalue()
