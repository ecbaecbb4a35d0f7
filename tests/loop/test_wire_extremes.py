"""Numbers and texts that are legal in JSON and cannot be kept are refused, never a bug."""

import asyncio
import functools
import json
from typing import Any

import httpx
import pytest

from edgeloop.protocol import events, routes
from edgeloop.protocol.routes import V1
from loops import LoopInProcess, OpenLoop, ServedLoop
from sockets import connected, run
from uploading import pair, receipts

HUGE = 2**70
LARGE = 2**63
"""Too large for a database, not for JSON."""
HALF = "\ud800"
DEEP: dict[str, Any] = functools.reduce(lambda inner, _: {"a": inner}, range(50), {})
EPOCH: dict[str, Any] = {"number": 1, "of": 1, "metrics": {}}
IDLE = {"id": "t1", "name": "gpu", "state": "idle"}


async def places(loop: LoopInProcess) -> tuple[httpx.AsyncClient, dict[str, str]]:
    """A person, and the ids to put into paths."""
    project = await loop.project()
    client = await loop.client()
    (receipt,) = await receipts(client, pair())
    training = await client.post(f"{V1}/projects/{project['id']}/trainings", json={})
    ids = {"project": project["id"], "image": receipt["id"], "training": training.json()["id"]}
    return client, ids


