"""Metadata meets its image."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


STEMS = st.lists(
    st.text(st.sampled_from("ab.:_%/\u00e9 "), max_size=6).map(lambda stem: f"image_{stem}"),
    max_size=6,
    unique_by=lambda stem: unquote(stem).rpartition(".")[0] or unquote(stem),
)


@st.composite
def orders(draw: st.DrawFn) -> tuple[list[str], dict[str, str]]:
    """Names of parts in an order that clients use, and which metadata belongs to which image."""
    stems = draw(STEMS)
    pairs = [(f"{stem}.json", f"{stem}.jpg") for stem in stems]
    expected = dict(pairs)
    kind = draw(st.sampled_from(["interleaved", "documents first", "shuffled"]))
    if kind == "interleaved":
        return [name for pair in pairs for name in pair], expected
    if kind == "documents first":
        return [json for json, _ in pairs] + [image for _, image in pairs], expected
    return draw(st.permutations([name for pair in pairs for name in pair])), expected


@given(orders())
def test_every_metadata_meets_the_image_of_its_name_in_any_order(
    case: tuple[list[str], dict[str, str]],
) -> None:
    names, expected = case
    assert {names[m]: names[i] for m, i in pair_parts(names)} == expected


@given(st.permutations([True] * 4 + [False] * 4))
def test_parts_with_one_name_for_all_pair_in_their_order(is_metadata: list[bool]) -> None:
    names = ["image.json" if metadata else "image.jpg" for metadata in is_metadata]
    metadata = [i for i, is_json in enumerate(is_metadata) if is_json]
    images = [i for i, is_json in enumerate(is_metadata) if not is_json]
    assert pair_parts(names) == list(zip(metadata, images, strict=True))


@given(st.lists(st.text(max_size=8) | st.just("image.json") | st.just("image.jpg"), max_size=8))
def test_any_names_pair_all_parts_once_or_are_refused(names: list[str]) -> None:
    try:
        pairs = pair_parts(names)
    except Unprocessable:
        return
    assert sorted(place for pair in pairs for place in pair) == list(range(len(names)))
    assert all(names[m].lower().endswith(".json") for m, _ in pairs)
