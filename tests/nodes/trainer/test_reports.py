"""What a trainer tells the loop while it trains: epochs in order, figures, its status."""

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Request, Response

from edgeloop.client import AsyncLoopClient, ClientSettings, LoopSession
from edgeloop.errors import (
    Conflict,
    EdgeloopError,
    LoopRejected,
    LoopUnreachable,
    NotFound,
    TrainingFailed,
    TrainingInterrupted,
)
from edgeloop.nodes.trainer.job import TrainingJob, new_job
from edgeloop.nodes.trainer.node.desk import TrainerDesk
from edgeloop.nodes.trainer.stages import EpochReports, Workbench, training_stages
from edgeloop.protocol.payloads.nodes import AcknowledgementPayload
from edgeloop.protocol.payloads.trainings import TrainingOrder
from edgeloop.types import Category, CategoryCounts, Epoch
from nodes.trainer.scripted import ScriptedTrainer
from nodes.trainer.workshop import trainer_settings

ORDER = TrainingOrder("acme", "cups", 3, (Category("c1", "cup"),), {"epochs": 2})
MODEL_ID = "0c8a5b5e-6f0e-4a53-9d59-0d2f0b1f7c11"
OK = AcknowledgementPayload(success=True)


class Talk(LoopSession):
    """A session that is always connected; what the loop answers is written by the test."""

    def __init__(self, *answers: AcknowledgementPayload | EdgeloopError) -> None:
        super().__init__(ClientSettings())
        self.connected.set()
        self.answers = list(answers)
        self.said: list[tuple[str, tuple[Any, ...]]] = []
        self.reconnects = 0

    async def call(
        self, event: str, *arguments: Any, timeout_s: float = 30.0
    ) -> AcknowledgementPayload:
        self.said.append((event, arguments))
        answer = self.answers.pop(0) if self.answers else OK
        if isinstance(answer, EdgeloopError):
            raise answer
        return answer

    def reconnect(self) -> None:
        self.reconnects += 1


def reported(talk: Talk, *numbers: int, order: TrainingOrder = ORDER) -> list[int]:
    """The epochs that were sent, one try after the other."""

    async def whole() -> None:
        reports = EpochReports(talk, sleep=lambda _s: asyncio.sleep(0))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(reports.run())
            for number in numbers:
                reports.put(replace(order, number=number // 100), Epoch(number % 100, 9))
            await reports.delivered()
            task.cancel()

    asyncio.run(whole())
    return [arguments[2]["epoch"]["number"] for _, arguments in talk.said]


def test_epochs_are_told_in_order_with_their_figures() -> None:
    talk = Talk()
    assert reported(talk, 301, 302, 303) == [1, 2, 3]
    assert talk.said[0] == (
        "update_epoch",
        (
            "acme",
            "cups",
            {"training_number": 3, "epoch": {"number": 1, "of": 9, "metrics": {}}},
        ),
    )


def test_an_epoch_that_did_not_arrive_is_told_again_before_the_next() -> None:
    assert reported(Talk(LoopUnreachable("away")), 301, 302) == [1, 1, 2]


def test_a_loop_that_does_not_know_epochs_is_not_asked_again() -> None:
    assert reported(Talk(NotFound("update_epoch")), 301, 302, 303) == [1]


def test_a_loop_that_never_answers_is_left_alone_after_three_misses() -> None:
    assert reported(Talk(*[LoopUnreachable("silence")] * 9), 301, 302) == [1, 1, 1]


def test_the_next_training_asks_the_loop_anew() -> None:
    assert reported(Talk(NotFound("update_epoch")), 301, 302, 401) == [1, 1]


@pytest.mark.parametrize(
    "answer", [LoopRejected("odd"), AcknowledgementPayload(success=False, error_msg="no")]
)
def test_an_epoch_that_the_loop_refuses_does_not_hold_up_the_next(
    answer: AcknowledgementPayload | EdgeloopError,
) -> None:
    assert reported(Talk(answer), 301, 302) == [1, 2]


@dataclass
class Desk:
    """A workbench beside a small real HTTP app."""

    folder: Path
    talk: Talk
    put_status: int = 200
    model_id: str = MODEL_ID
    puts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        job = new_job(ORDER, self.folder, training_id="abcdef", now=0.0)
        files = {name: [self.file(name)] for name in ScriptedTrainer.formats}
        checkpoint = Epoch(
            2, 2, metrics={"loss": 0.5}, counts={"c1": CategoryCounts(1, 2, 3)}, files=files
        )
        self.job = replace(job, checkpoint=checkpoint, train_images=3, test_images=1)

    def file(self, model_format: str) -> Path:
        path = self.folder / "checkpoints" / model_format / f"w.{model_format}"
        path.parent.mkdir(parents=True)
        path.write_text("w")
        return path

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/api/login")
        async def log_in(response: Response) -> None:
            response.set_cookie("session", "s")

        @app.put("/api/acme/projects/cups/trainings/3/models/latest/{name}/file")
        async def put(name: str, request: Request) -> dict[str, str]:
            self.puts.append(name)
            if self.put_status != 200:
                raise HTTPException(self.put_status, {"id": self.model_id})
            return {"id": self.model_id}

        return app

    def run(self, name: str, job: TrainingJob | None = None) -> TrainingJob:
        async def whole() -> TrainingJob:
            transport = httpx.ASGITransport(self.app())
            async with AsyncLoopClient(ClientSettings(), transport=transport) as client:
                bench = Workbench(
                    trainer=ScriptedTrainer,
                    trainer_id="t1",
                    trainer_name="ada",
                    client=client,
                    session=self.talk,
                    epochs=EpochReports(self.talk),
                    remember=self.remember,
                    progress=lambda fraction: None,
                )
                [stage] = [stage for stage in training_stages(bench) if stage.name == name]
                return await stage.run(job or self.job)

        return asyncio.run(whole())

    async def remember(self, job: TrainingJob) -> None:
        self.job = job


def test_the_figures_of_the_best_epoch_are_reported(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Talk(AcknowledgementPayload(success=True, payload={"model_uuid": "m7"})))
    assert desk.run("report_metrics").model_id == "m7"
    assert desk.talk.said == [
        (
            "update_training",
            (
                "acme",
                "cups",
                {
                    "trainer_id": "t1",
                    "trainer_name": "ada",
                    "confusion_matrix": {"c1": {"tp": 1, "fp": 2, "fn": 3}},
                    "train_image_count": 3,
                    "test_image_count": 1,
                    "hyperparameters": {"epochs": 2},
                    "best_epoch": 2,
                    "metrics": {"loss": 0.5},
                },
            ),
        )
    ]


def test_an_acknowledgement_need_not_name_the_model(tmp_path: Path) -> None:
    assert Desk(tmp_path, Talk()).run("report_metrics").model_id is None


def test_refused_figures_are_told_again_later(tmp_path: Path) -> None:
    refusal = AcknowledgementPayload(success=False, error_msg="who are you?")
    with pytest.raises(TrainingInterrupted, match="who are you"):
        Desk(tmp_path, Talk(refusal)).run("report_metrics")


def test_without_a_checkpoint_there_is_nothing_to_report(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Talk())
    with pytest.raises(TrainingFailed, match="There is no model of training 3 of acme/cups"):
        desk.run("report_metrics", replace(desk.job, checkpoint=None))


def test_formats_that_arrived_are_not_uploaded_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Talk())
    done = desk.run("upload_model", replace(desk.job, uploaded=("weights",), model_id="m1"))
    assert desk.puts == ["edge"]
    assert done.uploaded == ("weights", "edge")


def test_a_failed_upload_remembers_the_formats_before_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Talk())
    desk.run("upload_model", replace(desk.job, uploaded=("edge",)))
    desk.put_status = 503
    with pytest.raises(LoopUnreachable):
        desk.run("upload_model", replace(desk.job, uploaded=("weights",)))
    assert desk.job.uploaded == ("edge", "weights")


