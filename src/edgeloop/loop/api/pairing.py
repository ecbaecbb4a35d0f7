"""Which metadata part of an upload belongs to which image part."""

from collections.abc import Sequence
from urllib.parse import unquote

from edgeloop.errors import Unprocessable

_METADATA_SUFFIX = ".json"


def pair_parts(names: Sequence[str]) -> list[tuple[int, int]]:
    """File names of parts -> (metadata, image) by their places in ``names``.

    By name, where the names without suffix tell one pair from another; else in the order in which
    they came. Raises Unprocessable where something is left over.
    """
    metadata = [i for i, name in enumerate(names) if is_metadata(name)]
    images = [i for i, name in enumerate(names) if not is_metadata(name)]
    by_stem = {_stem(names[i]): i for i in images}
    stems = {_stem(names[i]) for i in metadata}
    if len(metadata) != len(images):
        raise Unprocessable(
            f"{len(images)} images came with {len(metadata)} JSON files: send one for each image."
        )
    unique = len(by_stem) == len(images) and len(stems) == len(metadata)
    if not unique or stems.isdisjoint(by_stem):
        return list(zip(metadata, images, strict=True))
    alone = stems - by_stem.keys()
    if alone:
        raise Unprocessable(f"No image came with {sorted(alone)[0]}.json: send them together.")
    return [(i, by_stem[_stem(names[i])]) for i in metadata]


def is_metadata(name: str) -> bool:
    """Whether a part of this name is JSON; all others are images."""
    return name.lower().endswith(_METADATA_SUFFIX)


def _stem(name: str) -> str:
    plain = unquote(name)
    return plain[: plain.rfind(".")] if "." in plain else plain
