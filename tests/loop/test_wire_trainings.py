"""Trainings as published clients read them."""

import asyncio

from edgeloop.loop.services import progress
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from edgeloop.types import TrainerStatus
from loops import OpenLoop

TRAININGS = f"{routes.project('zoo', 'cats')}/trainings"


def test_charts_come_newest_first_with_the_newest_model_first(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            project = await loop.project()
            client = await loop.client()
            ids = []
            for number in (1, 2):
                await client.post(f"{V1}/projects/{project['id']}/trainings", json={})
                path = routes.training_model_file("zoo", "cats", number, "mocked")
                answer = await client.put(path, files={"files": ("model.onnx", b"weights")})
                ids.append(answer.json()["id"])
            charts = (await client.get(TRAININGS)).json()["charts"]
            assert [chart["training_number"] for chart in charts] == [2, 1]
            assert [point["model_id"] for chart in charts for point in chart["data"]] == ids[::-1]
            assert [point["version"] for chart in charts for point in chart["data"]] == [
                "2.0",
                "1.0",
            ]

    asyncio.run(story())


def test_the_trainers_that_are_here_are_named(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            assert (await client.get(TRAININGS)).json() == {"charts": [], "trainers": []}
            async with loop.workspaces.write() as workspace:
                status = TrainerStatus(id="t1", name="gpu", state="idle")
                await progress.heard_from_trainer(workspace, status)
            trainers = (await client.get(TRAININGS)).json()["trainers"]
            assert trainers == [{"id": "t1", "name": "gpu", "state": "idle"}]

    asyncio.run(story())
