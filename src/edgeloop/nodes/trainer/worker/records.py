"""A dataset's records as a file: the node writes it, the training process reads it."""

import json
from collections.abc import Sequence
from pathlib import Path

from edgeloop import durable
from edgeloop.errors import InputError
from edgeloop.protocol.payloads.images import image_record_to_json, read_image_record
from edgeloop.types import Dataset, DatasetImage, ImageRecord


def write_records(path: Path, records: Sequence[ImageRecord]) -> None:
    """Store the records of a dataset's images as one JSON file."""
    durable.write_json(path, [image_record_to_json(record) for record in records])


def read_dataset(path: Path, images: Path) -> Dataset:
    """The dataset whose records ``path`` holds and whose files lie in ``images``."""
    try:
        records = [read_image_record(record) for record in json.loads(path.read_bytes())]
    except ValueError as error:
        raise InputError(f"{path} is no dataset ({error}): begin the training anew.") from error
    return Dataset(tuple(DatasetImage(r, images / f"{r.id}.jpg") for r in records))
