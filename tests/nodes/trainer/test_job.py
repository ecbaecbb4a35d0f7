"""The record of a training on disk."""

import asyncio
import errno
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from edgeloop import durable
from edgeloop.errors import StorageFull
from edgeloop.nodes.trainer.job import JobFile, TrainingJob, new_job
from edgeloop.protocol.payloads.trainings import TrainingOrder
from edgeloop.types import Category, CategoryCounts, Epoch


@pytest.fixture
def job(tmp_path: Path) -> TrainingJob:
    order = TrainingOrder("acme", "cups", 3, (Category("c1", "cup"),), {"epochs": 2}, "small", "b1")
    return new_job(order, tmp_path, training_id="4b5c6d7e8f90", now=100.0)


def test_what_was_saved_is_loaded_by_the_next_run(tmp_path: Path, job: TrainingJob) -> None:
    epoch = Epoch(
        4,
        5,
        metrics={"loss": 0.25},
        counts={"c1": CategoryCounts(1, 2, 3)},
        files={"edge": [job.folder / "weights.edge"]},
        model_json={"resolution": 64},
    )
    later = replace(
        job,
        stage="upload_model",
        checkpoint=epoch,
        uploaded=("edge",),
        model_id="m1",
        errors={"upload_model": "no"},
    )

    async def story() -> None:
        file = JobFile(tmp_path / "training.json")
        await file.save(job)
        await file.save(later)

    asyncio.run(story())
    assert JobFile(tmp_path / "training.json").load() == later


def test_the_file_is_gone_when_there_is_nothing_to_do(tmp_path: Path, job: TrainingJob) -> None:
    async def story() -> None:
        file = JobFile(tmp_path / "training.json")
        await file.save(job)
        await file.remove()
        assert file.job is None

    asyncio.run(story())
    assert list(tmp_path.iterdir()) == []
    assert JobFile(tmp_path / "training.json").load() is None


@pytest.mark.parametrize("content", ["{", "{}", '{"stage": "dance"}'])
def test_a_broken_file_is_set_aside_with_a_word(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "training.json").write_text(content)
    with caplog.at_level(logging.ERROR):
        assert JobFile(tmp_path / "training.json").load() is None
    assert (tmp_path / "training.broken").read_text() == content
    assert "begin the training anew" in caplog.text


def test_a_full_disk_leaves_the_former_job(
    tmp_path: Path, job: TrainingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_draft: Path, _target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def story() -> None:
        file = JobFile(tmp_path / "training.json")
        await file.save(job)
        monkeypatch.setattr(durable, "publish", full)
        with pytest.raises(StorageFull):
            await file.save(replace(job, stage="train"))
        assert file.job == job

    asyncio.run(story())
    assert JobFile(tmp_path / "training.json").load() == job


def test_names_from_the_loop_stay_inside_the_data_folder(tmp_path: Path) -> None:
    order = TrainingOrder("../..", "/etc", 1, (), {})
    job = new_job(order, tmp_path, training_id="x", now=0.0)
    assert job.folder.resolve().is_relative_to(tmp_path / "trainings")
    assert job.images.resolve().is_relative_to(tmp_path / "images")


def test_a_job_says_what_people_call_it(job: TrainingJob) -> None:
    assert job.title == "training 3 of acme/cups"
