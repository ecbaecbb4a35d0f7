"""What the loop says of its own API to programs: complete, with examples that are true."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from edgeloop.client.calls.records import TrainingRecord
from edgeloop.loop import LoopSettings, create_app
from edgeloop.loop.services.conversions import ConversionState
from edgeloop.loop.services.nodes import ANNOTATOR, DETECTOR, TRAINER
from edgeloop.loop.services.trainings import TrainingState, Wish
from edgeloop.types import TrainerState

DESCRIPTION: dict[str, Any] = create_app(LoopSettings(data_folder=Path())).openapi()
OPERATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    f"{method.upper()} {path}": (path, operation)
    for path, operations in DESCRIPTION["paths"].items()
    for method, operation in operations.items()
}
UPLOADS = {
    "POST /api/{organization}/projects/{name}/images",
    "POST /api/{organization}/projects/{name}/models/{model_format}",
    "POST /api/{organization}/projects/{name}/{model_format}",
    "PUT /api/{organization}/projects/{name}/models/{model_id}/{model_format}/file",
    "PUT /api/{organization}/projects/{name}/trainings/{number}/models/latest/{model_format}/file",
}
DOWNLOADS = {
    "GET /api/v1/images/{image_id}/file": "image/jpeg",
    "GET /api/v1/images/{image_id}/thumbnail": "image/jpeg",
    "GET /api/{organization}/projects/{name}/images/{image_id}/main": "image/jpeg",
    "GET /api/{organization}/projects/{name}/images/{image_id}/thumb": "image/jpeg",
    "GET /api/{organization}/projects/{name}/models/{model_id}/{model_format}/file": (
        "application/zip"
    ),
}
FOR_ANYBODY = {"/health", "/ready", "/api/status", "/api/login", "/api/logout"}
of_each_route = pytest.mark.parametrize("route", OPERATIONS)


def bodies(route: str) -> Iterator[dict[str, Any]]:
    """What a route takes as JSON or as a plain form, and answers as JSON."""
    _, operation = OPERATIONS[route]
    done = [operation["responses"][code] for code in operation["responses"] if code[0] == "2"]
    for message in (operation.get("requestBody", {}), *done):
        for media_type, body in message.get("content", {}).items():
            if media_type in ("application/json", "application/x-www-form-urlencoded"):
                yield body


@of_each_route
def test_a_route_has_a_summary_and_a_description(route: str) -> None:
    _, operation = OPERATIONS[route]
    assert 3 < len(operation["summary"]) < 120
    assert operation["description"].endswith(".")


@of_each_route
def test_a_route_names_its_errors_in_our_shape(route: str) -> None:
    path, operation = OPERATIONS[route]
    refusals = {code for code in operation["responses"] if code[0] == "4"}
    usual = set() if path in FOR_ANYBODY else {"401", "403", "422"}
    assert refusals >= usual | ({"404"} if "{" in path else set())
    for code in refusals:
        name = operation["responses"][code]["$ref"].rpartition("/")[2]
        shape = DESCRIPTION["components"]["responses"][name]["content"]["application/json"]
        assert shape["schema"] == {"$ref": "#/components/schemas/Failure"}
        assert set(shape["example"]) == {"detail", "code"}


@of_each_route
def test_a_route_says_what_it_takes_and_answers_with_an_example_that_fits(route: str) -> None:
    for body in bodies(route):
        assert "$ref" in str(body["schema"]) or "examples" in body["schema"], (
            "give the route a shape: **answers(Record), or **told(Record)"
        )
        whole = {**body["schema"], "components": DESCRIPTION["components"]}
        jsonschema_rs.validate(whole, body["example"])


@of_each_route
def test_a_route_answers_something_that_is_described(route: str) -> None:
    _, operation = OPERATIONS[route]
    done = [code for code in operation["responses"] if code[0] == "2"]
    assert done
    assert all(code == "204" or operation["responses"][code]["content"] for code in done)


@pytest.mark.parametrize(
    ("record", "field", "values"),
    [
        ("TrainingRecord", "state", [*TrainingState]),
        ("TrainingRecord", "wish", [*Wish]),
        ("ConversionRecord", "state", [*ConversionState]),
        ("NodeRecord", "kind", [DETECTOR, TRAINER, ANNOTATOR]),
    ],
)
def test_words_of_which_there_are_few_are_listed_as_the_loop_uses_them(
    record: str, field: str, values: list[str]
) -> None:
    described = DESCRIPTION["components"]["schemas"][record]["properties"][field]
    (one, *_) = described.get("anyOf", [described])
    assert one["enum"] == values


def test_the_states_of_trainers_are_listed_and_others_are_possible() -> None:
    schemas = DESCRIPTION["components"]["schemas"]
    described = schemas["TrainingRecord"]["properties"]["trainer_state"]["anyOf"]
    kinds = [{"$ref": "#/components/schemas/TrainerState"}, {"type": "string"}, {"type": "null"}]
    assert described == kinds
    assert schemas["TrainerState"]["enum"] == [*TrainerState]
    (shown,) = bodies("GET /api/v1/trainings/{training_id}")
    told = TrainingRecord.read({**shown["example"], "trainer_state": "waiting_for_slot"})
    assert told.trainer_state == "waiting_for_slot"


def test_lists_that_may_be_long_come_in_pages() -> None:
    answers = {
        route: str(operation["responses"]["200"].get("content"))
        for route, (_, operation) in OPERATIONS.items()
        if "200" in operation["responses"]
    }
    lists = [route for route in answers if "Page'" in answers[route]]
    paged = [
        route
        for route in lists
        if {"limit", "after"} <= {one["name"] for one in OPERATIONS[route][1]["parameters"]}
    ]
    assert len(paged) > 10
    assert set(lists) - set(paged) == {
        "GET /api/v1/users/{user_id}/roles",
        "GET /api/v1/images/{image_id}/detections",
    }


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for _, operation in OPERATIONS.values()]
    assert len(set(names)) == len(names)


@of_each_route
def test_a_route_shows_what_each_parameter_looks_like(route: str) -> None:
    _, operation = OPERATIONS[route]
    for parameter in operation.get("parameters", ()):
        whole = {**parameter["schema"], "components": DESCRIPTION["components"]}
        assert parameter["example"] not in (None, "", []), parameter["name"]
        jsonschema_rs.validate(whole, parameter["example"])


@of_each_route
def test_a_route_says_which_logins_it_takes(route: str) -> None:
    path, operation = OPERATIONS[route]
    named = [name for login in operation["security"] for name in login]
    assert named == ([] if path in FOR_ANYBODY else ["session", "token"])


def test_devices_may_come_in_without_a_login_where_they_work() -> None:
    for_devices = {route for route, (_, it) in OPERATIONS.items() if {} in it["security"]}
    project = "/api/{organization}/projects/{name}"
    assert for_devices == {
        f"GET {project}/models",
        f"GET {project}/models/{{model_id}}/{{model_format}}/file",
        f"GET {project}/deployment/target",
        f"POST {project}/images",
        f"POST {project}/detectors",
    }


def test_uploads_take_files_in_a_form() -> None:
    forms = {
        route: operation["requestBody"]["content"]["multipart/form-data"]["schema"]
        for route, (_, operation) in OPERATIONS.items()
        if "multipart/form-data" in operation.get("requestBody", {}).get("content", {})
    }
    assert forms.keys() == UPLOADS
    for schema in forms.values():
        assert schema["properties"]["files"]["items"] == {"type": "string", "format": "binary"}


@pytest.mark.parametrize("route", DOWNLOADS)
def test_a_download_is_of_the_type_that_is_said(route: str) -> None:
    _, operation = OPERATIONS[route]
    assert [*operation["responses"]["200"]["content"]] == [DOWNLOADS[route]]
