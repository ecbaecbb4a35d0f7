"""How the story is told: which images, which trainings, how much labelling."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeloop.demo.material import Material, Progress, SceneCounts, drawn_material, voc_material

ORGANIZATION, PROJECT = "demo", "parts"


@dataclass(frozen=True, slots=True)
class Plan:
    """A story. ``first`` and ``second`` are the hyperparameters of its two trainings.

    Frames with a detection of ``uncertain`` (from, to) confidence are uploaded; a labelling round
    takes the ``budget`` most uncertain ones, all where it is None.
    """

    seed: int
    first: dict[str, Any]
    second: dict[str, Any]
    data: Path | None = None
    counts: SceneCounts = field(default_factory=SceneCounts)
    uncertain: tuple[float, float] = (0.3, 0.5)
    budget: int | None = None
    with_control: bool = False

    @property
    def has_parts(self) -> bool:
        """Whether the test split has a start-like and a field-like part."""
        return self.data is None

    def make_material(self, folder: Path, *, on_progress: Progress) -> Material:
        """The images of this story; scenes are drawn into ``folder``."""
        if self.data:
            return voc_material(self.data)
        return drawn_material(folder, self.counts, seed=self.seed, on_progress=on_progress)


def scenes_plan(seed: int, *, budget: int | None = None, with_control: bool = False) -> Plan:
    """Parts on a conveyor, drawn by the project: settings measured to tell the story."""
    common = {
        "width": 256,
        "height": 192,
        "scale_min": 0.9,
        "scale_max": 1.12,
        "color": 0.15,
        "flip_ud": True,
        "ema_decay": 0.99,
        "seed": seed,
        "threads": 1,
    }
    return Plan(
        seed=seed,
        first=common | {"iterations": 800, "learning_rate": 5e-3},
        second=common | {"iterations": 500, "learning_rate": 2e-3},
        budget=budget,
        with_control=with_control,
    )


def voc_plan(data: Path, seed: int, *, budget: int | None = 75, with_control: bool = False) -> Plan:
    """Photographs of a Pascal VOC folder, as they are."""
    common = {
        "width": 320,
        "height": 240,
        "flip_ud": True,
        "ema_decay": 0.998,
        "learning_rate": 2e-3,
        "seed": seed,
        "threads": 1,
    }
    return Plan(
        seed=seed,
        first=common | {"iterations": 1030},
        second=common | {"iterations": 700},
        data=data,
        budget=budget,
        with_control=with_control,
    )
