"""How JSON is read: unknown keys are ignored, wrong ones are named."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from edgeloop.errors import InputError

_MAX_DEPTH = 64


class Payload(BaseModel):
    """Base of all payloads that are read from the wire."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())

    @classmethod
    def read(cls, value: Any) -> Self:
        """Parsed JSON -> payload; raises InputError that names the first wrong field."""
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise InputError(first_fault(cls.__name__, error)) from error


def shown(value: Any) -> Any:
    """What a field looks like, for people who read its schema."""
    return Field(examples=[value])


def first_fault(what: str, error: ValidationError) -> str:
    """One sentence for the first thing that pydantic complains about."""
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{what}: {fault_said(fault['loc'], fault['msg'])}"


def fault_said(place: Sequence[int | str], reason: str) -> str:
    """A sentence for what pydantic complains about at a place."""
    where = ".".join(map(str, place)) or "its content"
    return f"{where} is wrong ({reason.removeprefix('Value error, ')})."


def _none_to_empty(value: Any) -> Any:
    return "" if value is None else value


def check_portable(value: Any, *, depth: int = 0) -> None:
    """Raises ValueError for what some library for JSON cannot carry, or a database."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"nested more than {_MAX_DEPTH} deep")
    match value:
        case str():
            _check_text(value)
        case int() if not -(2**63) <= value < 2**63:
            raise ValueError("a whole number of more than 64 bits")
        case float() if not math.isfinite(value):
            raise ValueError("a number that is not finite")
        case dict():
            check_portable([*value, *value.values()], depth=depth + 1)
        case list() | tuple():
            for part in value:
                check_portable(part, depth=depth + 1)


def _portable(value: dict[str, Any]) -> dict[str, Any]:
    check_portable(value)
    return value


def _check_text(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError("a text with half a character in it") from error


Text = Annotated[str, BeforeValidator(_none_to_empty)]
"""A string; null counts as empty."""

JsonObject = Annotated[dict[str, Any], AfterValidator(_portable)]
"""An object that may say anything that each library for JSON can carry."""

Uuid = Annotated[str, shown("6f1c0a4e-8f0b-4f0e-9a56-1d3f0a3c7b11")]
Moment = Annotated[str, shown("2026-01-02T03:04:05+00:00")]
"""A time in UTC, as ISO 8601."""
