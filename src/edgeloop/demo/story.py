"""The story: a model is trained, the field shows what it does not know, a better one follows."""

import statistics
from collections.abc import Sequence
from functools import partial
from typing import Any

from edgeloop.client import Call
from edgeloop.client.calls.deployments import deploy
from edgeloop.client.calls.models import evaluation, project_models
from edgeloop.client.calls.projects import create_project, projects
from edgeloop.client.calls.records import ModelRecord, ProjectRecord, TrainingRecord
from edgeloop.client.calls.trainings import begin_training, epochs, project_trainings, training
from edgeloop.client.detector import DetectorAnswer, DetectorClient
from edgeloop.client.importing import ImportWish, batches, check_files, import_files
from edgeloop.demo.labelling import images_in, label, most_uncertain
from edgeloop.demo.material import FIELD_LIKE, START_LIKE, Material
from edgeloop.demo.narrator import Narrator
from edgeloop.demo.plan import ORGANIZATION, PROJECT, Plan
from edgeloop.demo.processes import wait_until
from edgeloop.demo.result import ModelFigures
from edgeloop.demo.stage import Stage
from edgeloop.errors import Conflict, LoopUnreachable, TrainingFailed
from edgeloop.formats import LabelledFile
from edgeloop.types import UploadWish

TRAINING_S = 3600.0
SETTLE_S = 120.0
_TIMED_FRAMES = 40
_BATCH = 20


