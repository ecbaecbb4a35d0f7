"""Image files on their way: ``edgeloop image upload`` and ``edgeloop image download``."""

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from edgeloop import durable
from edgeloop.cli.console import progress_bar, stderr, stdout
from edgeloop.cli.options import find_project
from edgeloop.cli.tables import AsJson
from edgeloop.cli.telling import tell
from edgeloop.client import LoopClient, items, pages
from edgeloop.client.calls.image_queries import ImageQuery
from edgeloop.client.calls.image_records import ImageDetails, UploadReceipt
from edgeloop.client.calls.images import Sort, image_content, image_count, images, upload_receipts
from edgeloop.client.calls.records import ProjectRecord
from edgeloop.errors import EdgeloopError, InputError
from edgeloop.types import ImageMetadata, ImageState, Split

Project = Annotated[str, typer.Argument(metavar="ORG/PROJECT")]
_SUFFIXES = {".jpg", ".jpeg"}
_AT_ONCE = 20
_BYTES_AT_ONCE = 64 << 20
_THREADS = 8
_PAGE = 1000


def upload(
    client: LoopClient,
    project: Project,
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="JPEG files, or folders with such.")
    ],
    tag: Annotated[list[str] | None, typer.Option(help="A tag for all. Repeatable.")] = None,
    state: Annotated[ImageState, typer.Option(help="The state that all begin in.")] = "inbox",
    split: Annotated[Split | None, typer.Option("--set", help="The set that all are in.")] = None,
    source: Annotated[str, typer.Option(help="Where they are from.")] = "upload",
    camera: Annotated[str, typer.Option(help="The camera that made them.")] = "",
    as_json: AsJson = False,
) -> None:
    """Upload JPEGs. It may be repeated: what the loop has already is not stored twice."""
    record = find_project(client, project)
    files = _jpegs(paths)
    pattern = ImageMetadata(
        "",
        tags=tuple(tag or ()),
        state=state,
        split=split,
        source=source,
        camera_id=camera,
    )
    receipts: list[UploadReceipt] = []
    try:
        with progress_bar() as bar:
            sending = bar.add_task("uploading", total=len(files))
            for batch in _batches(files):
                receipts += _send(client, record, batch, pattern)
                bar.advance(sending, len(batch))
    except EdgeloopError:
        stderr.print(f"{len(receipts)} of {len(files)} images are in {project}.", highlight=False)
        raise
    known = sum(receipt.repeated for receipt in receipts)
    said = f"Uploaded {len(receipts) - known} images to {project}."
    if known:
        said += f"\n{known} were there already and stay as they are."
    made = [
        {"file": str(file), **receipt.model_dump(mode="json")}
        for file, receipt in zip(files, receipts, strict=True)
    ]
    tell(made, said, as_json=as_json)


def download(
    client: LoopClient,
    project: Project,
    folder: Annotated[Path, typer.Argument(help="Where the files go, one IMAGE_ID.jpg each.")],
    query: ImageQuery,
) -> None:
    """Download the JPEGs that are chosen, or all. It may be repeated: files stay as they are."""
    record = find_project(client, project)
    total = client.send(image_count(record.id, query))

    def fetch(image: ImageDetails) -> bool:
        target = folder / f"{image.id}.jpg"
        if target.exists():
            return False
        durable.write_bytes(target, client.send(image_content(image.id)))
        return True

    fetched = 0
    with progress_bar() as bar, ThreadPoolExecutor(_THREADS) as threads:
        receiving = bar.add_task("downloading", total=total)
        for page in pages(client, images(record.id, query, limit=_PAGE)):
            for is_new in threads.map(fetch, page.items):
                fetched += is_new
                bar.advance(receiving)
    stdout.print(f"Downloaded {fetched} images to {folder}.", highlight=False)
    if fetched < total:
        stdout.print(f"{total - fetched} were there already.", highlight=False)


def images_of(
    client: LoopClient, project_id: str, query: ImageQuery, *, sort: Sort, limit: int
) -> Iterator[ImageDetails]:
    """Up to ``limit`` images, page by page."""
    call = images(project_id, query, sort=sort, limit=min(limit, _PAGE))
    return itertools.islice(items(client, call), limit)


def _jpegs(paths: Iterable[Path]) -> list[Path]:
    """The files that are named, and those in folders that are; raises InputError.

    It does so before anything is sent, for folders and dangling links that are called like JPEGs.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.rglob("*") if p.suffix.lower() in _SUFFIXES)
        elif path.is_file():
            found.append(path)
        else:
            raise InputError(f"There is no file {path}.")
    if not found:
        raise InputError("There are no JPEGs: name files, or folders with files *.jpg.")
    for path in found:
        if not path.is_file():
            raise InputError(f"{path} is no file: rename or remove it, or name the files meant.")
    return found


def _batches(files: Iterable[Path]) -> Iterator[list[Path]]:
    batch: list[Path] = []
    size = 0
    for path in files:
        bytes_ = path.stat().st_size
        if batch and (len(batch) == _AT_ONCE or size + bytes_ > _BYTES_AT_ONCE):
            yield batch
            batch, size = [], 0
        batch.append(path)
        size += bytes_
    yield batch


def _send(
    client: LoopClient, project: ProjectRecord, files: Sequence[Path], pattern: ImageMetadata
) -> list[UploadReceipt]:
    pairs = [(replace(pattern, frame_id=_frame_id(path, pattern)), path) for path in files]
    return client.send(upload_receipts(project.organization, project.name, pairs, login=True))


def _frame_id(path: Path, pattern: ImageMetadata) -> str:
    # Many folders number their files: names alone would clash.
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    return f"{pattern.source}:{path.name}:{content}"
