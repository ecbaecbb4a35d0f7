"""Power cuts: the trainer process ends with SIGKILL, is started again, and nothing is doubled."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from edgeloop.client.settings import child_environment
from nodes.trainer.workshop import Workshop, workshop

TESTS = Path(__file__).parents[2]
SCRIPT = Path(__file__).parent / "deadly_node.py"
STAGES = [
    "download_dataset",
    "download_base_model",
    "train",
    "report_metrics",
    "upload_model",
    "detect",
    "upload_detections",
]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    with workshop(tmp_path) as made:
        yield made


@contextmanager
def trainer_process(shop: Workshop, deadly: str = "none") -> Iterator[subprocess.Popen[bytes]]:
    settings = shop.address
    password, folder = settings.password.get_secret_value(), str(shop.folder / "trainer")
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), settings.host, password, folder, deadly],
        env=child_environment(settings, PYTHONPATH=str(TESTS)),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_trainer_killed_at_the_end_of_a_stage_finishes_after_a_restart(
    shop: Workshop, stage: str
) -> None:
    with trainer_process(shop, stage) as process:
        record = shop.begin(epochs=3)
        assert process.wait(60) == -signal.SIGKILL
    with trainer_process(shop):
        ended = shop.until_ended(record)
    assert (ended.state, ended.errors) == ("finished", {})
    [model] = shop.models()
    assert (model.version, sorted(model.formats)) == ("1.0", ["edge", "weights"])
    assert model.best_epoch == 3
    assert shop.epochs(record) == [1, 2, 3]
    assert shop.detections("1.0") == [1] * 7
    assert not (shop.folder / "trainer" / "training.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("script", [{"happens": "children", "at": 3}, {"happens": "hangs"}])
def test_a_trainer_killed_while_its_worker_is_busy_finishes_after_a_restart(
    shop: Workshop, script: dict[str, Any]
) -> None:
    with trainer_process(shop) as process:
        record = shop.begin(epochs=4, **script)
        folder = shop.folder / "trainer" / "trainings"
        shop.wait(lambda: any(folder.glob("*/output/*ing")), "the worker is busy")
        workers = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        _, alive = psutil.wait_procs(workers, timeout=10)
        assert alive == []
    with trainer_process(shop):
        ended = shop.until_ended(record)
    assert ended.state == "finished"
    assert len(shop.models()) == 1
    assert shop.epochs(record) == [1, 2, 3, 4]
    assert shop.detections("1.0") == [1] * 7


@pytest.mark.slow
def test_a_trainer_that_is_asked_to_end_leaves_its_training_to_the_next_run(
    shop: Workshop,
) -> None:
    with trainer_process(shop) as process:
        record = shop.begin(epochs=3, happens="hang")
        folder = shop.folder / "trainer" / "trainings"
        shop.wait(lambda: any(folder.glob("*/output/hanging")), "the training hangs")
        process.terminate()
        assert process.wait(30) == 0
    with trainer_process(shop):
        assert shop.until_ended(record).state == "finished"
