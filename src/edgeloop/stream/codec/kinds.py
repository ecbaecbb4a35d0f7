"""What both directions of the codec must agree on: extension codes, alignment, bounds."""

import numpy as np
import numpy.typing as npt

AnyArray = npt.NDArray[np.generic]

ALIGNMENT = 64
"""Every array starts at a multiple of this many bytes from the start of the body."""
MAX_DEPTH = 64
"""How deep containers may be nested."""
MAX_ENTRIES = 1_000_000
"""How many values and keys a message may have."""
MAX_HEADER_BYTES = 1 << 24
"""How many bytes the header may have: names, numbers, short texts."""
MAX_INT_BITS = 4096
INLINE_BYTES = 64
"""Longer texts and bytes travel in the body."""

LONG_LIST = 16
"""Longer lists of floats alone, or of ints alone, travel in the body."""

ARRAY, SCALAR, TUPLE, BYTES, TEXT, FLOATS, INTS, INTEGER, COMPLEX = range(1, 10)
"""MessagePack extension codes."""


def aligned(size: int) -> int:
    """The next multiple of ALIGNMENT."""
    return (size + ALIGNMENT - 1) & -ALIGNMENT
