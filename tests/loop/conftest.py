"""A loop in a fixture."""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from audits import Data, fill
from edgeloop.loop import LoopSettings
from loops import PASSWORD, OpenLoop, ServedLoop, loop_in_process, loop_served
from pages import Story, Tell
from seeded import seed, workshop
from zoo import RunStory, zoo_runner


@pytest.fixture
def loop_settings(tmp_path: Path) -> LoopSettings:
    """Settings of a loop in a folder of its own."""
    return LoopSettings(data_folder=tmp_path / "loop", admin_password=SecretStr(PASSWORD))


@pytest.fixture
def open_loop(loop_settings: LoopSettings) -> OpenLoop:
    """Start the loop in this process: ``async with open_loop() as loop: ...``."""
    return lambda: loop_in_process(loop_settings)


@pytest.fixture
def served_loop(loop_settings: LoopSettings) -> Iterator[ServedLoop]:
    """The loop under uvicorn in a thread, on a free port."""
    with loop_served(loop_settings) as loop:
        yield loop


@pytest.fixture
def run_in_zoo(open_loop: OpenLoop) -> RunStory:
    """Run an async story in a loop with the project zoo/cats."""
    return zoo_runner(open_loop)


@pytest.fixture(scope="session")
def filled_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a loop, to be copied."""
    folder = tmp_path_factory.mktemp("filled") / "loop"
    asyncio.run(fill(folder))
    return folder


@pytest.fixture
def loop_data(filled_folder: Path, tmp_path: Path) -> Data:
    """The data of a loop that is not running."""
    shutil.copytree(filled_folder, tmp_path / "loop")
    return Data(tmp_path / "loop")


@dataclass(frozen=True)
class Workshop:
    """Settings of a loop that has something to show, and when it was filled."""

    settings: LoopSettings
    filled: datetime


@pytest.fixture(scope="module")
def workshop_settings(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A loop that has something to show."""
    folder = tmp_path_factory.mktemp("workshop")
    seed(folder, workshop)
    settings = LoopSettings(data_folder=folder, admin_password=SecretStr(PASSWORD))
    return Workshop(settings, datetime.now(UTC))


@pytest.fixture
def tell(workshop_settings: Workshop) -> Tell:
    """Run a story in the workshop's loop, with someone who is logged in."""

    async def whole(story: Story) -> None:
        async with loop_in_process(workshop_settings.settings) as loop:
            loop.clock.now = workshop_settings.filled
            await story(loop, await loop.client())

    return lambda story: asyncio.run(whole(story))
