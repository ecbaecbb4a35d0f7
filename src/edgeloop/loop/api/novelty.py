"""Novelty scores, as a script outside computes them from what a model saw."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import FiniteFloat

from edgeloop.loop.api.admitting import admitting
from edgeloop.loop.api.context import Asking, Context
from edgeloop.loop.api.published import TakenImages, told
from edgeloop.loop.services import novelty, projects
from edgeloop.loop.services.access import Right
from edgeloop.protocol.routes import API

_SCORES = {"6f1c0a4e-8f0b-4f0e-9a56-1d3f0a3c7b11": 0.21}


async def _may_annotate(asking: Context, path: Mapping[str, str]) -> None:
    async with asking.read() as workspace:
        await projects.by_names(
            workspace, path["organization"], name=path["name"], right=Right.ANNOTATE
        )


clients = APIRouter(route_class=admitting(_may_annotate))
"""Routes below an organization: registered after all fixed paths."""


@clients.put(f"{API}/{{organization}}/projects/{{name}}/images/novelty_scores", **told(TakenImages))
async def put_scores(
    asking: Asking,
    organization: str,
    name: str,
    body: Annotated[dict[str, FiniteFloat], Body(examples=[_SCORES])],
) -> dict[str, int]:
    """Keep how novel images are, by image id."""
    async with asking.write() as workspace:
        project = await projects.by_names(workspace, organization, name=name, right=Right.ANNOTATE)
        return {"images": await novelty.score(workspace, project, body)}
