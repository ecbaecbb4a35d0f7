"""The zip of a model: flat, with one corrected ``model.json``."""

import contextlib
import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from edgeloop.durable import storage_errors
from edgeloop.errors import Unprocessable

MODEL_JSON = "model.json"
MAX_MODEL_JSON_BYTES = 16 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same files give the same zip


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file as it came: the sender's name for it and its bytes."""

    name: str
    content: IO[bytes]


@dataclass(frozen=True, slots=True)
class Archive:
    """A zip, open to be read, and the SHA-256 of its bytes in hex."""

    content: IO[bytes]
    content_hash: str


@contextlib.contextmanager
def archive_of(files: Sequence[ReceivedFile], facts: Mapping[str, Any]) -> Iterator[Archive]:
    """The zip of ``files``, there until the block ends.

    ``facts`` overwrite what the sender's ``model.json`` says, but for categories, resolution and
    model_size, which only fill in. Blocking. Raises Unprocessable for names that would not be flat
    and unique, for no model file, and for a ``model.json`` that is not a JSON object.
    """
    by_name = _by_base_name(files)
    description = _read_description(by_name.pop(MODEL_JSON, None))
    if not by_name:
        raise Unprocessable("The upload has no model file: send the weights beside model.json.")
    text = json.dumps(_corrected(description, facts))
    with tempfile.TemporaryFile() as file:  # it has no name: a killed process leaves nothing
        with storage_errors(Path(tempfile.gettempdir())):
            _write(file, by_name, text)
            file.seek(0)
        content_hash = hashlib.file_digest(file, "sha256").hexdigest()
        yield Archive(file, content_hash)


def _by_base_name(files: Sequence[ReceivedFile]) -> dict[str, ReceivedFile]:
    by_name: dict[str, ReceivedFile] = {}
    for file in files:
        name = PurePosixPath(file.name.replace("\\", "/")).name
        if not name or name.startswith("."):
            raise Unprocessable(f"{file.name!r} is no name for a file of a model.")
        if name in by_name:
            raise Unprocessable(f"The upload has two files named {name}: names must differ.")
        by_name[name] = file
    return by_name


def _read_description(file: ReceivedFile | None) -> dict[str, Any]:
    if file is None:
        return {}
    file.content.seek(0)
    raw = file.content.read(MAX_MODEL_JSON_BYTES + 1)
    try:
        value = json.loads(raw) if len(raw) <= MAX_MODEL_JSON_BYTES else None
    except (ValueError, RecursionError) as error:
        raise Unprocessable(f"The model.json is not valid JSON ({error}).") from error
    if not isinstance(value, dict):
        raise Unprocessable("The model.json is not a JSON object, or far too large.")
    return value


def _corrected(description: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    fallbacks = ("categories", "resolution", "model_size")
    known = {key: value for key, value in facts.items() if key not in fallbacks}
    result = {**description, **known}
    for key in fallbacks:
        if not result.get(key) and facts.get(key):
            result[key] = facts[key]
    return result


def _write(file: IO[bytes], files: Mapping[str, ReceivedFile], description: str) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            content = files[name].content
            content.seek(0)
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            with archive.open(entry, "w", force_zip64=True) as target:
                shutil.copyfileobj(content, target, 1 << 20)
        archive.writestr(zipfile.ZipInfo(MODEL_JSON, date_time=_EPOCH), description)