def test_a_format_that_the_trainer_gained_since_is_an_error_that_says_so(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Talk())
    assert desk.job.checkpoint
    older = replace(desk.job.checkpoint, files={"weights": desk.job.checkpoint.files["weights"]})
    with pytest.raises(TrainingFailed, match="no files of the format edge"):
        desk.run("upload_model", replace(desk.job, checkpoint=older))


def test_a_loop_that_has_the_format_already_is_content(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Talk(), put_status=409, model_id="?")
    assert desk.run("upload_model", replace(desk.job, model_id="m7")).model_id == "m7"


def test_a_loop_that_has_the_format_already_may_name_the_model(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Talk(), put_status=409)
    assert desk.run("upload_model").model_id == MODEL_ID


def test_a_conflict_that_names_no_model_is_an_error(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Talk(), put_status=409, model_id="?")
    with pytest.raises(Conflict):
        desk.run("upload_model")


def test_detection_needs_the_loops_id_of_the_model(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Talk())
    with pytest.raises(TrainingFailed, match="The loop has no model"):
        desk.run("detect")


def report_status(folder: Path, talk: Talk) -> None:
    """Have a trainer report its status over a session of ours."""

    async def report() -> None:
        async with AsyncLoopClient(ClientSettings()) as client:
            settings = trainer_settings(folder)
            await TrainerDesk(ScriptedTrainer, settings, client=client, session=talk).report()

    asyncio.run(report())


def test_a_status_that_is_acknowledged_needs_no_new_connection(tmp_path: Path) -> None:
    talk = Talk()
    report_status(tmp_path, talk)
    assert [event for event, _ in talk.said] == ["update_trainer"]
    assert talk.reconnects == 0


@pytest.mark.parametrize("answer", [NotFound("?"), LoopRejected("yes")])
def test_any_other_answer_to_a_status_counts_as_heard(
    tmp_path: Path, answer: EdgeloopError
) -> None:
    talk = Talk(answer)
    report_status(tmp_path, talk)
    assert talk.reconnects == 0


@pytest.mark.parametrize(
    "answer", [LoopUnreachable("30 s"), AcknowledgementPayload(success=False, error_msg="who?")]
)
def test_a_status_that_is_refused_or_unheard_asks_for_a_new_connection(
    tmp_path: Path, answer: AcknowledgementPayload | EdgeloopError
) -> None:
    talk = Talk(answer)
    with pytest.raises(LoopUnreachable):
        report_status(tmp_path, talk)
    assert talk.reconnects == 1
