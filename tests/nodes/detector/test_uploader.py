"""From the outbox to the loop, whatever happens on the way."""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from fastapi.responses import JSONResponse, Response
from PIL import Image

from detecting import OddLoop, UploadRequest, cup
from edgeloop.client import AsyncLoopClient, Backoff, ClientSettings
from edgeloop.nodes.detector.outbox import Outbox
from edgeloop.nodes.detector.uploader import BATCH, OutboxMode, Uploader
from edgeloop.types import Detections, ImageMetadata
from fakes import jpeg, picture

JPEG = jpeg()
Story = Callable[[OddLoop, Outbox, Uploader], Awaitable[None]]


def put(outbox: Outbox, *frame_ids: str) -> None:
    for frame_id in frame_ids:
        outbox.put(ImageMetadata(frame_id), JPEG)


def numbered(count: int) -> list[str]:
    return [f"frame {number}" for number in range(count)]


def tell(folder: Path, story: Story, *, backoff: Backoff | None = None) -> None:
    async def told() -> None:
        outbox = Outbox(folder / "outbox")
        async with OddLoop().serve() as loop, AsyncLoopClient(loop.settings) as client:
            uploader = Uploader(outbox, client, backoff=backoff or Backoff(0.001, 0.01))
            running = asyncio.ensure_future(uploader.run())
            try:
                await story(loop, outbox, uploader)
            finally:
                running.cancel()
                await asyncio.wait([running])
            assert running.cancelled(), running.exception()

    asyncio.run(told())


async def settled(outbox: Outbox, uploader: Uploader) -> None:
    """Wait until nothing waits any more and nothing is wrong."""
    async with asyncio.timeout(20):
        while len(outbox) or uploader.error:  # noqa: ASYNC110 - they are what is awaited
            await asyncio.sleep(0.001)


async def failed(uploader: Uploader) -> str:
    """Wait until a request failed; says why."""
    async with asyncio.timeout(20):
        while uploader.error is None:  # noqa: ASYNC110 - the error is what is awaited
            await asyncio.sleep(0.001)
    return uploader.error


def refusing(is_bad: Callable[[UploadRequest], bool], status: int = 422) -> OddLoop:
    async def answer(upload: UploadRequest) -> Response | None:
        return JSONResponse({"detail": "not that one"}, status) if is_bad(upload) else None

    return OddLoop(on_upload=answer)


def test_a_frame_arrives_as_it_was_received(tmp_path: Path) -> None:
    async def story(loop: OddLoop, outbox: Outbox, uploader: Uploader) -> None:
        metadata = ImageMetadata(
            "f", detections=Detections(boxes=(cup(0.5),)), tags=("uncertain",), camera_id="left"
        )
        outbox.put(metadata, JPEG)
        await settled(outbox, uploader)
        (upload,) = loop.uploads
        assert upload.images == [JPEG]
        assert upload.metadata[0]["tags"] == ["uncertain"]
        assert upload.metadata[0]["camera_id"] == "left"
        assert upload.metadata[0]["box_detections"][0]["confidence"] == 0.5

    tell(tmp_path, story)


def test_a_png_arrives_as_a_jpeg(tmp_path: Path) -> None:
    async def story(loop: OddLoop, outbox: Outbox, uploader: Uploader) -> None:
        file = tmp_path / "x.png"
        Image.fromarray(np.asarray(picture())).save(file)
        outbox.put(ImageMetadata("f"), file.read_bytes())
        await settled(outbox, uploader)
        assert loop.uploads[0].images[0].startswith(b"\xff\xd8")

    tell(tmp_path, story)


def test_what_waited_while_offline_goes_in_order_and_in_batches(tmp_path: Path) -> None:
    async def story(loop: OddLoop, outbox: Outbox, uploader: Uploader) -> None:
        uploader.mode = OutboxMode.STOPPED
        put(outbox, *numbered(2 * BATCH + 5))
        uploader.mode = OutboxMode.CONTINUOUS
        await settled(outbox, uploader)
        assert [len(upload.images) for upload in loop.uploads] == [BATCH, BATCH, 5]
        arrived = [frame_id for upload in loop.uploads for frame_id in upload.frame_ids]
        assert arrived == numbered(2 * BATCH + 5)

    tell(tmp_path, story)


