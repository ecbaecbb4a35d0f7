"""How SQLite finds what is asked for: some images are not looked for among all."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from edgeloop.loop.services import bulk, detections, images, novelty
from edgeloop.loop.services.bulk import BulkChange, Chosen
from edgeloop.loop.services.detections import Sighting
from edgeloop.types import Detections
from fleets import PERSON, LoopInHand, loop_in_hand

Ask = Callable[[LoopInHand, Collection[str]], Awaitable[object]]
IDS = tuple(f"00000000-0000-4000-8000-{number:012}" for number in range(50))


async def describe(loop: LoopInHand, ids: Collection[str]) -> object:
    async with loop.workspaces.read() as workspace:
        return await images.by_ids(workspace, loop.project, ids)


async def see(loop: LoopInHand, ids: Collection[str]) -> object:
    async with loop.workspaces.write() as workspace:
        seen = [Sighting(image_id, Detections(), "1.0") for image_id in ids]
        return await detections.replace_all(workspace, loop.project, seen)


async def score(loop: LoopInHand, ids: Collection[str]) -> object:
    async with loop.workspaces.write() as workspace:
        return await novelty.score(workspace, loop.project, dict.fromkeys(ids, 1.0))


async def change(loop: LoopInHand, ids: Collection[str]) -> object:
    chosen = Chosen(ids=tuple(ids))
    return await bulk.change(
        loop.workspaces, PERSON, loop.project.id, chosen=chosen, wanted=BulkChange("review")
    )


@pytest.mark.parametrize("ask", [describe, see, score, change])
def test_images_are_found_by_their_ids(tmp_path: Path, ask: Ask) -> None:
    assert not [plan for plan in plans_of(tmp_path, ask) if "project_id" in plan]


def plans_of(folder: Path, ask: Ask) -> list[str]:
    """How the images are found for all that is read from their table meanwhile."""
    asked: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        if "FROM images" in statement:
            asked.append((statement, parameters))

    async def story() -> list[str]:
        async with loop_in_hand(folder) as loop:
            event.listen(Engine, "before_cursor_execute", note)
            try:
                await ask(loop, IDS)
            finally:
                event.remove(Engine, "before_cursor_execute", note)
            async with loop.workspaces.read() as workspace:
                connection = await workspace.session.connection()
                found = []
                for statement, parameters in list(asked):
                    rows = await connection.exec_driver_sql(
                        f"EXPLAIN QUERY PLAN {statement}", parameters
                    )
                    found += [row.detail for row in rows if "images" in row.detail]
            return found

    found = asyncio.run(story())
    assert found
    return found
