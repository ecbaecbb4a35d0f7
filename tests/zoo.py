"""A loop with the project zoo/cats and a person who works in it, for stories about images."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx

from edgeloop.protocol.routes import V1
from loops import LoopInProcess, OpenLoop
from uploading import pair, receipts

BOX = {"x": 1, "y": 2, "width": 10, "height": 12}


class Zoo:
    """A loop with the project zoo/cats and a person who works in it."""

    def __init__(self, loop: LoopInProcess, person: httpx.AsyncClient, project: Any) -> None:
        self.loop = loop
        self.person = person
        self.project = project
        self.cat: str = project["categories"][0]["id"]

    async def images(self, *states: str, **fields: Any) -> list[str]:
        """New images in these states, in this order; returns their ids."""
        ids = []
        for state in states:
            self.loop.clock.move(timedelta(seconds=1))
            seed = int(self.loop.clock().timestamp()) % 10_000
            (receipt,) = await receipts(self.person, pair(seed, state=state, **fields))
            ids.append(receipt["id"])
        return ids

    async def listed(self, query: str = "") -> dict[str, Any]:
        """A page of the project's images."""
        path = f"{V1}/projects/{self.project['id']}/images{query}"
        answer = await self.person.get(path)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page

    async def annotate(self, image_id: str, **body: Any) -> httpx.Response:
        """Change an image."""
        return await self.person.put(f"{V1}/images/{image_id}/annotations", json=body)


Story = Callable[[Zoo], Awaitable[None]]
RunStory = Callable[[Story], None]


def zoo_runner(open_loop: OpenLoop) -> RunStory:
    """Runs an async story in a zoo."""

    async def whole(story: Story) -> None:
        async with open_loop() as loop:
            project = await loop.project()
            await story(Zoo(loop, await loop.client(), project))

    return lambda story: asyncio.run(whole(story))
