"""The model in service."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from detecting import FORMAT, CupDetector, PickyDetector, local_model
from edgeloop.errors import ImageError, ModelError, ModelLoadFailed, ModelUnavailable, Overloaded
from edgeloop.nodes import Detector
from edgeloop.nodes.detector.slot import ModelSlot
from edgeloop.types import Detections, ImageArray


def image(red: int = 50) -> ImageArray:
    return np.full((8, 8, 3), red, dtype=np.uint8)


class GatedDetector(CupDetector):
    """Works on nothing until the gate opens; notes what it does, and in which thread."""

    max_batch = 4
    gate: ClassVar[threading.Event] = threading.Event()
    busy: ClassVar[threading.Event] = threading.Event()
    notes: ClassVar[list[tuple[str, str, int]]] = []

    def note(self, what: str) -> None:
        self.notes.append((what, self.model.info.version, threading.get_ident()))

    def load(self) -> None:
        self.note("load")

    def detect(self, image: ImageArray) -> Detections:
        self.busy.set()
        assert self.gate.wait(20)
        self.note("detect")
        if image[0, 0, 0] == 13:
            raise ValueError("thirteen")
        return super().detect(image)

    def detect_batch(self, images: Sequence[ImageArray]) -> list[Detections]:
        self.note(f"batch of {len(images)}")
        return super().detect_batch(images)

    def close(self) -> None:
        self.note("close")


class GatedExclusiveDetector(GatedDetector):
    """Never loaded twice at the same time."""

    exclusive = True

    def load(self) -> None:
        super().load()
        if self.model.info.version in PickyDetector.broken:
            raise RuntimeError("these weights are cut off")


@pytest.fixture(autouse=True)
def gate() -> Iterator[threading.Event]:
    GatedDetector.gate.set()
    GatedDetector.busy.clear()
    GatedDetector.notes.clear()
    yield GatedDetector.gate
    GatedDetector.gate.set()


def happened() -> list[tuple[str, str]]:
    return [(what, version) for what, version, _ in GatedDetector.notes]


Story = Callable[[ModelSlot], Awaitable[None]]


def tell(detector_class: type[Detector], story: Story, **options: Any) -> None:
    async def told() -> None:
        slot = ModelSlot(detector_class, **options)
        try:
            await story(slot)
        finally:
            GatedDetector.gate.set()
            await slot.close()

    asyncio.run(told())


async def busy_with(slot: ModelSlot, *reds: int) -> list[asyncio.Task[Any]]:
    """Images of which the first is being worked on and the others wait."""
    GatedDetector.gate.clear()
    tasks = []
    for red in reds:
        tasks.append(asyncio.ensure_future(slot.detect(image(red))))
        await asyncio.sleep(0)
        if len(tasks) == 1:
            assert await asyncio.to_thread(GatedDetector.busy.wait, 20)
    return tasks


def test_an_empty_slot_says_that_there_is_no_model() -> None:
    async def story(slot: ModelSlot) -> None:
        assert slot.model is None
        assert slot.model_format == FORMAT
        with pytest.raises(ModelUnavailable, match="deploy one"):
            await slot.detect(image())

    tell(CupDetector, story)


def test_a_loaded_model_detects_and_is_named(tmp_path: Path) -> None:
    async def story(slot: ModelSlot) -> None:
        model = local_model(tmp_path)
        await slot.replace(model)
        detected = await slot.detect(image(50))
        assert detected.model == model.info
        assert detected.detections.confidences == (0.5,)
        assert slot.model == model

    tell(CupDetector, story)


def test_a_detector_knows_one_thread_alone(tmp_path: Path) -> None:
    async def story(slot: ModelSlot) -> None:
        await slot.replace(local_model(tmp_path))
        await asyncio.gather(*(slot.detect(image()) for _ in range(6)))
        await slot.close()
        assert len({thread for _, _, thread in GatedDetector.notes}) == 1
        assert threading.get_ident() not in {thread for _, _, thread in GatedDetector.notes}

    tell(GatedDetector, story)


def test_what_waits_becomes_the_next_batch_up_to_the_detectors_limit(tmp_path: Path) -> None:
    async def story(slot: ModelSlot) -> None:
        await slot.replace(local_model(tmp_path))
        tasks = await busy_with(slot, *range(20, 27))
        GatedDetector.gate.set()
        found = await asyncio.gather(*tasks)
        assert [item.detections.confidences[0] for item in found] == [
            red / 100 for red in range(20, 27)
        ]

    tell(GatedDetector, story)
    batches = [what for what, _ in happened() if what.startswith("batch")]
    assert batches == ["batch of 4", "batch of 2"]


def test_one_bad_image_fails_alone(tmp_path: Path) -> None:
    async def story(slot: ModelSlot) -> None:
        await slot.replace(local_model(tmp_path))
        tasks = await busy_with(slot, 20, 21, 13, 22)
        GatedDetector.gate.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(item).__name__ for item in found] == [
            "Detected",
            "Detected",
            "ModelError",
            "Detected",
        ]
        assert "ValueError: thirteen" in str(found[2])

    tell(GatedDetector, story)


def test_a_caller_that_gave_up_disturbs_nobody(tmp_path: Path) -> None:
    async def story(slot: ModelSlot) -> None:
        await slot.replace(local_model(tmp_path))
        first, second, third = await busy_with(slot, 20, 21, 22)
        second.cancel()
        GatedDetector.gate.set()
        await asyncio.gather(first, third)
        assert second.cancelled()

    tell(GatedDetector, story)


def test_more_than_may_wait_are_refused(tmp_path: Path) -> None:
    async def story(slot: ModelSlot) -> None:
        await slot.replace(local_model(tmp_path))
        tasks = await busy_with(slot, 20, 21, 22)
        with pytest.raises(Overloaded, match="2 images wait"):
            await slot.detect(image())
        GatedDetector.gate.set()
        await asyncio.gather(*tasks)

    tell(GatedDetector, story, max_waiting=2)


def test_the_next_model_loads_beside_the_one_that_works(tmp_path: Path) -> None:
    async def story(slot: ModelSlot) -> None:
        model = local_model(tmp_path, "1.0")
        await slot.replace(model)
        held = await busy_with(slot, 20, 21)
        switching = asyncio.ensure_future(slot.replace(local_model(tmp_path, "2.0")))
        while slot.model == model:  # noqa: ASYNC110 - nothing else tells of the switch
            await asyncio.sleep(0)
        GatedDetector.gate.set()
        new = await slot.detect(image())
        await switching
        assert new.model.version == "2.0"
        assert {(await task).model.version for task in held} == {"1.0"}

    tell(GatedDetector, story)
    steps = happened()
    assert steps.index(("load", "2.0")) < steps.index(("close", "1.0"))


def test_a_model_that_does_not_load_leaves_the_present_one_in_service(tmp_path: Path) -> None:
    async def story(slot: ModelSlot) -> None:
        await slot.replace(local_model(tmp_path, "1.0"))
        with pytest.raises(ModelLoadFailed, match=r"PickyDetector cannot load model 6\.6"):
            await slot.replace(local_model(tmp_path, "6.6"))
        assert (await slot.detect(image())).model.version == "1.0"

    tell(PickyDetector, story)


def test_an_exclusive_model_is_closed_before_the_next_is_loaded(tmp_path: Path) -> None:
    async def story(slot: ModelSlot) -> None:
        await slot.replace(local_model(tmp_path, "1.0"))
        held = await busy_with(slot, 20, 21)
        switching = asyncio.ensure_future(slot.replace(local_model(tmp_path, "2.0")))
        await asyncio.sleep(0)
        with pytest.raises(ModelUnavailable, match="being loaded"):
            await slot.detect(image())
        GatedDetector.gate.set()
        await switching
        assert [(await task).model.version for task in held] == ["1.0", "1.0"]
        assert (await slot.detect(image())).model.version == "2.0"

    tell(GatedExclusiveDetector, story)
    steps = happened()
    assert steps.index(("close", "1.0")) < steps.index(("load", "2.0"))


def test_an_exclusive_model_comes_back_where_the_next_does_not_load(tmp_path: Path) -> None:
    async def story(slot: ModelSlot) -> None:
        await slot.replace(local_model(tmp_path, "1.0"))
        with pytest.raises(ModelLoadFailed):
            await slot.replace(local_model(tmp_path, "6.6"))
        assert (await slot.detect(image())).model.version == "1.0"

    tell(GatedExclusiveDetector, story)


def test_an_exclusive_slot_that_stays_empty_says_why(tmp_path: Path) -> None:
    async def story(slot: ModelSlot) -> None:
        with pytest.raises(ModelLoadFailed):
            await slot.replace(local_model(tmp_path, "6.6"))
        with pytest.raises(ModelUnavailable, match="cut off"):
            await slot.detect(image())

    tell(GatedExclusiveDetector, story)


def test_a_closed_slot_has_freed_its_model(tmp_path: Path) -> None:
    async def story(slot: ModelSlot) -> None:
        await slot.replace(local_model(tmp_path))
        await slot.close()
        assert slot.model is None
        assert happened()[-1] == ("close", "1.0")
        await slot.close()

    tell(GatedDetector, story)


def test_a_load_that_is_given_up_ends_its_thread(tmp_path: Path) -> None:
    loading = threading.Event()
    go_on = threading.Event()
    closed = threading.Event()

    class SlowDetector(CupDetector):
        def load(self) -> None:
            loading.set()
            assert go_on.wait(20)

        def close(self) -> None:
            closed.set()

    async def story(slot: ModelSlot) -> None:
        switching = asyncio.ensure_future(slot.replace(local_model(tmp_path)))
        assert await asyncio.to_thread(loading.wait, 20)
        switching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await switching
        assert slot.model is None

    tell(SlowDetector, story)
    go_on.set()  # the event loop is closed by now
    assert closed.wait(20)


class OddDetector(CupDetector):
    """Breaks the contract in the way that the image's red says."""

    max_batch = 4

    def detect(self, image: ImageArray) -> Detections:
        match int(image[0, 0, 0]):
            case 1:
                return None  # type: ignore[return-value]
            case 2:
                raise SystemExit(1)
            case 3:
                raise ImageError("too dark")
        return super().detect(image)

    def detect_batch(self, images: Sequence[ImageArray]) -> list[Detections]:
        return super().detect_batch(images)[:-1]

    def close(self) -> None:
        raise RuntimeError("stuck")


