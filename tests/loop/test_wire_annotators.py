"""Annotators: they report, are told what people do, and send polygons meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from edgeloop.protocol import events
from edgeloop.protocol.payloads.nodes import acknowledgement
from edgeloop.protocol.routes import V1
from loops import ServedLoop
from sockets import Node, connected, run
from uploading import pair, receipts

STATUS = {
    "id": "a1",
    "name": "segmenter",
    "state": "online",
    "uptime": 0,
    "errors": {},
    "capabilities": ["segmentation"],
}
TRIANGLE = [{"x": 1, "y": 1}, {"x": 20, "y": 1}, {"x": 1, "y": 20}]
SQUARE = [*TRIANGLE[:2], {"x": 20, "y": 20}, TRIANGLE[2]]


class Annotator(Node):
    """An annotator that sends a polygon before it answers, if it was given one."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.socket = node.socket
        self.made: dict[str, Any] | None = None
        self.acknowledged: Any = None
        self.socket.on("*", self._hear)

    async def _hear(self, event: str, *arguments: Any) -> Any:
        if self.made is not None:
            self.acknowledged = await self.call(
                events.UPDATE_SEGMENTATION_ANNOTATION, "zoo", "cats", self.made
            )
        return await super()._hear(event, *arguments)


@contextlib.asynccontextmanager
async def annotator(client: httpx.AsyncClient) -> AsyncIterator[Annotator]:
    """An annotator that has reported."""
    async with connected(client, kind="annotation_node") as node:
        answer = await node.call(events.UPDATE_ANNOTATION_NODE, STATUS)
        assert answer == acknowledgement()
        yield Annotator(node)


async def image_in(client: httpx.AsyncClient) -> tuple[str, str]:
    """An image of zoo/cats, and its category."""
    (project,) = (await client.get(f"{V1}/projects")).json()["items"]
    (receipt,) = await receipts(client, pair())
    return receipt["id"], project["categories"][0]["id"]


