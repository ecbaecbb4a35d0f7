"""features.json: how TensorFlow Datasets is told what the examples hold."""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from edgeloop.errors import InputError
from edgeloop.rl.episodes.pixels import decode_all, encode_all
from edgeloop.rl.episodes.rlds.example import Values
from edgeloop.rl.episodes.steps import Images, StepLayout, is_image
from edgeloop.stream.stores.layout import Field

Path = tuple[str, ...]
Kind = Literal["tensor", "image", "text"]

INSTRUCTION: Path = ("language_instruction",)
STEPS, METADATA = "steps", "episode_metadata"

_CORE = "tensorflow_datasets.core.features"
_CLASSES = {
    "dict": f"{_CORE}.features_dict.FeaturesDict",
    "steps": f"{_CORE}.dataset_feature.Dataset",
    "tensor": f"{_CORE}.tensor_feature.Tensor",
    "image": f"{_CORE}.image_feature.Image",
    "text": f"{_CORE}.text_feature.Text",
}
_AS_NUMBERS = {"bool", "int32", "int64", "uint32", "uint64", "float32"}
"""Types that examples hold as they are; the others would grow or lose bits, and go as bytes."""

_FACTS = {"bool": np.dtype(np.bool_), "int": np.dtype(np.int64), "float": np.dtype(np.float64)}


@dataclass(frozen=True, slots=True)
class Feature:
    """One leaf: of ``shape``, None where that varies; ``encoding`` is none, bytes, zlib, png..."""

    kind: Kind
    dtype: np.dtype[Any]
    shape: tuple[int, ...] | None
    encoding: str

    def pack(self, column: Any) -> Values:
        """Stacked values (or a list of texts) -> what the example holds."""
        if self.kind == "text":
            return [text.encode() for text in column]
        if self.kind == "image":
            return encode_all(column, self.encoding)
        little = np.ascontiguousarray(column, self.dtype.newbyteorder("<"))
        if self.encoding == "bytes":
            return [value.tobytes() for value in little]
        flat = little.reshape(-1)
        return flat if self.dtype == np.float32 else flat.astype(np.int64)

    def unpack(self, values: Values, where: str) -> Any:
        """The opposite; raises InputError, or ValueError where the count does not fit."""
        if self.kind == "text":
            return [bytes(value).decode() for value in values]
        if self.kind == "image":
            return decode_all([bytes(value) for value in values], where)
        shape = self.shape or ()
        if isinstance(values, list):
            opened = map(_decompress, values) if self.encoding == "zlib" else values
            whole = np.frombuffer(b"".join(opened), self.dtype.newbyteorder("<"))
            return whole.astype(self.dtype).reshape(len(values), *shape)
        return values.astype(self.dtype).reshape(-1, *shape)


def features_of(
    steps: StepLayout, metadata: Mapping[str, str], images: Images
) -> dict[Path, Feature]:
    """The features of a log's examples, by their paths."""
    found = {(STEPS, *field.path): _feature_of(field, images) for field in steps.fields}
    found[(STEPS, *INSTRUCTION)] = _text()
    for key, kind in metadata.items():
        found[(METADATA, key)] = _text() if kind == "text" else _number(_FACTS[kind])
    return found


def to_json(features: Mapping[Path, Feature]) -> dict[str, Any]:
    """The whole of features.json."""
    tree: dict[str, Any] = {}
    for path, feature in features.items():
        branch = tree
        for key in path[:-1]:
            branch = branch.setdefault(key, {})
        branch[path[-1]] = feature
    steps = {
        "pythonClassName": _CLASSES["steps"],
        "sequence": {"feature": _node(tree.pop(STEPS)), "length": "-1"},
    }
    rest = {key: _node(value) for key, value in tree.items()}
    return _dict({STEPS: steps, **rest})


def from_json(value: Any) -> dict[Path, Feature]:
    """The features of anybody's RLDS by their paths, without those kinds that are not read.

    Raises KeyError, TypeError or ValueError where it is no features.json, InputError where it
    is none of RLDS.
    """
    content = value["featuresDict"]["features"]
    steps = content.get(STEPS, {}).get("sequence", {}).get("feature")
    if steps is None:
        raise InputError("it has no 'steps': this is no RLDS")
    found = {(STEPS, *path): feature for path, feature in _walk(steps)}
    if METADATA in content:
        found |= {(METADATA, *path): feature for path, feature in _walk(content[METADATA])}
    return found


def _walk(node: Any) -> Iterator[tuple[Path, Feature]]:
    for key, child in node["featuresDict"]["features"].items():
        if "featuresDict" in child:
            for path, feature in _walk(child):
                yield (key, *path), feature
        elif "tensor" in child:
            yield (key,), _tensor_from(child["tensor"])
        elif "image" in child:
            yield (key,), Feature("image", np.dtype(np.uint8), None, "")
        elif "text" in child:
            yield (key,), _text()


def _tensor_from(value: Any) -> Feature:
    shape = tuple(int(length) for length in value["shape"].get("dimensions", ()))
    if value["dtype"] == "string":
        return _text()
    encoding = value.get("encoding") or "none"
    return Feature("tensor", np.dtype(value["dtype"]), shape, encoding)


def _feature_of(field: Field, images: Images) -> Feature:
    if is_image(field, images):
        return Feature("image", field.dtype, field.shape, images)
    return _number(field.dtype, field.shape)


def _decompress(value: bytes) -> bytes:
    try:
        return zlib.decompress(value)
    except zlib.error as error:
        raise ValueError(str(error)) from error


def _number(dtype: np.dtype[Any], shape: tuple[int, ...] = ()) -> Feature:
    return Feature("tensor", dtype, shape, "none" if dtype.name in _AS_NUMBERS else "bytes")


def _text() -> Feature:
    return Feature("text", np.dtype(np.object_), (), "none")


def _node(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return _dict({key: _node(child) for key, child in value.items()})
    return _leaf(value)


def _dict(children: dict[str, Any]) -> dict[str, Any]:
    return {"pythonClassName": _CLASSES["dict"], "featuresDict": {"features": children}}


def _leaf(feature: Feature) -> dict[str, Any]:
    named: dict[str, Any] = {"pythonClassName": _CLASSES[feature.kind]}
    if feature.kind == "text":
        return {**named, "text": {}}
    lengths = [str(length) for length in feature.shape or ()]
    content: dict[str, Any] = {
        "dtype": feature.dtype.name,
        "shape": {"dimensions": lengths} if lengths else {},
    }
    encoding = "encodingFormat" if feature.kind == "image" else "encoding"
    return {**named, feature.kind: {**content, encoding: feature.encoding}}
