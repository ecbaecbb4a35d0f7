"""A loop in a fixture."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from edgeloop.loop import LoopSettings
from loops import PASSWORD, OpenLoop, ServedLoop, loop_in_process, loop_served
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
