"""The node follows the loop's deployment target."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from detecting import FORMAT, OddLoop, PickyDetector, local_model
from edgeloop.client import AsyncLoopClient, ClientSettings
from edgeloop.errors import InputError, LoopUnreachable
from edgeloop.nodes.detector.slot import ModelSlot
from edgeloop.nodes.detector.updater import Updater
from edgeloop.nodes.model_store import ModelStore


@dataclass
class Stage:
    """A loop, and an updater that follows it."""

    loop: OddLoop
    slot: ModelSlot
    store: ModelStore
    updater: Updater
    changes: asyncio.Queue[str | None]

    @property
    def version(self) -> str | None:
        """What is in service."""
        return self.slot.model.info.version if self.slot.model else None

    async def change(self) -> str | None:
        """The version in service after the next change."""
        async with asyncio.timeout(20):
            return await self.changes.get()

    async def asked_again(self) -> None:
        """Wait until the loop was asked, and what it answered was thought about."""
        before = self.loop.questions
        self.updater.check_now()
        await self.loop.until(lambda: self.loop.questions > before)
        before = self.loop.questions
        self.updater.check_now()
        await self.loop.until(lambda: self.loop.questions > before)


Story = Callable[[Stage], Awaitable[None]]


@pytest.fixture(autouse=True)
def loads() -> list[str]:
    PickyDetector.loads.clear()
    return PickyDetector.loads


def tell(
    folder: Path,
    story: Story,
    *,
    prepare: Callable[[OddLoop, ModelStore], None] = lambda _loop, _store: None,
    settings: ClientSettings | None = None,
    **options: Any,
) -> None:
    async def told() -> None:
        async with OddLoop().serve() as loop, AsyncLoopClient(settings or loop.settings) as client:
            slot, store = ModelSlot(PickyDetector), ModelStore(folder / "models")
            prepare(loop, store)
            updater = Updater(slot, store, client, **{"interval_s": 1000.0, **options})
            stage = Stage(loop, slot, store, updater, asyncio.Queue())
            updater.on_change(lambda: stage.changes.put_nowait(stage.version))
            running = asyncio.ensure_future(updater.run())
            try:
                await story(stage)
            finally:
                running.cancel()
                await asyncio.wait([running])
                await slot.close()
            assert running.cancelled(), running.exception()

    asyncio.run(told())


def deployed(loop: OddLoop, _store: ModelStore) -> None:
    loop.deploy("1.0")


def test_the_target_is_brought_into_service_and_remembered(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        assert await stage.change() == "1.0"
        assert stage.updater.error is None
        assert stage.updater.target == stage.updater.loop_target
        assert await stage.change() == "1.0"
        assert stage.updater.has_started
        current = stage.store.current()
        assert current is not None
        assert current.info.version == "1.0"

    tell(tmp_path, story, prepare=deployed)


def test_without_a_target_nothing_is_loaded_and_nothing_is_wrong(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        assert await stage.change() is None
        assert stage.updater.has_started
        assert stage.updater.target is None
        assert stage.updater.error is None

    tell(tmp_path, story)


def test_a_new_target_is_followed_without_being_told(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.change()
        stage.loop.deploy("2.0")
        while stage.version != "2.0":
            await stage.change()

    tell(tmp_path, story, prepare=deployed, interval_s=0.01)


def test_the_last_model_works_without_a_loop(tmp_path: Path) -> None:
    def remembered(_loop: OddLoop, store: ModelStore) -> None:
        store.set_current(local_model(tmp_path / "models", "3.0"))

    async def story(stage: Stage) -> None:
        assert await stage.change() == "3.0"
        assert "does not answer" in str(stage.updater.error)

    nowhere = ClientSettings(host="127.0.0.1:1", organization="zoo", project="cats")
    tell(tmp_path, story, prepare=remembered, settings=nowhere)


def test_without_a_project_the_last_model_works_too(tmp_path: Path) -> None:
    def remembered(_loop: OddLoop, store: ModelStore) -> None:
        store.set_current(local_model(tmp_path / "models", "3.0"))

    async def story(stage: Stage) -> None:
        assert await stage.change() == "3.0"
        assert stage.loop.questions == 0

    nobody = ClientSettings(host="127.0.0.1:1", organization="", project="")
    tell(tmp_path, story, prepare=remembered, settings=nobody)


def test_the_last_model_of_another_project_is_not_loaded(tmp_path: Path) -> None:
    def remembered(_loop: OddLoop, store: ModelStore) -> None:
        store.set_current(local_model(tmp_path / "models", "3.0", project="dogs"))

    async def story(stage: Stage) -> None:
        assert await stage.change() is None

    tell(tmp_path, story, prepare=remembered)


def test_a_last_model_that_no_longer_loads_is_told(tmp_path: Path) -> None:
    def remembered(_loop: OddLoop, store: ModelStore) -> None:
        store.set_current(local_model(tmp_path / "models", "6.6"))

    async def story(stage: Stage) -> None:
        assert await stage.change() is None
        assert "cut off" in str(stage.updater.error)

    tell(tmp_path, story, prepare=remembered)


def test_a_target_that_does_not_load_leaves_the_old_one_and_is_not_loaded_again_and_again(
    tmp_path: Path, loads: list[str]
) -> None:
    async def story(stage: Stage) -> None:
        await stage.change()
        stage.loop.deploy("6.6")
        while stage.updater.error is None:
            await stage.change()
        questions = stage.loop.questions
        await stage.loop.until(lambda: stage.loop.questions > questions + 20)
        assert stage.version == "1.0"
        assert "6.6" in str(stage.updater.error)
        assert loads.count("6.6") == 1

    tell(tmp_path, story, prepare=deployed, interval_s=0.001)


def test_a_failed_target_is_tried_again_when_somebody_asks(
    tmp_path: Path, loads: list[str]
) -> None:
    async def story(stage: Stage) -> None:
        stage.loop.deploy("6.6")
        for attempt in range(3):
            stage.updater.check_now()
            while loads.count("6.6") <= attempt:
                await stage.change()

    tell(tmp_path, story)


def test_a_better_target_ends_the_failure(tmp_path: Path) -> None:
    def broken(loop: OddLoop, _store: ModelStore) -> None:
        loop.deploy("6.6")

    async def story(stage: Stage) -> None:
        await stage.change()
        assert stage.updater.error
        stage.loop.deploy("7.0")
        while stage.version != "7.0":
            await stage.change()
        assert stage.updater.error is None

    tell(tmp_path, story, prepare=broken, interval_s=0.001)


def test_a_target_without_files_is_told(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.loop.target = {"model_uuid": "gone", "version": "9.9"}
        stage.updater.check_now()
        while stage.updater.error is None:
            await stage.change()
        assert "Could not update model" in stage.updater.error

    tell(tmp_path, story)


def test_paused_the_target_is_known_but_not_followed(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.asked_again()
        assert stage.updater.loop_target is not None
        assert stage.updater.target is None
        assert stage.updater.mode == "pause"
        assert stage.version is None
        await stage.updater.set_mode("follow_loop")
        while stage.version != "1.0":
            await stage.change()

    tell(tmp_path, story, prepare=deployed, mode="pause")


def test_while_held_the_present_model_stays(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.change()
        stage.updater.is_held = True
        stage.loop.deploy("2.0")
        await stage.asked_again()
        assert stage.version == "1.0"
        stage.updater.is_held = False
        stage.updater.check_now()
        while stage.version != "2.0":
            await stage.change()

    tell(tmp_path, story, prepare=deployed)


def test_while_held_a_node_without_a_model_still_gets_one(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.updater.is_held = True
        stage.loop.deploy("2.0")
        stage.updater.check_now()
        while stage.version != "2.0":
            await stage.change()

    tell(tmp_path, story)


def versions(loop: OddLoop, _store: ModelStore) -> None:
    loop.deploy("2.0")
    loop.deploy("1.0")
    loop.versions = [
        {"id": "model-1.0", "version": "1.0", "formats": [FORMAT]},
        {"id": "model-2.0", "version": "2.0", "formats": [FORMAT]},
        {"id": "model-3.0", "version": "3.0", "formats": ["another"]},
        {"id": "a", "version": "4.0", "formats": [FORMAT]},
        {"id": "b", "version": "4.0", "formats": [FORMAT]},
        {"id": "draft", "version": None, "formats": []},
    ]


def test_a_fixed_version_stays_whatever_is_deployed(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.change()
        await stage.updater.set_mode("2.0")
        while stage.version != "2.0":
            await stage.change()
        await stage.asked_again()
        assert stage.version == "2.0"
        assert stage.updater.mode == "specific_version"
        assert stage.updater.loop_target is not None
        assert stage.updater.loop_target.version == "1.0"

    tell(tmp_path, story, prepare=versions)


def test_a_fixed_version_that_is_on_the_disk_needs_no_loop(tmp_path: Path) -> None:
    def on_disk(_loop: OddLoop, _store: ModelStore) -> None:
        local_model(tmp_path / "models", "3.0")

    async def story(stage: Stage) -> None:
        await stage.updater.set_mode("3.0")
        while stage.version != "3.0":
            await stage.change()

    nowhere = ClientSettings(host="127.0.0.1:1", organization="zoo", project="cats")
    tell(tmp_path, story, prepare=on_disk, settings=nowhere)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ("latest", "no version"),
        ("1.", "no version"),
        ("8.0", "No Model with version 8.0"),
        ("4.0", "2 were found"),
        ("3.0", f"no format {FORMAT}"),
    ],
)
def test_a_wish_that_cannot_be_met_changes_nothing(tmp_path: Path, wish: str, message: str) -> None:
    async def story(stage: Stage) -> None:
        with pytest.raises(InputError, match=message):
            await stage.updater.set_mode(wish)
        assert stage.updater.mode == "follow_loop"

    tell(tmp_path, story, prepare=versions)


def test_a_version_that_only_an_unreachable_loop_knows_is_an_error(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        with pytest.raises(LoopUnreachable):
            await stage.updater.set_mode("1.0")

    nowhere = ClientSettings(host="127.0.0.1:1", organization="zoo", project="cats")
    tell(tmp_path, story, settings=nowhere)
