"""The way of a frame."""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest

from detecting import CupDetector, local_model
from edgeloop.errors import ImageError, ModelUnavailable, StorageFull
from edgeloop.imaging import decode, encode_jpeg
from edgeloop.nodes.detector.outbox import Outbox
from edgeloop.nodes.detector.pipeline import Pipeline, Upload
from edgeloop.nodes.detector.selection import Band, Selector
from edgeloop.nodes.detector.slot import ModelSlot
from edgeloop.types import Frame, ImageArray, ImageMetadata
from fakes import jpeg

Story = Callable[[Pipeline, Outbox], Awaitable[None]]


def grey(red: int) -> ImageArray:
    return np.full((32, 32, 3), red, dtype=np.uint8)


def tell(folder: Path, story: Story, *, conf_threshold: float | None = None) -> None:
    async def told() -> None:
        slot = ModelSlot(CupDetector)
        outbox = Outbox(folder / "outbox")
        await slot.replace(local_model(folder, conf_threshold=conf_threshold))
        try:
            await story(Pipeline(slot, Selector(Band()), outbox), outbox)
        finally:
            await slot.close()

    asyncio.run(told())


def test_an_uncertain_frame_is_answered_and_kept_as_it_was_received(tmp_path: Path) -> None:
    async def story(pipeline: Pipeline, outbox: Outbox) -> None:
        image = encode_jpeg(grey(50))
        frame = Frame(image, id="f", camera_id="left", tags=("t",), source="arm", created="now")
        answer = await pipeline.process(frame)
        (entry,) = outbox.next(1)
        assert answer.reasons == ("uncertain",)
        assert entry.image == image
        assert entry.metadata == ImageMetadata(
            "f",
            detections=entry.metadata.detections,
            tags=("t", "uncertain"),
            source="arm",
            created="now",
            camera_id="left",
        )
        assert len(entry.metadata.detections.boxes) == 1

    tell(tmp_path, story)


def test_a_sure_frame_is_answered_and_not_kept(tmp_path: Path) -> None:
    async def story(pipeline: Pipeline, outbox: Outbox) -> None:
        answer = await pipeline.process(Frame(grey(90)))
        assert answer.detections.confidences == (0.9,)
        assert answer.reasons == ()
        assert len(outbox) == 0

    tell(tmp_path, story)


def test_an_array_is_encoded_once_where_it_is_kept(tmp_path: Path) -> None:
    async def story(pipeline: Pipeline, outbox: Outbox) -> None:
        await pipeline.process(Frame(grey(50)))
        (entry,) = outbox.next(1)
        assert decode(entry.image).shape == (32, 32, 3)

    tell(tmp_path, story)


def test_what_is_answered_counts_by_the_models_threshold_but_all_of_it_is_kept(
    tmp_path: Path,
) -> None:
    async def story(pipeline: Pipeline, outbox: Outbox) -> None:
        answer = await pipeline.process(Frame(grey(40)))
        (entry,) = outbox.next(1)
        assert len(answer.detections) == 0
        assert entry.metadata.detections.confidences == (0.4,)

    tell(tmp_path, story, conf_threshold=0.5)


def test_the_steps_are_timed(tmp_path: Path) -> None:
    async def story(pipeline: Pipeline, _outbox: Outbox) -> None:
        timings = (await pipeline.process(Frame(jpeg()))).timings
        assert timings.decode_ms > 0
        assert timings.detect_ms > 0

    tell(tmp_path, story)


def test_what_is_no_image_is_told(tmp_path: Path) -> None:
    async def story(pipeline: Pipeline, _outbox: Outbox) -> None:
        with pytest.raises(ImageError):
            await pipeline.process(Frame(b"no image"))

    tell(tmp_path, story)


def test_without_a_model_there_is_no_answer(tmp_path: Path) -> None:
    async def story() -> None:
        pipeline = Pipeline(ModelSlot(CupDetector), Selector(Band()), Outbox(tmp_path))
        with pytest.raises(ModelUnavailable):
            await pipeline.process(Frame(jpeg()))

    asyncio.run(story())


def test_a_full_disk_does_not_keep_detections_from_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    async def story(pipeline: Pipeline, outbox: Outbox) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", full)
            answer = await pipeline.process(Frame(grey(50), id="lost"))
        assert answer.detections.confidences == (0.5,)
        assert pipeline.not_kept == 1
        assert "Frame lost was not kept" in str(pipeline.error)
        await pipeline.process(Frame(grey(50), wish="all"))
        assert pipeline.error is None
        assert len(outbox) == 1

    tell(tmp_path, story)


def test_a_scene_that_a_full_disk_lost_is_kept_when_it_is_seen_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    async def story(pipeline: Pipeline, outbox: Outbox) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", full)
            await pipeline.process(Frame(grey(50)))
        await pipeline.process(Frame(grey(50), id="again"))
        assert [entry.metadata.frame_id for entry in outbox.next(5)] == ["again"]

    tell(tmp_path, story)


def test_a_full_disk_is_told_to_who_uploads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    async def story(pipeline: Pipeline, _outbox: Outbox) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", full)
            with pytest.raises(StorageFull):
                await pipeline.upload([Upload(jpeg(), ImageMetadata("x"))])

    tell(tmp_path, story)


@pytest.mark.parametrize("broken", [b"no image", jpeg()[:-200], b"\x89PNG\r\n\x1a\n"])
def test_of_an_upload_with_a_broken_image_nothing_is_kept(tmp_path: Path, broken: bytes) -> None:
    async def story(pipeline: Pipeline, outbox: Outbox) -> None:
        with pytest.raises(ImageError):
            await pipeline.upload(
                [Upload(jpeg(), ImageMetadata("a")), Upload(broken, ImageMetadata("b"))]
            )
        assert len(outbox) == 0

    tell(tmp_path, story)


def test_an_upload_with_priority_leaves_first(tmp_path: Path) -> None:
    async def story(pipeline: Pipeline, outbox: Outbox) -> None:
        await pipeline.upload([Upload(jpeg(), ImageMetadata("normal"))])
        await pipeline.upload([Upload(jpeg(), ImageMetadata("urgent"))], priority=True)
        assert [entry.metadata.frame_id for entry in outbox.next(2)] == ["urgent", "normal"]

    tell(tmp_path, story)
