"""Novelty scores come from outside."""

import asyncio
import json
from typing import Any

import pytest

from edgeloop.loop.db.tables import ImageRow
from edgeloop.protocol import routes
from loops import LoopInProcess, OpenLoop
from uploading import pair, receipts

SCORES = f"{routes.images('zoo', 'cats')}/novelty_scores"


async def score_of(loop: LoopInProcess, image_id: str) -> float | None:
    """The score that is kept of an image."""
    async with loop.workspaces.read() as workspace:
        return (await workspace.session.get_one(ImageRow, image_id)).novelty


def test_scores_are_kept_with_the_images_and_replaced(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            ids = [r["id"] for r in await receipts(client, [*pair(1), *pair(2), *pair(3)])]
            for first, second in ((1, 2.5), (0, 99.9)):
                scores = {ids[0]: first, ids[1]: second, "unknown": 3}
                answer = await client.put(SCORES, json=scores)
                assert (answer.status_code, answer.json()) == (200, {"images": 2})
                assert [await score_of(loop, id_) for id_ in ids] == [first, second, None]

    asyncio.run(story())


def test_images_of_other_projects_get_no_score(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            await loop.project(name="dogs")
            client = await loop.client()
            (receipt,) = await receipts(client, pair())
            path = f"{routes.images('zoo', 'dogs')}/novelty_scores"
            answer = await client.put(path, json={receipt["id"]: 1})
            assert (answer.status_code, answer.json()) == (200, {"images": 0})
            assert await score_of(loop, receipt["id"]) is None

    asyncio.run(story())


@pytest.mark.parametrize("body", [[], {"a": "much"}, {"a": None}, {"a": float("nan")}])
def test_what_is_no_score_is_refused(open_loop: OpenLoop, body: Any) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            answer = await client.put(
                SCORES, content=json.dumps(body), headers={"content-type": "application/json"}
            )
            assert answer.status_code == 422

    asyncio.run(story())


def test_many_scores_come_at_once(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            (receipt,) = await receipts(client, pair())
            scores = {f"unknown {number}": 1.0 for number in range(2000)} | {receipt["id"]: 7.0}
            assert (await client.put(SCORES, json=scores)).json() == {"images": 1}
            assert await score_of(loop, receipt["id"]) == 7

    asyncio.run(story())


def test_a_device_gives_no_scores(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project(open_to_devices=True)
            assert (await (await loop.device()).put(SCORES, json={})).status_code == 403

    asyncio.run(story())
