"""How JSON is read: unknown keys are ignored, wrong ones are named."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

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


def first_fault(what: str, error: ValidationError) -> str:
    """One sentence for the first thing that pydantic complains about."""
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in fault["loc"]) or "its content"
    return f"{what}: {place} is wrong ({fault['msg']})."


def _none_to_empty(value: Any) -> Any:
    return "" if value is None else value


Text = Annotated[str, BeforeValidator(_none_to_empty)]
"""A string; null counts as empty."""
