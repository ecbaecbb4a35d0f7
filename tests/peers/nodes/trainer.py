"""A trainer as users of 0.11.1 and of 0.27.0 write it; the test says when its training is done."""

import pathlib
import shlex
from typing import Any

from learning_loop_node.data_classes import (
    Detections,
    ModelInformation,
    PretrainedModel,
    TrainingStateData,
)
from learning_loop_node.trainer.trainer_logic import TrainerLogic
from learning_loop_node.trainer.trainer_node import TrainerNode

from peers.nodes.seeing import seen_by
from peers.nodes.serving import arguments, serve


class SmallTrainer(TrainerLogic):
    """Its training process waits for a file of the test; its model is two small files."""

    def __init__(self, enough: pathlib.Path) -> None:
        super().__init__("mocked")
        self.enough = enough
        self.is_published = False

    @property
    def training_progress(self) -> float:
        """Always half."""
        return 0.5

    @property
    def model_architecture(self) -> str:
        """It has a name."""
        return "small architecture"

    @property
    def provided_pretrained_models(self) -> list[PretrainedModel]:
        """One to start from."""
        return [PretrainedModel(name="small", label="Small", description="a small model")]

    async def _start_training_from_base_model(self) -> None:
        await self._start_training_from_scratch()

    async def _start_training_from_scratch(self) -> None:
        self.is_published = False
        wait = f"until [ -e {shlex.quote(str(self.enough))} ]; do sleep 0.1; done"
        await self.executor.start(f"sh -c {shlex.quote(wait)}")

    def _can_resume(self) -> bool:
        return False

    async def _resume(self) -> None:
        await self._start_training_from_scratch()

    def _get_executor_error_from_log(self) -> str | None:
        return None

    def _get_new_best_training_state(self) -> TrainingStateData | None:
        if self.is_published:
            return None
        return TrainingStateData(
            confusion_matrix={
                category.id: {"tp": 3, "fp": 2, "fn": 1} for category in self._categories()
            }
        )

    def _on_metrics_published(self, training_state_data: TrainingStateData) -> None:
        self.is_published = True

    async def _get_latest_model_files(self) -> dict[str, list[str]]:
        folder = self.enough.parent
        weights, notes = folder / "model.weights", folder / "notes.txt"
        weights.write_bytes(b"\x42" * 1000)
        notes.write_text(self.node.name)
        return {"mocked": [str(weights), str(notes)], "mocked_2": [str(weights)]}

    async def _detect(
        self, model_information: ModelInformation, images: list[str], model_folder: str
    ) -> list[Detections]:
        """Nothing in the first image of a batch, the same in all others."""
        assert (pathlib.Path(model_folder) / "model.weights").stat().st_size == 1000
        ids = sorted(pathlib.Path(image).stem for image in images)
        found = [Detections(image_id=id_, **seen_by(model_information)) for id_ in ids[1:]]
        return [Detections(image_id=ids[0]), *found]

    async def _clear_training_data(self, training_folder: str) -> None:
        return

    def _categories(self) -> list[Any]:
        training: Any = self.training
        categories: list[Any] = getattr(training, "categories", None) or training.data.categories
        return categories


if __name__ == "__main__":
    said = arguments()
    logic = SmallTrainer(pathlib.Path(said.data_folder) / "enough")
    serve(TrainerNode(said.name, logic, uuid=said.uuid))