def sent(body: Any) -> dict[str, Any]:
    """A JSON body as it may come, with NaN and halves of characters."""
    return {
        "content": json.dumps(body).encode(),
        "headers": {"content-type": "application/json"},
    }


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "projects", {"organization": "zoo", "name": HALF}),
        ("POST", "projects", {"organization": HALF, "name": "dogs"}),
        ("PATCH", "projects/{project}", {"categories": [{"name": HALF}]}),
        ("PATCH", "projects/{project}", {"categories": [{"name": "a", "hotkey": HALF}]}),
        ("PATCH", "projects/{project}", {"categories": [{"name": "a", "point_size": HUGE}]}),
        ("POST", "projects/{project}/trainings", {"variant": HALF}),
        ("POST", "projects/{project}/trainings", {"base_model_id": HALF}),
        ("POST", "projects/{project}/trainings", {"trainer_id": HALF}),
        ("POST", "projects/{project}/trainings", {"hyperparameters": {"lr": float("nan")}}),
        ("POST", "projects/{project}/trainings", {"hyperparameters": {"a": [float("inf")]}}),
        ("POST", "projects/{project}/trainings", {"hyperparameters": {"a": HUGE}}),
        ("POST", "projects/{project}/trainings", {"hyperparameters": {HALF: 1}}),
        ("POST", "projects/{project}/trainings", {"hyperparameters": {"a": {"b": HALF}}}),
        ("POST", "projects/{project}/trainings", {"hyperparameters": DEEP}),
        ("PUT", "projects/{project}/deployment", {"model_id": HALF}),
        ("PUT", "images/{image}/annotations", {"version": HUGE}),
    ],
)
def test_a_body_that_cannot_be_kept_is_refused(
    open_loop: OpenLoop, method: str, path: str, body: Any
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, ids = await places(loop)
            answer = await client.request(method, f"{V1}/{path.format(**ids)}", **sent(body))
            assert 400 <= answer.status_code < 500, answer.text
            for listed in ("projects", f"projects/{ids['project']}/trainings"):
                assert (await client.get(f"{V1}/{listed}")).status_code == 200

    asyncio.run(story())


@pytest.mark.parametrize(
    "path",
    [
        f"{V1}/projects/{{project}}/trainings?after={HUGE}",
        f"{V1}/trainings/{{training}}/epochs?after={HUGE}",
        f"{V1}/projects/{{project}}/images?after=%ED%A0%80",
        "/api/zoo/projects/cats/images?ids=%ED%A0%80",
        "/api/zoo/projects/%ED%A0%80",
    ],
)
def test_a_query_that_cannot_be_understood_is_refused_or_finds_nothing(
    open_loop: OpenLoop, path: str
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, ids = await places(loop)
            answer = await client.get(path.format(**ids))
            assert answer.status_code in (200, 404, 422), answer.text

    asyncio.run(story())


def test_the_model_of_a_training_with_an_absurd_number_is_refused(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, _ = await places(loop)
            path = routes.training_model_file("zoo", "cats", HUGE, "mocked")
            answer = await client.put(path, files={"files": ("m.onnx", b"w")})
            assert answer.status_code == 422

    asyncio.run(story())


@pytest.mark.parametrize("field", ["username", "password"])
def test_a_login_with_half_a_character_is_refused(open_loop: OpenLoop, field: str) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client = await loop.stranger()
            answer = await client.post(
                routes.LOGIN,
                content=f"username=admin&password=x&{field}=%ED%A0%80".encode(),
                headers={"content-type": "application/x-www-form-urlencoded"},
            )
            assert answer.status_code == 401

    asyncio.run(story())


@pytest.mark.parametrize(
    ("event", "names", "report"),
    [
        (events.UPDATE_TRAINER, (), {**IDLE, "name": HALF}),
        (events.UPDATE_TRAINER, (), {**IDLE, "id": HALF}),
        (events.UPDATE_DETECTOR, ("zoo", "cats"), {"id": "d1", "name": HALF}),
        (events.UPDATE_DETECTOR, ("zoo", HALF), {"id": "d1"}),
        (events.UPDATE_ANNOTATION_NODE, (), {"id": "a1", "name": HALF}),
        (events.UPDATE_EPOCH, ("zoo", "cats"), {"training_number": LARGE, "epoch": EPOCH}),
        (events.UPDATE_EPOCH, ("zoo", "cats"), {"training_number": HUGE, "epoch": EPOCH}),
    ],
)
def test_a_report_that_cannot_be_kept_is_refused_with_a_reason(
    served_loop: ServedLoop, event: str, names: tuple[str, ...], report: dict[str, Any]
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with connected(client) as node:
            answer = await node.call(event, *names, report)
            assert answer["success"] is False
            assert "internal error" not in answer["error_msg"]
            assert (await client.get(f"{V1}/nodes")).json()["items"] == []

    run(served_loop, story)


def test_figures_that_are_no_number_do_not_keep_a_trainer_from_reporting(
    served_loop: ServedLoop,
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        (project,) = (await client.get(f"{V1}/projects")).json()["items"]
        category = project["categories"][0]["id"]
        answer = await client.post(f"{V1}/projects/{project['id']}/trainings", json={})
        async with connected(client) as node:
            await node.call(events.UPDATE_TRAINER, IDLE)
            await node.commands.get()
            counts = {category: {"tp": 1, "fp": 2, "fn": 3, "map": float("nan")}}
            better = {"trainer_id": "t1", "confusion_matrix": counts}
            assert (await node.call(events.UPDATE_TRAINING, "zoo", "cats", better))["success"]
            report = {"training_number": 1, "epoch": {**EPOCH, "metrics": {"loss": float("nan")}}}
            assert (await node.call(events.UPDATE_EPOCH, "zoo", "cats", report))["success"]
            epochs = await client.get(f"{V1}/trainings/{answer.json()['id']}/epochs")
            assert [epoch["metrics"] for epoch in epochs.json()["items"]] == [{}]

    run(served_loop, story)


def test_a_click_that_cannot_be_passed_on_is_refused(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        (project,) = (await client.get(f"{V1}/projects")).json()["items"]
        (receipt,) = await receipts(client, pair())
        body = {
            "frontend_id": "page-1",
            "image_id": receipt["id"],
            "category_id": project["categories"][0]["id"],
            "event": "mouse_move",
            "x": 1,
            "y": 2,
        }
        async with connected(client, kind="annotation_node") as node:
            await node.call(events.UPDATE_ANNOTATION_NODE, {"id": "a1"})
            for wrong in ({"frontend_id": HALF}, {"x": HUGE}):
                path = f"{V1}/nodes/a1/user_input"
                answer = await client.post(path, **sent({**body, **wrong}))
                assert answer.status_code == 422
            assert node.commands.empty()

    run(served_loop, story)


def test_progress_that_cannot_be_kept_is_refused_with_a_reason(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        (project,) = (await client.get(f"{V1}/projects")).json()["items"]
        await client.post(f"{V1}/projects/{project['id']}/trainings", json={})
        async with connected(client) as node:
            await node.call(events.UPDATE_TRAINER, IDLE)
            await node.commands.get()
            for field in ("train_image_count", "best_epoch"):
                report = {"trainer_id": "t1", field: LARGE}
                answer = await node.call(events.UPDATE_TRAINING, "zoo", "cats", report)
                assert answer["success"] is False
                assert "too large" in answer["error_msg"]

    run(served_loop, story)


def test_what_is_gone_meanwhile_is_a_conflict_not_a_bug(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, _ = await places(loop)
            uploads = [client.post(routes.images("zoo", "cats"), files=pair(n)) for n in range(9)]
            answers = await asyncio.gather(*uploads, client.delete("/api/zoo/projects/cats"))
            assert {answer.status_code for answer in answers} <= {200, 404, 409}
            assert list((loop.folder / "files").rglob("*.jpg")) == []

    asyncio.run(story())
