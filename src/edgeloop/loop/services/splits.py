"""Which images train a model and which test it: decided by their content, once."""

from edgeloop.types import Split

_TEST = 0.2
_VAL = 0.1


def assign(content_hash: str, *, has_val: bool) -> Split:
    """The split of an image by the SHA-256 of its bytes, in hex: 80 train / 20 test.

    With ``has_val`` 70 train / 10 val / 20 test; what tests stays the same.
    """
    place = int(content_hash[:8], 16) / 16**8  # evenly in [0, 1)
    if place < _TEST:
        return "test"
    return "val" if has_val and place < _TEST + _VAL else "train"
