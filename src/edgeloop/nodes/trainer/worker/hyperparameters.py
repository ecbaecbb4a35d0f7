"""The hyperparameters of an order -> the trainer's own dataclass."""

import dataclasses
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import TypeAdapter, ValidationError

from edgeloop.errors import EdgeloopError, InputError
from edgeloop.nodes.contracts import Trainer
from edgeloop.protocol.payloads.parsing import first_fault


def read_hyperparameters(trainer: type[Trainer], values: Mapping[str, Any]) -> Any:
    """An instance of ``trainer.Hyperparameters``, or the values as they are where it has none.

    Unknown keys are ignored: see ``ignored_hyperparameters``. Raises InputError that names the
    first wrong one.
    """
    if trainer.Hyperparameters is None:
        return dict(values)
    try:
        return TypeAdapter(trainer.Hyperparameters).validate_python(dict(values))
    except ValidationError as error:
        raise InputError(first_fault("Hyperparameters", error)) from error
    except EdgeloopError:
        raise
    except Exception as error:  # the trainer's own __post_init__
        raise InputError(f"Hyperparameters: {type(error).__name__}: {error}") from error


def ignored_hyperparameters(trainer: type[Trainer], values: Mapping[str, Any]) -> list[str]:
    """A sentence for each key that is no field of ``trainer.Hyperparameters``.

    Loops send keys that are meant for other trainers: they are no error, but may be mistyped.
    """
    kind = trainer.Hyperparameters
    if kind is None or not dataclasses.is_dataclass(kind):
        return []
    known = [field.name for field in dataclasses.fields(kind)]
    return [
        f"{key!r} is no hyperparameter of {trainer.__name__} and is ignored: {_advice(key, known)}"
        for key in values
        if key not in known
    ]


def _advice(key: str, known: list[str]) -> str:
    nearest = get_close_matches(key, known, n=1)
    return f"is {nearest[0]!r} meant?" if nearest else f"it knows {', '.join(known)}."