def test_nothing_is_uploaded_while_stopped(tmp_path: Path) -> None:
    async def story(loop: OddLoop, outbox: Outbox, uploader: Uploader) -> None:
        uploader.mode = OutboxMode.STOPPED
        put(outbox, "kept")
        await asyncio.sleep(0.05)
        assert uploader.mode is OutboxMode.STOPPED
        assert loop.uploads == []
        assert len(outbox) == 1

    tell(tmp_path, story)


def test_a_batch_that_is_refused_is_split_until_the_one_at_fault_is_alone(tmp_path: Path) -> None:
    async def story(loop: OddLoop, outbox: Outbox, uploader: Uploader) -> None:
        loop.on_upload = refusing(lambda upload: "frame 7" in upload.frame_ids).on_upload
        uploader.mode = OutboxMode.STOPPED
        put(outbox, *numbered(BATCH))
        uploader.mode = OutboxMode.CONTINUOUS
        await settled(outbox, uploader)
        assert loop.stored == set(numbered(BATCH)) - {"frame 7"}
        assert outbox.counts.refused == 1
        (aside,) = (tmp_path / "refused").iterdir()
        assert "not that one" in (aside / "reason.txt").read_text()

    tell(tmp_path, story)


def test_a_batch_that_is_too_large_for_a_proxy_is_split(tmp_path: Path) -> None:
    async def story(loop: OddLoop, outbox: Outbox, uploader: Uploader) -> None:
        loop.on_upload = refusing(lambda upload: len(upload.images) > 3, 413).on_upload
        uploader.mode = OutboxMode.STOPPED
        put(outbox, *numbered(BATCH))
        uploader.mode = OutboxMode.CONTINUOUS
        await settled(outbox, uploader)
        assert loop.stored == set(numbered(BATCH))
        assert outbox.counts.refused == 0

    tell(tmp_path, story)


def test_a_half_that_arrived_is_not_sent_again_when_the_other_fails(tmp_path: Path) -> None:
    async def story(loop: OddLoop, outbox: Outbox, uploader: Uploader) -> None:
        failures = iter([True])

        async def answer(upload: UploadRequest) -> Response | None:
            if len(upload.images) > 2:
                return JSONResponse({}, 413)
            is_failing = "frame 3" in upload.frame_ids and next(failures, False)
            return Response(status_code=502) if is_failing else None

        loop.on_upload = answer
        uploader.mode = OutboxMode.STOPPED
        put(outbox, *numbered(4))
        uploader.mode = OutboxMode.CONTINUOUS
        await settled(outbox, uploader)
        arrived = [frame_id for upload in loop.uploads for frame_id in upload.frame_ids]
        assert arrived == numbered(4)

    tell(tmp_path, story)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 502, 503, 507])
def test_every_other_refusal_is_repeated_until_the_loop_takes_the_frame(
    tmp_path: Path, status: int
) -> None:
    async def story(loop: OddLoop, outbox: Outbox, uploader: Uploader) -> None:
        answers = iter([status, status])

        async def answer(_upload: UploadRequest) -> Response | None:
            code = next(answers, 200)
            return None if code == 200 else JSONResponse({"detail": "later"}, code)

        loop.on_upload = answer
        put(outbox, "f")
        await settled(outbox, uploader)
        assert loop.stored == {"f"}
        assert outbox.counts.refused == 0

    tell(tmp_path, story)


def test_an_error_page_that_only_claims_to_be_json_is_survived(tmp_path: Path) -> None:
    async def story(loop: OddLoop, outbox: Outbox, uploader: Uploader) -> None:
        pages = iter([b"<html>", b'"half', b"[1]"])

        async def answer(_upload: UploadRequest) -> Response | None:
            page = next(pages, None)
            return Response(page, 502, media_type="application/json") if page else None

        loop.on_upload = answer
        put(outbox, "f")
        await settled(outbox, uploader)
        assert loop.stored == {"f"}

    tell(tmp_path, story)


