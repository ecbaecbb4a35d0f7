"""The figures of a story."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """One model: what it was made of and how good it is; average precision is 0..1.

    ``map50_start`` and ``map50_field`` are for the start-like and the field-like part of the test
    split, None where it has no parts. ``uploaded`` and ``labelled`` count field images.
    """

    version: str
    images: int
    iterations: int
    map50: float
    map50_95: float
    map50_start: float | None
    map50_field: float | None
    ms_per_image: float | None = None
    uploaded: int = 0
    labelled: int = 0
    name: str = ""

    def with_ms(self, ms_per_image: float) -> "ModelFigures":
        """The same with the time that the detector takes for an image, in milliseconds."""
        return replace(self, ms_per_image=ms_per_image)


@dataclass(frozen=True, slots=True)
class StoryResult:
    """Both models, and the controls where they were asked for."""

    seed: int
    models: tuple[ModelFigures, ...]
    control: tuple[ModelFigures, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """For programs: the fields as they are called here."""
        return {
            "seed": self.seed,
            "models": [_without_name(model) for model in self.models],
            "control": [asdict(model) for model in self.control],
        }


def _without_name(model: ModelFigures) -> dict[str, Any]:
    return {key: value for key, value in asdict(model).items() if key != "name"}
