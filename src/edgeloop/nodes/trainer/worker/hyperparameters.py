"""The hyperparameters of an order -> the trainer's own dataclass."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from edgeloop.errors import EdgeloopError, InputError
from edgeloop.nodes.contracts import Trainer
from edgeloop.protocol.payloads.parsing import first_fault


def read_hyperparameters(trainer: type[Trainer], values: Mapping[str, Any]) -> Any:
    """An instance of ``trainer.Hyperparameters``, or the values as they are where it has none.

    Unknown keys are ignored; raises InputError that names the first wrong one.
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
