"""Images and annotations become files, over a real HTTP app."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response

from edgeloop.client import AsyncLoopClient, ClientSettings
from edgeloop.errors import LoopRejected, LoopUnreachable
from edgeloop.nodes.trainer.dataset import ProjectImages
from edgeloop.protocol.payloads.images import image_record_to_json
from edgeloop.types import ImageRecord
from fakes import jpeg

GOOD = jpeg()


@dataclass
class Loop:
    """Serves images by id; counts what is asked."""

    files: dict[str, bytes]
    failing: set[str] = field(default_factory=set)
    chunks: list[int] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/api/login")
        async def log_in(response: Response) -> None:
            response.set_cookie("session", "s")

        @app.get("/api/acme/projects/cups/images")
        async def records(ids: str) -> dict[str, Any]:
            asked = ids.split(",")
            self.chunks.append(len(asked))
            known = [ImageRecord(name, "train", 64, 48) for name in asked if name in self.files]
            return {"images": [image_record_to_json(record) for record in known]}

        @app.get("/api/acme/projects/cups/images/{name}/main")
        async def file(name: str) -> Response:
            self.fetched.append(name)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            await asyncio.sleep(0)
            self.at_once -= 1
            if name in self.failing or name not in self.files:
                return Response(status_code=500 if name in self.failing else 404)
            return Response(self.files[name], media_type="image/jpeg")

        return app


def tell(loop: Loop, folder: Path, story: Callable[[ProjectImages], Awaitable[None]]) -> None:
    async def whole() -> None:
        transport = httpx.ASGITransport(loop.app())
        async with AsyncLoopClient(ClientSettings(), transport=transport) as client:
            await story(ProjectImages(client, "acme", "cups", folder=folder))

    asyncio.run(whole())


def ignore(_done: float) -> None:
    """For those who do not look at the progress."""


def test_records_are_asked_for_in_hundreds(tmp_path: Path) -> None:
    loop = Loop({f"i{n}": GOOD for n in range(250)})

    async def story(images: ProjectImages) -> None:
        records = await images.records(list(loop.files))
        assert [record.id for record in records] == list(loop.files)

    tell(loop, tmp_path, story)
    assert loop.chunks == [100, 100, 50]


def test_records_that_are_gone_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(images: ProjectImages) -> None:
        assert len(await images.records(["a", "b"])) == 1

    with caplog.at_level(logging.WARNING):
        tell(Loop({"a": GOOD}), tmp_path, story)
    assert "1 images are gone" in caplog.text


def test_files_arrive_as_they_are_some_at_once(tmp_path: Path) -> None:
    loop = Loop({f"i{n}": jpeg(seed=n) for n in range(20)})
    seen: list[float] = []

    async def story(images: ProjectImages) -> None:
        assert await images.download(list(loop.files), progress=seen.append) == []

    tell(loop, tmp_path, story)
    assert {path.stem: path.read_bytes() for path in tmp_path.iterdir()} == loop.files
    assert 1 < loop.most_at_once <= 8
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_files_that_are_there_are_not_fetched_again(tmp_path: Path) -> None:
    loop = Loop({"a": GOOD, "b": GOOD})

    async def story(images: ProjectImages) -> None:
        await images.download(["a"], progress=ignore)
        await images.download(["a", "b"], progress=ignore)

    tell(loop, tmp_path, story)
    assert loop.fetched == ["a", "b"]


def test_a_failed_file_fails_the_download_and_the_next_attempt_continues(tmp_path: Path) -> None:
    loop = Loop({f"i{n:02}": GOOD for n in range(12)}, failing={"i11"})

    async def story(images: ProjectImages) -> None:
        with pytest.raises(LoopUnreachable):
            await images.download(list(loop.files), progress=ignore)
        loop.failing.clear()
        loop.fetched.clear()
        assert await images.download(list(loop.files), progress=ignore) == []

    tell(loop, tmp_path, story)
    assert 0 < len(loop.fetched) < 12
    assert len(list(tmp_path.iterdir())) == 12


def test_corrupt_and_missing_images_are_left_out_by_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loop = Loop({"good": GOOD, "half": GOOD[: len(GOOD) // 2], "text": b"hello", "empty": b""})

    async def story(images: ProjectImages) -> None:
        found = await images.download([*loop.files, "gone"], progress=ignore)
        assert found == ["empty", "gone", "half", "text"]

    with caplog.at_level(logging.WARNING):
        tell(loop, tmp_path, story)
    assert [path.name for path in tmp_path.iterdir()] == ["good.jpg"]
    assert "Image half is left out" in caplog.text


def test_an_id_that_is_no_file_name_is_refused(tmp_path: Path) -> None:
    async def story(images: ProjectImages) -> None:
        with pytest.raises(LoopRejected, match="that is no id"):
            await images.download(["../../evil"], progress=ignore)

    tell(Loop({}), tmp_path, story)


def test_files_of_images_that_the_loop_forgot_are_deleted(tmp_path: Path) -> None:
    async def story(images: ProjectImages) -> None:
        await images.download(["a", "b"], progress=ignore)
        images.keep_only(["b", "c"])

    tell(Loop({"a": GOOD, "b": GOOD}), tmp_path, story)
    assert [path.name for path in tmp_path.iterdir()] == ["b.jpg"]
