"""Metadata meets its image."""

import pytest

from edgeloop.errors import Unprocessable
from edgeloop.loop.api.pairing import pair_parts


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        ([], []),
        (["image.json", "image.jpg"], [(0, 1)]),
        (["image.json", "image.json", "image.jpg", "image.jpg"], [(0, 2), (1, 3)]),
        (["image.json", "image.jpg", "image.json", "image.jpg"], [(0, 1), (2, 3)]),
        (["a.json", "a.jpg", "b.json", "b.jpg"], [(0, 1), (2, 3)]),
        (["a.json", "b.json", "b.jpg", "a.jpg"], [(0, 3), (1, 2)]),
        (["b.jpg", "a.jpg", "a.json", "b.json"], [(2, 1), (3, 0)]),
        (["1_2%3A3.5.json", "1_2:3.4.json", "1_2:3.5.jpg", "1_2:3.4.jpg"], [(0, 2), (1, 3)]),
        (["meta.json", "photo.JPEG"], [(0, 1)]),
        (["A.JSON", "A"], [(0, 1)]),
    ],
)
def test_parts_pair_by_name_or_by_order(names: list[str], pairs: list[tuple[int, int]]) -> None:
    assert pair_parts(names) == pairs


@pytest.mark.parametrize(
    "names",
    [
        ["a.json"],
        ["a.jpg"],
        ["a.json", "a.jpg", "b.jpg"],
        ["a.json", "b.json", "b.jpg", "c.jpg"],
    ],
)
def test_a_part_without_its_other_half_is_refused(names: list[str]) -> None:
    with pytest.raises(Unprocessable, match="send"):
        pair_parts(names)
