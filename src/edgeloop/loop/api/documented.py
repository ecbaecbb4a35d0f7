"""What OpenAPI says of the routes: the shapes of their answers with examples, and their errors."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from fastapi import FastAPI, Response
from pydantic import BaseModel, create_model

from edgeloop.loop.api.context import COOKIE
from edgeloop.loop.api.parameters import example_of
from edgeloop.protocol.payloads.parsing import Payload, shown

_ERRORS = {
    400: ("Input", "What was sent cannot be used.", "input"),
    401: ("Unauthenticated", "There is no session, or it has ended: log in.", "unauthenticated"),
    403: ("Forbidden", "This takes a right that the account does not have.", "forbidden"),
    404: ("NotFound", "There is no such thing, or none that the account may see.", "not_found"),
    409: ("Conflict", "It is not in a state in which this can be done.", "conflict"),
    412: ("Changed", "It is not as If-Match says any more: load it again.", "conflict"),
    413: ("TooLarge", "The request is too large.", "too_large"),
    422: ("Unprocessable", "Valid in form, impossible in content.", "unprocessable"),
    429: ("RateLimited", "Too many attempts: wait as Retry-After says.", "rate_limited"),
    503: ("Overloaded", "Not now: wait and repeat.", "overloaded"),
    507: ("StorageFull", "There is no space left.", "storage_full"),
}
_ALWAYS = (401, 403, 422)
_TEXTS = ("application/json", "application/x-www-form-urlencoded")


class Failure(Payload):
    """Why a request was refused: a sentence for people, a word for programs."""

    detail: Annotated[str, shown("There is no training 7.")]
    code: Annotated[str, shown("not_found")]


class Nothing(Payload):
    """There is nothing to be said but that it is done."""


def answers(
    record: type[BaseModel] | None = None,
    *,
    status: int = 200,
    or_nothing: bool = False,
    media_type: str = "application/json",
    errors: Sequence[int] = (),
) -> dict[str, Any]:
    """Arguments for a route's decorator: what it answers, and with which errors beside the usual.

    ``record`` is the shape of the JSON, ``or_nothing``: it may be 204 instead. The usual errors are
    401, 403, 422, for paths with parameters 404, and for requests with a body 400.
    """
    said: dict[int, dict[str, Any]] = {code: {} for code in (status, *errors)}
    arguments = {"response_model": None, "status_code": status, "responses": said}
    if record is None:
        said[status] = {"content": {media_type: {}}} if status != 204 else {}
        return {**arguments, "response_class": Response}
    said[status] = {"model": record}
    if or_nothing:
        said[204] = {"description": "There is nothing."}
    return arguments


@functools.cache
def page_of(record: type[BaseModel]) -> type[BaseModel]:
    """The shape of a page of such records."""
    return create_model(
        f"{record.__name__}Page",
        __base__=Payload,
        __doc__=f"Some of the items; `next` is what to pass as `after` for more. {record.__doc__}",
        items=(list[record], ...),  # type: ignore[valid-type]
        next=(str | None, ...),
    )


class DocumentedApp(FastAPI):
    """An app whose OpenAPI names the errors of all routes and shows what is sent and answered."""

    def openapi(self) -> dict[str, Any]:
        """The description, made once."""
        if self.openapi_schema is None:
            described = super().openapi()
            components = described.setdefault("components", {})
            components.setdefault("schemas", {})["Failure"] = Failure.model_json_schema()
            components["responses"] = {
                name: _response(code) for code, (name, *_) in _ERRORS.items()
            }
            components["securitySchemes"] = _SECURITY
            for path, operations in described["paths"].items():
                for operation in operations.values():
                    _complete(operation, path, components["schemas"])
        return self.openapi_schema or {}


_SECURITY = {
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
    "token": {"type": "http", "scheme": "bearer", "description": "An API token: el_..."},
}


def _complete(operation: dict[str, Any], path: str, schemas: Mapping[str, Any]) -> None:
    operation["summary"] = operation["description"].split("\n", 1)[0].rstrip(".")
    operation.setdefault("security", [{name: []} for name in _SECURITY])
    operation["responses"] |= {str(code): _refusal(code) for code in _errors_of(operation, path)}
    for parameter in operation.get("parameters", ()):
        parameter["example"] = example_of(parameter)
    for media_type, body in _bodies(operation):
        if "$ref" in body.get("schema", {}):  # of what the function returns, too: it says less
            body["schema"] = {"$ref": body["schema"]["$ref"]}
        if media_type in _TEXTS:
            body["example"] = _example_of(body["schema"], schemas)


def _errors_of(operation: Mapping[str, Any], path: str) -> Sequence[int]:
    said: Mapping[str, Any] = operation["responses"]
    in_its_own_shape = {int(code) for code in said if "content" in said[code]} - {422}
    codes = {*map(int, said)} | ({*_ALWAYS} if operation["security"] else set())
    codes |= {404} if "{" in path else set()
    codes |= {400} if "requestBody" in operation else set()
    return sorted((codes - in_its_own_shape) & {*_ERRORS})


def _bodies(operation: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is sent and what is answered, with the media types."""
    for message in (operation.get("requestBody", {}), *operation["responses"].values()):
        yield from message.get("content", {}).items()


def _example_of(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """An example of a shape: its own, or made of those of its parts."""
    match schema:
        case {"examples": [example, *_]}:
            return example
        case {"$ref": reference}:
            return _example_of(schemas[reference.rpartition("/")[2]], schemas)
        case {"anyOf": [first, *others]}:
            return _example_of(first, schemas) or (None if _NULL in others else "")
        case {"enum": [first, *_]} | {"const": first}:
            return first
        case {"type": "array", "items": items}:
            return [_example_of(items, schemas)]
        case {"properties": parts}:
            found = {name: _example_of(part, schemas) for name, part in parts.items()}
            needed = schema.get("required", ())
            return {name: part for name, part in found.items() if part or name in needed}
        case _:
            return schema.get("default", _SIMPLEST.get(schema.get("type", "null")))


_NULL = {"type": "null"}
_SIMPLEST = {"string": "", "integer": 0, "number": 0.0, "boolean": False, "object": {}}


def _response(code: int) -> dict[str, Any]:
    _, description, word = _ERRORS[code]
    shown = {"detail": description, "code": word}
    schema = {"$ref": "#/components/schemas/Failure"}
    return {
        "description": description,
        "content": {"application/json": {"schema": schema, "example": shown}},
    }


def _refusal(code: int) -> dict[str, str]:
    return {"$ref": f"#/components/responses/{_ERRORS[code][0]}"}
