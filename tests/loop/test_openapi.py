"""What the loop says of its own API to programs: complete, with examples that are true."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from edgeloop.loop import LoopSettings, create_app
from edgeloop.protocol.routes import V1

DESCRIPTION: dict[str, Any] = create_app(LoopSettings(data_folder=Path())).openapi()
OPERATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    f"{method.upper()} {path}": (path, operation)
    for path, operations in DESCRIPTION["paths"].items()
    if path.startswith(V1)
    for method, operation in operations.items()
}
of_each_route = pytest.mark.parametrize("route", OPERATIONS)


def bodies(route: str) -> Iterator[dict[str, Any]]:
    """What a route takes and answers as JSON."""
    _, operation = OPERATIONS[route]
    done = [operation["responses"][code] for code in operation["responses"] if code[0] == "2"]
    for message in (operation.get("requestBody", {}), *done):
        content = message.get("content", {})
        if "application/json" in content:
            yield content["application/json"]


@of_each_route
def test_a_route_has_a_summary_and_a_description(route: str) -> None:
    _, operation = OPERATIONS[route]
    assert 3 < len(operation["summary"]) < 120
    assert operation["description"].endswith(".")


@of_each_route
def test_a_route_names_its_errors_in_our_shape(route: str) -> None:
    path, operation = OPERATIONS[route]
    refusals = {code for code in operation["responses"] if code[0] == "4"}
    assert refusals >= {"401", "403", "422"} | ({"404"} if "{" in path else set())
    for code in refusals:
        name = operation["responses"][code]["$ref"].rpartition("/")[2]
        shape = DESCRIPTION["components"]["responses"][name]["content"]["application/json"]
        assert shape["schema"] == {"$ref": "#/components/schemas/Failure"}
        assert set(shape["example"]) == {"detail", "code"}


@of_each_route
def test_a_route_says_what_it_takes_and_answers_with_an_example_that_fits(route: str) -> None:
    for body in bodies(route):
        assert "$ref" in body["schema"], "give the route a shape: **answers(Record)"
        whole = {**body["schema"], "components": DESCRIPTION["components"]}
        jsonschema_rs.validate(whole, body["example"])


@of_each_route
def test_a_route_answers_something_that_is_described(route: str) -> None:
    _, operation = OPERATIONS[route]
    done = [code for code in operation["responses"] if code[0] == "2"]
    assert done
    assert all(code == "204" or operation["responses"][code]["content"] for code in done)


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for _, operation in OPERATIONS.values()]
    assert len(set(names)) == len(names)
