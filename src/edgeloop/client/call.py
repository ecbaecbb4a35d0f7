"""A request to the loop as a value: built by ``calls``, sent by ``http``."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import httpx

from edgeloop.errors import LoopRejected
from edgeloop.protocol.failures import error_of

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class FilePart:
    """One file of a multipart body: in memory, or on disk and opened when it is sent."""

    name: str
    content: bytes | Path
    content_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Call(Generic[T_co]):
    """What to send and how to read the answer; ``login`` says whether a session is needed."""

    method: str
    path: str
    parse: Callable[[httpx.Response], T_co]
    json: Any = None
    form: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[FilePart] = ()
    login: bool = True
    timeout_s: float = 60.0


def result_of(call: Call[T], response: httpx.Response) -> T:
    """The parsed answer; raises the EdgeloopError that a refusal stands for."""
    check(response)
    try:
        return call.parse(response)
    except (ValueError, KeyError, TypeError) as error:
        message = f"The loop's answer to {call.method} {call.path} is not understood ({error})."
        raise LoopRejected(message) from error


def check(response: httpx.Response) -> None:
    """Raises the EdgeloopError that a refusal stands for."""
    if not response.is_success:
        raise refusal(response)


def refusal(response: httpx.Response) -> Exception:
    """The error that a non-2xx answer stands for; its body must have been read."""
    code, detail = None, response.text[:500] or response.reason_phrase
    with contextlib.suppress(ValueError):  # a proxy's page, or half an answer
        body = response.json()
        if isinstance(body, dict):
            code, detail = str(body.get("code")), str(body.get("detail", detail))
    return error_of(response.status_code, code, detail)


def nothing(_response: httpx.Response) -> None:
    """For answers whose body does not matter."""