async def gesture(client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    """A click of the left button at (3, 4)."""
    body = {"frontend_id": "page-1", "event": "left_mouse_up", "x": 3, "y": 4, **fields}
    return await client.post(f"{V1}/nodes/a1/user_input", json=body)


async def polygons(client: httpx.AsyncClient, image_id: str) -> list[tuple[str, Any]]:
    """The ids and corners of the segmentations of an image."""
    image = (await client.get(f"{V1}/images/{image_id}")).json()
    return [(s.get("id"), s["shape"]["points"]) for s in image["segmentation_annotations"]]


def test_an_annotator_is_seen_among_the_nodes(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with annotator(client):
            (seen,) = (await client.get(f"{V1}/nodes")).json()["items"]
            assert (seen["id"], seen["kind"], seen["name"]) == ("a1", "annotator", "segmenter")
            assert (seen["online"], seen["status"]) == (True, STATUS)

    run(served_loop, story)


def test_a_click_reaches_the_annotator_as_published_ones_read_it(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        image_id, category_id = await image_in(client)
        async with annotator(client) as node:
            node.answer = acknowledgement(payload="<svg/>")
            answer = await gesture(client, image_id=image_id, category_id=category_id, epsilon=0.5)
            assert (answer.status_code, answer.json()) == (200, {"svg": "<svg/>"})
            event, given = await node.commands.get()
            category = given["data"].pop("category")
            assert (event, given) == (
                events.HANDLE_USER_INPUT,
                {
                    "frontend_id": "page-1",
                    "data": {
                        "coordinate": {"x": 3, "y": 4},
                        "event_type": "left_mouse_up",
                        "context": {"organization": "zoo", "project": "cats"},
                        "image_uuid": image_id,
                        "key_up": None,
                        "key_down": None,
                        "epsilon": 0.5,
                        "is_shift_key_pressed": None,
                    },
                },
            )
            assert (category["id"], category["name"], category["type"]) == (
                category_id,
                "cat",
                "box",
            )

    run(served_loop, story)


def test_a_polygon_is_kept_while_the_answer_to_the_click_is_awaited(
    served_loop: ServedLoop,
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        image_id, category_id = await image_in(client)
        ids = {"image_id": image_id, "category_id": category_id}
        async with annotator(client) as node:
            node.answer = acknowledgement(payload="<svg/>")
            node.made = {"id": "s1", "shape": {"points": TRIANGLE}, **ids}
            assert (await gesture(client, **ids)).json() == {"svg": "<svg/>"}
            assert node.acknowledged == acknowledgement()
            assert await polygons(client, image_id) == [("s1", TRIANGLE)]

    run(served_loop, story)


def test_a_polygon_replaces_the_one_with_its_id_and_no_other(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        image_id, category_id = await image_in(client)
        async with annotator(client) as node:

            async def make(name: str, points: list[dict[str, int]]) -> None:
                ids = {"id": name, "image_id": image_id, "category_id": category_id}
                made = {**ids, "shape": {"points": points}}
                answer = await node.call(events.UPDATE_SEGMENTATION_ANNOTATION, "zoo", "cats", made)
                assert answer == acknowledgement()

            for name, points in (("s1", TRIANGLE), ("s2", TRIANGLE), ("s1", SQUARE)):
                await make(name, points)
            assert await polygons(client, image_id) == [("s2", TRIANGLE), ("s1", SQUARE)]
            await make("s2", TRIANGLE[:1])
            await make("s3", [])
            assert await polygons(client, image_id) == [("s1", SQUARE)]

    run(served_loop, story)


def test_a_polygon_leaves_other_annotations_as_they_are(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        image_id, category_id = await image_in(client)
        box = {"category_id": category_id, "x": 1, "y": 2, "width": 3, "height": 4}
        await client.put(f"{V1}/images/{image_id}/annotations", json={"box_annotations": [box]})
        ids = {"id": "s1", "image_id": image_id, "category_id": category_id}
        async with annotator(client) as node:
            made = {**ids, "shape": {"points": TRIANGLE}}
            await node.call(events.UPDATE_SEGMENTATION_ANNOTATION, "zoo", "cats", made)
        image = (await client.get(f"{V1}/images/{image_id}")).json()
        assert (image["box_annotations"], image["annotation_version"]) == ([box], 2)

    run(served_loop, story)


@pytest.mark.parametrize(
    ("project", "fields"),
    [
        ("cats", {"image_id": "unknown"}),
        ("cats", {"category_id": "unknown"}),
        ("dogs", {}),
        ("cats", {"shape": None}),
    ],
)
def test_a_polygon_that_cannot_be_kept_is_refused_with_a_reason(
    served_loop: ServedLoop, project: str, fields: dict[str, Any]
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        image_id, category_id = await image_in(client)
        ids = {"id": "s1", "image_id": image_id, "category_id": category_id}
        async with annotator(client) as node:
            made = {**ids, "shape": {"points": TRIANGLE}, **fields}
            answer = await node.call(events.UPDATE_SEGMENTATION_ANNOTATION, "zoo", project, made)
            assert (answer["success"], bool(answer["error_msg"])) == (False, True)
            assert await polygons(client, image_id) == []

    run(served_loop, story)


def test_a_detector_without_a_login_makes_no_polygons(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        image_id, category_id = await image_in(client)
        async with connected(client, kind="detector", cookie="", project="zoo/cats") as node:
            made = {"image_id": image_id, "category_id": category_id, "shape": "1,1,9,1,9,9"}
            answer = await node.call(events.UPDATE_SEGMENTATION_ANNOTATION, "zoo", "cats", made)
            assert answer["success"] is False
            assert await polygons(client, image_id) == []

    run(served_loop, story)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (acknowledgement(payload=""), 200),
        (acknowledgement(payload=None), 200),
        (acknowledgement(success=False, error="no such image"), 400),
        (None, 422),
    ],
)
def test_what_the_annotator_says_to_a_click_is_passed_on(
    served_loop: ServedLoop, answer: Any, status: int
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        image_id, category_id = await image_in(client)
        async with annotator(client) as node:
            node.answer = answer
            said = await gesture(client, image_id=image_id, category_id=category_id)
            assert said.status_code == status
            if status == 200:
                assert said.json() == {"svg": ""}

    run(served_loop, story)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"image_id": "unknown"}, 404),
        ({"category_id": "unknown"}, 422),
        ({"x": 1.5}, 422),
        ({"event": "wink"}, 422),
    ],
)
def test_a_click_that_makes_no_sense_does_not_reach_the_annotator(
    served_loop: ServedLoop, fields: dict[str, Any], status: int
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        image_id, category_id = await image_in(client)
        async with annotator(client) as node:
            ids = {"image_id": image_id, "category_id": category_id}
            assert (await gesture(client, **{**ids, **fields})).status_code == status
            assert node.commands.empty()

    run(served_loop, story)


def test_a_click_for_an_annotator_that_is_away_is_not_found(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        image_id, category_id = await image_in(client)
        answer = await gesture(client, image_id=image_id, category_id=category_id)
        assert answer.status_code == 404

    run(served_loop, story)


def test_an_annotator_is_told_that_a_page_was_closed(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with annotator(client) as node:
            body = {"frontend_id": "page-1"}
            answer = await client.post(f"{V1}/nodes/a1/user_logout", json=body)
            assert (answer.status_code, answer.json()) == (200, {})
            assert await node.commands.get() == (events.USER_LOGOUT, "page-1")

    run(served_loop, story)


def test_reports_of_an_annotator_go_on_while_it_thinks_about_a_click(
    served_loop: ServedLoop,
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        image_id, category_id = await image_in(client)
        async with annotator(client) as node:
            node.answer = acknowledgement(payload="<svg/>")
            clicks = [gesture(client, image_id=image_id, category_id=category_id) for _ in range(3)]
            reports = [node.call(events.UPDATE_ANNOTATION_NODE, STATUS) for _ in range(3)]
            answers = await asyncio.gather(*clicks, *reports)
            assert {answer.status_code for answer in answers[:3]} == {200}
            assert answers[3:] == [acknowledgement()] * 3

    run(served_loop, story)
