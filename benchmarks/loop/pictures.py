"""JPEGs of the size that is measured with: 60 kB, no two alike."""

import functools

import numpy as np

from edgeloop.imaging import encode_jpeg

SIZE = 60_000
WIDTH, HEIGHT = 1280, 720


@functools.cache
def base() -> bytes:
    """A JPEG of about ``SIZE`` bytes: smooth, with some noise, as cameras make them."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (HEIGHT // 40 + 1, WIDTH // 40 + 1, 3)).astype(np.float64)
    smooth = np.kron(coarse, np.ones((40, 40, 1)))[:HEIGHT, :WIDTH]
    candidates = (
        encode_jpeg(
            np.clip(smooth + rng.normal(0, noise, smooth.shape), 0, 255).astype(np.uint8),
            quality=80,
        )
        for noise in np.arange(0.5, 30, 0.25)
    )
    return next(jpeg for jpeg in candidates if len(jpeg) > SIZE * 0.98)


def picture(number: int) -> bytes:
    """The JPEG with a comment that no other number has."""
    comment = b"%020d" % number
    data = base()
    return data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + data[2:]
