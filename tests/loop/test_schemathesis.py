"""The loop is asked for all that its description allows, and more: no bug answers.

What it says of its answers is the truth.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from pydantic import SecretStr
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from edgeloop.loop import LoopSettings, create_app
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from loops import PASSWORD, ServedLoop, loop_served
from uploading import pair

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EXAMPLES = 25
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
DESCRIPTION = create_app(LoopSettings(data_folder=Path())).openapi()
_LAST = ("DELETE", f"POST {routes.LOGOUT}")
"""What would leave nothing to ask the others for."""
ROUTES = sorted(
    (
        f"{method.upper()} {path}"
        for path, methods in DESCRIPTION["paths"].items()
        for method in methods
    ),
    key=lambda route: route.startswith(_LAST),
)


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedLoop]:
    """A loop for all routes: what one of them changes, the next one meets."""
    folder = tmp_path_factory.mktemp("strange") / "loop"
    settings = LoopSettings(data_folder=folder, admin_password=SecretStr(PASSWORD))
    with loop_served(settings) as served:
        yield served


@pytest.fixture(scope="module")
def client(loop: ServedLoop) -> Iterator[httpx.Client]:
    """The admin."""
    with httpx.Client(base_url=loop.url, timeout=60) as client:
        client.post(routes.LOGIN, data={"username": loop.username, "password": loop.password})
        yield client


@pytest.fixture(scope="module")
def known(client: httpx.Client) -> dict[str, str]:
    """The ids of one of everything, by the names of the parameters."""
    body = {"organization": "zoo", "name": "cats", "categories": [{"name": "cat"}]}
    project = client.post(f"{V1}/projects", json=body).json()
    one = f"{V1}/projects/{project['id']}"
    client.patch(one, json={"wanted_formats": ["engine"]})
    training = client.post(f"{one}/trainings", json={}).json()
    upload = routes.training_model_file("zoo", "cats", 1, "onnx")
    model = client.put(upload, files={"files": ("m.onnx", b"w")}).json()
    client.put(f"{one}/deployment", json={"model_id": model["id"]})
    wanted = {"source_format": "onnx", "target_format": "engine"}
    leased = client.post(f"{V1}/conversions/lease", json=wanted).json()
    client.post(routes.detectors("zoo", "cats"), json={"uuid": "d1"})
    files = pair(1)
    image = client.post(routes.images("zoo", "cats"), files=files).json()["items"][0]
    return {
        "project_id": project["id"],
        "training_id": training["id"],
        "model_id": model["id"],
        "other_id": model["id"],
        "conversion_id": leased["id"],
        "organization": "zoo",
        "name": "cats",
        "number": "1",
        "model_format": "onnx",
        "node_id": "d1",
        "image_id": image["id"],
    }


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_meets_no_bug_whatever_it_is_asked(
    client: httpx.Client, known: dict[str, str], route: str
) -> None:
    method, path = route.split(" ")
    operation = schemathesis.openapi.from_dict(DESCRIPTION)[path][method]
    asked = operation.as_strategy() | operation.as_strategy(GenerationMode.NEGATIVE)
    known_ids = {name: known[name] for name in known if f"{{{name}}}" in path}
    if known_ids:
        asked |= operation.as_strategy(path_parameters=known_ids)

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=asked)
    def ask(case: Any) -> None:
        response = case.call(base_url=str(client.base_url), cookies=dict(client.cookies))
        case.validate_response(response, checks=list(CHECKS))

    ask()