class Story:
    """The chapters, in the order in which they are told."""

    def __init__(self, plan: Plan, material: Material, *, stage: Stage, narrator: Narrator) -> None:
        self.plan = plan
        self.material = material
        self.stage = stage
        self.narrator = narrator
        self.project = self._create_project()

    def import_images(self) -> None:
        """What is labelled at the start, and the test split that no model will train on."""
        self.narrator.chapter("What is known at the start")
        groups = [
            (self.material.start, ImportWish(tags=("start",), split="train", source="start")),
            *(
                (files, ImportWish(tags=tuple(filter(None, ("test", tag))), split="test"))
                for tag, files in self.material.test.items()
            ),
        ]
        files = [file for group, _ in groups for file in group]
        with self.narrator.progress("checking images", total=len(self.material.images)) as bar:
            check_files(self.material.images, self.project, on_progress=bar.advance)
        with self.narrator.progress("importing images", total=len(files)) as bar:
            for group, wish in groups:
                for batch in batches(group, _BATCH):
                    self.stage.patiently(partial(self._import, batch, wish))
                    bar.advance(len(batch))

    def train(
        self, title: str, hyperparameters: dict[str, Any], *, base: ModelRecord | None = None
    ) -> ModelRecord:
        """One training through the loop's API; answers its model. Raises TrainingFailed."""
        self.narrator.chapter(title)
        order = begin_training(
            self.project.id,
            hyperparameters=hyperparameters,
            base_model_id=base.id if base else None,
        )
        ended = self._wait_for(self._begin(order))
        if ended.state != "finished":
            reasons = " ".join(ended.errors.values()) or "see the trainer's log"
            raise TrainingFailed(f"Training {ended.number} is {ended.state}: {reasons}")
        return next(model for model in self._models() if model.id == ended.model_id)

    def deploy(self, model: ModelRecord) -> None:
        """Make ``model`` the deployment target and wait until the detector runs it."""
        self.stage.send(deploy(self.project.id, model.id))

        def is_running() -> bool:
            self.stage.revive()
            info = self.stage.patiently(detector.about).get("model_info")
            return isinstance(info, dict) and info.get("version") == model.version

        with DetectorClient(self.stage.detector.url) as detector:
            wait_until(
                is_running, what=f"the detector runs model {model.version}", timeout_s=SETTLE_S
            )
        self.narrator.say(f"Model {model.version} is deployed, and the detector runs it.")

    def stream_field(self) -> int:
        """The field sends its images; answers how many of them the detector uploaded."""
        self.narrator.chapter("The field: the detector sees new images")
        frames = self.material.field
        picked = 0
        with (
            DetectorClient(self.stage.detector.url) as detector,
            self.narrator.progress("streaming images", total=len(frames)) as bar,
        ):
            for number, file in enumerate(frames, start=1):
                answer = self.detect(detector, file)
                picked += "uncertain" in answer.metadata.tags
                bar.show(done=number, note=f"{picked} uncertain")
        self._wait_for_inbox(picked)
        self.narrator.say(f"{picked} of {len(frames)} were uncertain; all are in the loop's inbox.")
        return picked

    def label_inbox(self) -> int:
        """The labelling round; answers how many images were labelled."""
        waiting = images_in(self.stage, self.project, "inbox")
        chosen = most_uncertain(
            self.stage, waiting, band=self.plan.uncertain, budget=self.plan.budget
        )
        truth = {file.name: file for file in self.material.field}
        with self.narrator.progress("labelling images", total=len(chosen)) as bar:
            label(self.stage, self.project, chosen, truth=truth, on_progress=bar.advance)
        return len(chosen)

    def measure(
        self, model: ModelRecord, *, iterations: int, name: str = "", **counts: int
    ) -> ModelFigures:
        """The loop's figures of a model on the test split, and on its parts where it has any."""
        whole = self.stage.send(evaluation(model.id))
        parts: dict[str, float | None] = {START_LIKE: None, FIELD_LIKE: None}
        for tag in filter(None, self.material.test):
            parts[tag] = self.stage.send(evaluation(model.id, tag=tag)).map50
        return ModelFigures(
            version=model.version or "",
            images=model.train_images or 0,
            iterations=iterations,
            map50=whole.map50 or 0.0,
            map50_95=whole.map50_95 or 0.0,
            map50_start=parts[START_LIKE],
            map50_field=parts[FIELD_LIKE],
            name=name,
            **counts,
        )

    def ms_per_image(self) -> float:
        """How long the detector takes for an image: the median of decoding plus inference."""
        with DetectorClient(self.stage.detector.url) as detector:
            answers = [
                self.detect(detector, file, wish="disabled")
                for file in self.material.field[:_TIMED_FRAMES]
            ]
        return statistics.median(sum(answer.timings_ms.values()) for answer in answers)

    def detect(
        self, detector: DetectorClient, file: LabelledFile, *, wish: UploadWish = "filtered"
    ) -> DetectorAnswer:
        """Show one image to the detector; its name is the frame's id."""
        image = file.path.read_bytes()
        return self.stage.patiently(
            lambda: detector.detect(image, frame_id=file.name, autoupload=wish)
        )

    def _create_project(self) -> ProjectRecord:
        categories = [{"name": name} for name in self.material.categories]
        try:
            return self.stage.send(create_project(ORGANIZATION, PROJECT, categories))
        except Conflict:  # made just before the loop was killed
            return self._find_project()

    def _find_project(self) -> ProjectRecord:
        return self.stage.send(projects(organization=ORGANIZATION, name=PROJECT)).items[0]

    def _import(self, files: Sequence[LabelledFile], wish: ImportWish) -> None:
        import_files(
            self.stage.client, self.project, files, wish=wish, on_progress=lambda count: None
        )

    def _begin(self, order: Call[TrainingRecord]) -> TrainingRecord:
        """Send an order that must not be repeated: after a cut, see first whether it arrived."""
        before = len(self._trainings())
        while True:
            try:
                return self.stage.client.send(order)
            except LoopUnreachable:
                arrived = self._trainings()
                if len(arrived) > before:
                    return arrived[0]

    def _trainings(self) -> tuple[TrainingRecord, ...]:
        return self.stage.send(project_trainings(self.project.id)).items

    def _models(self) -> tuple[ModelRecord, ...]:
        return self.stage.send(project_models(self.project.id)).items

    def _wait_for(self, begun: TrainingRecord) -> TrainingRecord:
        newest = begun

        def has_ended() -> bool:
            nonlocal newest
            self.stage.revive()
            newest = self.stage.send(training(begun.id))
            seen = self.stage.send(epochs(begun.id)).items
            if seen:
                loss = seen[-1].metrics.get("loss")
                figures = f"loss {loss:.2f}" if loss is not None else ""
                bar.show(done=seen[-1].number / seen[-1].of, note=figures)
            if newest.trainer_state not in (None, "running"):
                bar.show(done=bool(seen), note=str(newest.trainer_state).replace("_", " "))
            return newest.has_ended

        with self.narrator.progress(f"training {begun.number}", total=1.0) as bar:
            wait_until(
                has_ended, what=f"training {begun.number} ends", timeout_s=TRAINING_S, pause_s=0.5
            )
        return newest

    def _wait_for_inbox(self, count: int) -> None:
        def has_arrived() -> bool:
            self.stage.revive()
            return self._find_project().image_counts.get("inbox", 0) >= count

        wait_until(has_arrived, what="the inbox has all uncertain frames", timeout_s=SETTLE_S)
