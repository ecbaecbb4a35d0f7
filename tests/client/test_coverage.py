"""The client's calls cover the loop's own API: what the loop can do, a program can ask for."""

import importlib
import inspect
import pkgutil
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest

from edgeloop.client import calls
from edgeloop.client.call import Call
from edgeloop.loop import LoopSettings, create_app
from edgeloop.protocol.routes import V1
from edgeloop.types import DetectorStatus, OperationMode

SAMPLES: Mapping[Any, Any] = {
    str: "x",
    int: 1,
    float: 0.5,
    bool: True,
    bytes: b"",
    Any: "x",
    DetectorStatus: DetectorStatus("x", "x", "x", OperationMode.IDLE, uptime_s=0.0),
}


def sample(kind: Any) -> Any:
    """Something of a type."""
    origin = get_origin(kind)
    if kind in SAMPLES:
        return SAMPLES[kind]
    if origin in (typing.Union, types.UnionType, typing.Literal):
        first = get_args(kind)[0]
        return first if origin is typing.Literal else sample(first)
    if origin in (Iterable, Sequence, list, tuple):
        return ()
    if origin in (Mapping, dict):
        return {}
    return kind()


def functions() -> Iterator[Callable[..., Call[Any]]]:
    """All that makes a call."""
    for module in pkgutil.iter_modules(calls.__path__):
        found = importlib.import_module(f"{calls.__name__}.{module.name}")
        for name, function in inspect.getmembers(found, inspect.isfunction):
            hints = typing.get_type_hints(function) if function.__module__ == found.__name__ else {}
            if get_origin(hints.get("return")) is Call and not name.startswith("_"):
                yield function


def requests(function: Callable[..., Call[Any]]) -> Iterator[tuple[str, str]]:
    """Method and path of a call, as short and as long as it can be."""
    hints = typing.get_type_hints(function)
    parameters = inspect.signature(function).parameters.values()
    for names in (
        [p for p in parameters if p.default is p.empty],
        list(parameters),
    ):
        values = {p.name: sample(hints[p.name]) for p in names}
        by_position = [values.pop(p.name) for p in names if p.kind is not p.KEYWORD_ONLY]
        call = function(*by_position, **values)
        yield call.method, call.path.partition("?")[0]


def routes() -> dict[str, re.Pattern[str]]:
    """The loop's own routes, and what their requests look like."""
    described = create_app(LoopSettings(data_folder=Path())).openapi()["paths"]
    return {
        f"{method.upper()} {path}": re.compile(
            re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(f"{method.upper()} {path}"))
        )
        for path, methods in described.items()
        if path.startswith(V1)
        for method in methods
    }


ROUTES = routes()
REQUESTS = {f"{method} {path}" for function in functions() for method, path in requests(function)}


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_of_our_own_api_has_a_call(route: str) -> None:
    pattern = ROUTES[route]
    assert any(pattern.fullmatch(request) for request in REQUESTS)