def test_while_the_loop_is_away_the_frame_waits_and_the_reason_is_known(tmp_path: Path) -> None:
    async def story() -> None:
        outbox = Outbox(tmp_path / "outbox")
        put(outbox, "f")
        loop = OddLoop()
        async with loop.serve():
            pass  # now its port is known, and closed
        async with AsyncLoopClient(loop.settings) as client:
            uploader = Uploader(outbox, client, backoff=Backoff(0.001, 0.01))
            running = asyncio.ensure_future(uploader.run())
            assert "does not answer" in await failed(uploader)
            assert len(outbox) == 1
            async with loop.serve():
                await settled(outbox, uploader)
            assert loop.stored == {"f"}
            running.cancel()
            await asyncio.wait([running])

    asyncio.run(story())


def test_an_answer_that_never_comes_leads_to_the_same_frame_id_again(tmp_path: Path) -> None:
    async def story(loop: OddLoop, outbox: Outbox, uploader: Uploader) -> None:
        cuts = iter([True])

        async def answer(upload: UploadRequest) -> Response | None:
            if next(cuts, False):
                loop.uploads.append(upload)  # stored, but the answer is lost
                return Response(status_code=504)
            return None

        loop.on_upload = answer
        put(outbox, "f")
        await settled(outbox, uploader)
        assert [upload.frame_ids for upload in loop.uploads] == [["f"], ["f"]]

    tell(tmp_path, story)


def test_a_new_frame_is_sent_at_once(tmp_path: Path) -> None:
    async def story(loop: OddLoop, outbox: Outbox, _uploader: Uploader) -> None:
        for frame_id in numbered(3):
            await asyncio.to_thread(put, outbox, frame_id)
            await loop.until(lambda frame_id=frame_id: frame_id in loop.stored)  # type: ignore[misc]

    tell(tmp_path, story)


def test_a_person_who_starts_the_upload_does_not_wait_for_the_pause(tmp_path: Path) -> None:
    async def story(loop: OddLoop, outbox: Outbox, uploader: Uploader) -> None:
        answers = iter([503])

        async def answer(_upload: UploadRequest) -> Response | None:
            code = next(answers, 200)
            return Response(status_code=code) if code != 200 else None

        loop.on_upload = answer
        put(outbox, "f")
        await failed(uploader)
        uploader.mode = OutboxMode.CONTINUOUS
        await settled(outbox, uploader)

    tell(tmp_path, story, backoff=Backoff(1000.0, 1000.0))


def test_without_a_project_nothing_is_sent(tmp_path: Path) -> None:
    async def story() -> None:
        outbox = Outbox(tmp_path / "outbox")
        put(outbox, "f")
        async with OddLoop().serve() as loop:
            settings = ClientSettings(host=loop.settings.host, organization="", project="")
            async with AsyncLoopClient(settings) as client:
                running = asyncio.ensure_future(Uploader(outbox, client).run())
                await asyncio.sleep(0.05)
                running.cancel()
                await asyncio.wait([running])
            assert loop.uploads == []
        assert len(outbox) == 1

    asyncio.run(story())


def test_a_disk_that_fails_does_not_end_the_uploads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(loop: OddLoop, outbox: Outbox, uploader: Uploader) -> None:
        def read_only(self: Path, _target: Path) -> Path:
            raise OSError(30, "Read-only file system", str(self))

        put(outbox, "first")
        await settled(outbox, uploader)
        uploader.mode = OutboxMode.STOPPED
        put(outbox, "second")
        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", read_only)
            uploader.mode = OutboxMode.CONTINUOUS
            assert "Read-only" in await failed(uploader)
        await asyncio.to_thread(put, outbox, "third")
        await loop.until(lambda: "third" in loop.stored)

    tell(tmp_path, story)


def test_an_outbox_that_cannot_be_read_for_a_moment_does_not_end_the_uploads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(loop: OddLoop, outbox: Outbox, uploader: Uploader) -> None:
        def exhausted(_path: Path) -> bytes:
            raise OSError(errno.EMFILE, "Too many open files")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_bytes", exhausted)
            put(outbox, "first")
            assert "Too many open files" in await failed(uploader)
        await loop.until(lambda: "first" in loop.stored)
        await settled(outbox, uploader)

    tell(tmp_path, story)
