"""Detectors before 0.16: they connect a socket without a login and learn their target by it."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from socketio.exceptions import ConnectionError as NotConnected

from edgeloop.protocol import events, routes
from edgeloop.protocol.payloads.nodes import acknowledgement
from edgeloop.protocol.routes import V1
from loops import ServedLoop
from sockets import Node, connected, run

STATUS = {
    "id": "d1",
    "name": "press",
    "model_format": "mocked",
    "state": "online",
    "errors": {},
    "uptime": 17,
    "current_model": None,
    "target_model": None,
    "operation_mode": "idle",
}


@contextlib.asynccontextmanager
async def detector(
    client: httpx.AsyncClient, *, project: str = "zoo/cats", is_local: bool = True
) -> AsyncIterator[Node]:
    """A detector without a session."""
    async with connected(
        client, kind="detector", cookie="", project=project, is_local=is_local
    ) as node:
        yield node


async def project_id(client: httpx.AsyncClient) -> str:
    """The id of zoo/cats."""
    (project,) = (await client.get(f"{V1}/projects")).json()["items"]
    return str(project["id"])


async def deployed(client: httpx.AsyncClient) -> dict[str, str]:
    """A model that is made the target, as detectors are told."""
    path = f"{V1}/projects/{await project_id(client)}"
    assert (await client.post(f"{path}/trainings", json={})).is_success
    upload = routes.training_model_file("zoo", "cats", 1, "mocked")
    model_id = (await client.put(upload, files={"files": ("m.onnx", b"w")})).json()["id"]
    answer = await client.put(f"{path}/deployment", json={"model_id": model_id})
    return {"target_model_id": model_id, "target_model_version": answer.json()["version"]}


async def says(node: Node, organization: str = "zoo", project: str = "cats", **fields: Any) -> Any:
    """What the loop answers to the detector's status."""
    return await node.call(events.UPDATE_DETECTOR, organization, project, {**STATUS, **fields})


def test_a_detector_without_a_login_is_told_its_target(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        target = await deployed(client)
        async with detector(client) as node:
            assert await says(node) == acknowledgement(payload=target)

    run(served_loop, story)


def test_without_a_target_the_payload_is_null(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with detector(client) as node:
            assert await says(node) == acknowledgement(payload=None)

    run(served_loop, story)


def test_a_detector_by_socket_is_seen_as_one_by_rest(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with detector(client) as node:
            await says(node, current_model="1.0")
            (seen,) = (await client.get(f"{V1}/nodes")).json()["items"]
            assert (seen["id"], seen["kind"], seen["online"]) == ("d1", "detector", True)
            assert (seen["organization"], seen["project"]) == ("zoo", "cats")
            assert (seen["status"]["current_model"], seen["status"]["uptime"]) == ("1.0", 17)

    run(served_loop, story)


def test_the_project_of_the_headers_counts_where_the_event_names_none(
    served_loop: ServedLoop,
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        target = await deployed(client)
        async with detector(client) as node:
            assert (await says(node, "", ""))["payload"] == target

    run(served_loop, story)


def test_the_project_of_the_event_counts_where_the_headers_name_none(
    served_loop: ServedLoop,
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        target = await deployed(client)
        async with detector(client, project="") as node:
            assert (await says(node))["payload"] == target

    run(served_loop, story)


@pytest.mark.parametrize(
    ("project", "is_local"), [("zoo/cats", False), ("", False), ("zoo/dogs", True)]
)
def test_a_detector_that_may_not_report_cannot_connect(
    served_loop: ServedLoop, *, project: str, is_local: bool
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        with pytest.raises(NotConnected):
            async with detector(client, project=project, is_local=is_local):
                pass

    run(served_loop, story)


def test_a_detector_from_afar_may_connect_where_the_project_is_open(
    served_loop: ServedLoop,
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        path = f"{V1}/projects/{await project_id(client)}"
        await client.patch(path, json={"open_to_devices": True})
        async with detector(client, is_local=False) as node:
            assert (await says(node))["success"] is True

    run(served_loop, story)


def test_a_detector_may_not_report_to_a_project_that_is_closed_to_it(
    served_loop: ServedLoop,
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        path = f"{V1}/projects/{await project_id(client)}"
        await client.patch(path, json={"open_to_devices": True})
        body = {"organization": "zoo", "name": "dogs"}
        assert (await client.post(f"{V1}/projects", json=body)).is_success
        async with detector(client, is_local=False) as node:
            answer = await says(node, "zoo", "dogs")
            assert answer["success"] is False
            assert "edgeloop project open zoo/dogs" in answer["error_msg"]
            assert (await client.get(f"{V1}/nodes")).json()["items"] == []

    run(served_loop, story)


@pytest.mark.parametrize("status", [None, {"name": "no id"}, "idle"])
def test_a_status_that_cannot_be_read_is_refused_with_a_reason(
    served_loop: ServedLoop, status: Any
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with detector(client) as node:
            answer = await node.call(events.UPDATE_DETECTOR, "zoo", "cats", status)
            assert (answer["success"], bool(answer["error_msg"])) == (False, True)

    run(served_loop, story)


@pytest.mark.parametrize("kind", ["detector", "trainer"])
def test_a_connected_node_can_be_restarted(served_loop: ServedLoop, kind: str) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with connected(client, kind=kind, project="zoo/cats") as node:
            if kind == "detector":
                await says(node, id="n1")
            else:
                await node.call(events.UPDATE_TRAINER, {"id": "n1", "state": "idle"})
            answer = await client.post(f"{V1}/nodes/n1/restart")
            assert (answer.status_code, answer.json()) == (200, {})
            assert await node.commands.get() == (events.RESTART,)

    run(served_loop, story)


def test_a_node_that_is_away_cannot_be_restarted(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        assert (await client.post(f"{V1}/nodes/n1/restart")).status_code == 404

    run(served_loop, story)


def test_a_stranger_restarts_nothing(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with (
            detector(client) as node,
            httpx.AsyncClient(base_url=served_loop.url) as stranger,
        ):
            await says(node)
            assert (await stranger.post(f"{V1}/nodes/d1/restart")).status_code == 401
            assert node.commands.empty()

    run(served_loop, story)
