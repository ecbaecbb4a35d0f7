"""The epochs of a training are on disk before anybody hears of them."""

import asyncio
from dataclasses import replace
from pathlib import Path

from edgeloop.client import AsyncLoopClient, ClientSettings
from edgeloop.nodes.trainer.job import new_job
from edgeloop.nodes.trainer.stages import EpochReports, Workbench, training_stages
from edgeloop.nodes.trainer.worker import earlier_epochs, journal, write_records
from edgeloop.types import Epoch, ImageRecord
from nodes.trainer.scripted import ScriptedTrainer
from nodes.trainer.test_reports import ORDER, Talk


def test_a_line_that_a_kill_cut_off_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "epochs.jsonl"
    journal.append(path, {"number": 1, "of": 3})
    with path.open("ab") as file:
        file.write(b'{"number": 2, "o')
    journal.append(path, {"number": 3, "of": 3})
    assert [epoch.number for epoch in earlier_epochs(path)] == [1, 3]


def test_an_epoch_that_was_trained_again_counts_once_as_it_was_last(tmp_path: Path) -> None:
    path = tmp_path / "epochs.jsonl"
    for number, loss in ((1, 0.9), (2, 0.8), (2, 0.5)):
        journal.append(path, {"number": number, "of": 3, "metrics": {"loss": loss}})
    assert [epoch.metrics["loss"] for epoch in earlier_epochs(path)] == [0.9, 0.5]


def test_a_training_without_a_journal_has_no_earlier_epochs(tmp_path: Path) -> None:
    assert earlier_epochs(tmp_path / "epochs.jsonl") == []


def trained(folder: Path, *, epochs: int) -> tuple[list[int], Epoch | None]:
    """One run of the stage ``train``: the epochs that were told, and the checkpoint at its end."""
    talk = Talk()
    order = replace(ORDER, hyperparameters={"epochs": epochs})
    job = new_job(order, folder, training_id="abcdef", now=0.0)
    write_records(job.folder / "dataset.json", [ImageRecord("i1", "train", 64, 48)])

    async def remember(_job: object) -> None:
        """The job file is not what is looked at here."""

    async def whole() -> Epoch | None:
        async with AsyncLoopClient(ClientSettings()) as client, asyncio.TaskGroup() as group:
            reports = EpochReports(talk)
            telling = group.create_task(reports.run())
            bench = Workbench(
                trainer=ScriptedTrainer,
                trainer_id="t1",
                trainer_name="ada",
                client=client,
                session=talk,
                epochs=reports,
                remember=remember,
                progress=lambda fraction: None,
            )
            [stage] = [stage for stage in training_stages(bench) if stage.name == "train"]
            done = await stage.run(job)
            telling.cancel()
            return done.checkpoint

    checkpoint = asyncio.run(whole())
    return [arguments[2]["epoch"]["number"] for _, arguments in talk.said], checkpoint


def test_a_training_that_goes_on_tells_its_earlier_epochs_again(tmp_path: Path) -> None:
    assert trained(tmp_path, epochs=2)[0] == [1, 2]
    assert trained(tmp_path, epochs=3)[0] == [1, 2, 3]


def test_a_training_killed_after_its_last_epoch_still_has_its_model(tmp_path: Path) -> None:
    trained(tmp_path, epochs=2)
    told, checkpoint = trained(tmp_path, epochs=2)
    assert told == [1, 2]
    assert checkpoint is not None
    assert checkpoint.number == 2
