"""Images and annotations of a project -> files; what is there already is kept."""

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from edgeloop import durable, imaging
from edgeloop.client import AsyncLoopClient
from edgeloop.client.calls import images as calls
from edgeloop.errors import ImageError, LoopRejected, NotFound
from edgeloop.types import ImageRecord

log = logging.getLogger(__name__)

RECORDS_PER_CALL = 100
FILES_AT_ONCE = 8
_ID = re.compile(r"[\w-]+")

Progress = Callable[[float], None]


class ProjectImages:
    """The images of one project: on the loop, and those that lie in ``folder`` by now."""

    def __init__(
        self, client: AsyncLoopClient, organization: str, project: str, *, folder: Path
    ) -> None:
        self._client = client
        self._organization = organization
        self._project = project
        self._folder = folder

    def path(self, image_id: str) -> Path:
        """Where an image lies; raises LoopRejected for an id that cannot be a file's name."""
        if not _ID.fullmatch(image_id):
            raise LoopRejected(f"The loop calls an image {image_id!r}: that is no id.")
        return self._folder / f"{image_id}.jpg"

    async def records(self, image_ids: Sequence[str]) -> list[ImageRecord]:
        """What the loop knows of the images; those deleted meanwhile are left out."""
        records: list[ImageRecord] = []
        for start in range(0, len(image_ids), RECORDS_PER_CALL):
            chunk = image_ids[start : start + RECORDS_PER_CALL]
            call = calls.image_records(self._organization, self._project, chunk)
            found = await self._client.send(call)
            records += found
        if len(records) < len(image_ids):
            log.warning("%d images are gone from the loop.", len(image_ids) - len(records))
        return records

    async def download(self, image_ids: Sequence[str], *, progress: Progress) -> list[str]:
        """Fetch what is missing, some files at once; answers the ids of unusable images.

        An image is unusable if it is corrupt or gone. Raises LoopError where a download fails:
        called again, it continues.
        """
        durable.sweep(self._folder)
        unusable: list[str] = []
        waiting = iter(image_ids)
        done = 0

        async def fetch_next_ones() -> None:
            nonlocal done
            for image_id in waiting:
                if not await self._fetch(image_id):
                    unusable.append(image_id)
                done += 1
                progress(done / len(image_ids))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(FILES_AT_ONCE):
                    group.create_task(fetch_next_ones())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return sorted(unusable)

    def keep_only(self, image_ids: Sequence[str]) -> None:
        """Delete the files of images that the loop no longer names."""
        kept = {self.path(image_id) for image_id in image_ids}
        for path in self._folder.glob("*.jpg"):
            if path not in kept:
                path.unlink(missing_ok=True)

    async def _fetch(self, image_id: str) -> bool:
        path = self.path(image_id)
        if path.is_file():
            return True
        try:
            call = calls.image_file(self._organization, self._project, image_id)
            data = await self._client.send(call)
            await asyncio.to_thread(_keep_usable, path, data)
        except (ImageError, NotFound) as error:
            log.warning("Image %s is left out: %s", image_id, error)
            return False
        return True


def _keep_usable(path: Path, data: bytes) -> None:
    imaging.verify_jpeg(data)
    durable.write_bytes(path, data)
