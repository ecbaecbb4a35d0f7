"""What can be set for a training of the compact detector."""

from dataclasses import dataclass, fields

from edgeloop.errors import InputError

STRIDE = 8
_LIMITS: dict[str, tuple[float, float]] = {
    "iterations": (1, 10_000_000),
    "width": (32, 4096),
    "height": (32, 4096),
    "resolution": (32, 4096),
    "batch_size": (1, 1024),
    "learning_rate": (1e-7, 1),
    "ema_decay": (0, 0.99999),
    "scale_min": (0.1, 10),
    "scale_max": (0.1, 10),
    "color": (0, 1),
    "seed": (0, 2**63 - 1),
    "threads": (0, 1024),
    "epochs": (1, 10_000),
}


@dataclass(frozen=True, slots=True)
class CompactHyperparameters:
    """``width`` x ``height`` is the input in pixels, multiples of 8; ``resolution``, where given,
    is its longer side and the images decide the aspect.

    ``iterations`` are steps of ``batch_size`` images, reported in ``epochs`` parts.
    ``scale_min``..``scale_max`` and ``color`` (0..1) say how far images are varied; ``flip_ud``
    suits cameras that look straight down. ``threads`` 0 is the library's default; the same seed
    and threads give the same model. Raises InputError on values out of range.
    """

    iterations: int = 2000
    width: int = 320
    height: int = 240
    resolution: int | None = None
    batch_size: int = 8
    learning_rate: float = 2e-3
    ema_decay: float = 0.998
    flip_lr: bool = True
    flip_ud: bool = False
    scale_min: float = 0.7
    scale_max: float = 1.4
    color: float = 0.25
    seed: int = 0
    threads: int = 0
    epochs: int = 20

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, str(field.type), getattr(self, field.name))
        for name in ("width", "height"):
            if getattr(self, name) % STRIDE:
                raise InputError(f"{name} must be a multiple of {STRIDE}: {getattr(self, name)}.")
        if self.scale_min > self.scale_max:
            raise InputError(
                f"scale_min ({self.scale_min}) must not exceed scale_max ({self.scale_max})."
            )


def _check(name: str, kind: str, value: object) -> None:
    if name not in _LIMITS:
        if not isinstance(value, bool):
            raise InputError(f"{name} must be true or false, not {value!r}.")
        return
    if value is None and "None" in kind:
        return
    low, high = _LIMITS[name]
    number = int | float if "float" in kind else int
    word = "a number" if "float" in kind else "a whole number"
    if not isinstance(value, number) or isinstance(value, bool) or not low <= value <= high:
        raise InputError(f"{name} must be {word} from {low:g} to {high:g}, not {value!r}.")
