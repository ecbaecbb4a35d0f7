"""How JSON is read: unknown keys are ignored, wrong ones are named."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from edgeloop.errors import InputError


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
    place = ".".join(str(part) for part in fault["loc"]) or "its content"
    return f"{what}: {place} is wrong ({fault['msg']})."


def _none_to_empty(value: Any) -> Any:
    return "" if value is None else value


Text = Annotated[str, BeforeValidator(_none_to_empty)]
"""A string; null counts as empty."""

Uuid = Annotated[str, shown("6f1c0a4e-8f0b-4f0e-9a56-1d3f0a3c7b11")]
Moment = Annotated[str, shown("2026-01-02T03:04:05+00:00")]
"""A time in UTC, as ISO 8601."""