@pytest.mark.parametrize(
    ("red", "error", "message"),
    [(1, ModelError, "not NoneType"), (2, ModelError, "SystemExit"), (3, ImageError, "too dark")],
)
def test_a_detector_that_breaks_its_contract_does_not_end_the_thread(
    tmp_path: Path, red: int, error: type[Exception], message: str
) -> None:
    async def story(slot: ModelSlot) -> None:
        await slot.replace(local_model(tmp_path))
        with pytest.raises(error, match=message):
            await slot.detect(image(red))
        assert (await slot.detect(image(50))).detections.confidences == (0.5,)

    tell(OddDetector, story)


def test_a_batch_with_too_few_answers_is_repeated_one_by_one(tmp_path: Path) -> None:
    async def story(slot: ModelSlot) -> None:
        await slot.replace(local_model(tmp_path))
        found = await asyncio.gather(*(slot.detect(image(40 + n)) for n in range(6)))
        assert [item.detections.confidences[0] for item in found] == [
            (40 + n) / 100 for n in range(6)
        ]

    tell(OddDetector, story)


def test_a_detector_that_cannot_be_made_is_a_model_that_does_not_load(tmp_path: Path) -> None:
    class Unmakeable(CupDetector):
        def __init__(self, _model: object) -> None:
            raise KeyError("anchors")

    async def story(slot: ModelSlot) -> None:
        with pytest.raises(ModelLoadFailed, match="anchors"):
            await slot.replace(local_model(tmp_path))

    tell(Unmakeable, story)
