"""What can be wrong with a trainer class, said before any training finds out."""

import inspect
import sys
from functools import reduce
from typing import Any

from edgeloop.errors import ConfigError
from edgeloop.nodes.contracts import Detector, Trainer


def check_trainer_class(trainer: Any) -> None:
    """Raises ConfigError with what is wrong with a class before any training finds out."""
    name = getattr(trainer, "__name__", repr(trainer))
    if not (inspect.isclass(trainer) and issubclass(trainer, Trainer)):
        raise ConfigError(f"TrainerNode takes a class derived from Trainer, not {name}.")
    if inspect.isabstract(trainer):
        raise ConfigError(f"{name} has no train method: write it.")
    formats = getattr(trainer, "formats", ())
    if not formats or isinstance(formats, str):
        raise ConfigError(f"{name}.formats must be a tuple of format names, is {formats!r}.")
    detector = getattr(trainer, "detector", None)
    if not (inspect.isclass(detector) and issubclass(detector, Detector)):
        raise ConfigError(f"{name}.detector must be a Detector class, is {detector!r}.")
    reads = getattr(detector, "model_format", None)
    if reads not in formats:
        raise ConfigError(f"{name} yields {formats}, but its detector reads {reads!r}.")
    for cls in (trainer, detector):
        if not _is_importable(cls):
            raise ConfigError(
                f"{cls.__qualname__} must stand at the top of a module, so that the "
                "training process can import it."
            )


def _is_importable(cls: type) -> bool:
    module: Any = sys.modules.get(cls.__module__)
    try:
        return reduce(getattr, cls.__qualname__.split("."), module) is cls
    except AttributeError:
        return False
