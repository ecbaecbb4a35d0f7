"""Many images at once: changed, or deleted for good."""

from typing import Annotated, Any, Self

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator

from edgeloop.client.calls.image_records import BulkOutcome
from edgeloop.loop.api.context import Asking, Context
from edgeloop.loop.api.documented import answers
from edgeloop.loop.api.filters import FilterQuery
from edgeloop.loop.services import bulk, projects
from edgeloop.loop.services.bulk import BulkChange, Chosen, Outcome
from edgeloop.protocol.payloads.parsing import shown
from edgeloop.protocol.routes import V1
from edgeloop.types import ImageState, Split

router = APIRouter()
MAX_IDS = 10_000
Tag = Annotated[str, Field(min_length=1, max_length=200)]


class ChosenBody(BaseModel):
    """Images by their ids, or by a filter with the number of images that one saw it find."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[
        list[str] | None,
        Field(max_length=MAX_IDS, examples=[["6f1c0a4e-8f0b-4f0e-9a56-1d3f0a3c7b11"]]),
    ] = None
    filter: Annotated[FilterQuery | None, Field(examples=[None])] = None
    expected_count: Annotated[int | None, Field(ge=0, examples=[None])] = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("give either ids or filter")
        if self.filter is not None and self.expected_count is None:
            raise ValueError("a filter takes expected_count: how many images it finds")
        return self

    async def chosen(self, asking: Context, project_id: str) -> Chosen:
        """The choice as a value; raises Unprocessable for a category the project lacks."""
        if self.filter is None:
            return Chosen(tuple(self.ids or ()), expected=self.expected_count)
        async with asking.read() as workspace:
            project = await projects.by_id(workspace, project_id)
        return Chosen(None, self.filter.to_filter(project), self.expected_count)


class BulkChangeBody(ChosenBody):
    """What is to be changed of these images."""

    state: Annotated[ImageState | None, shown("review")] = None
    set: Split | None = None
    add_tags: Annotated[list[Tag], shown(["night"])] = []
    remove_tags: Annotated[list[Tag], shown(["day"])] = []

    def to_change(self) -> BulkChange:
        """The change as a value."""
        return BulkChange(self.state, self.set, tuple(self.add_tags), tuple(self.remove_tags))


@router.post(f"{V1}/projects/{{project_id}}/images/change", **answers(BulkOutcome, errors=(409,)))
async def change(asking: Asking, project_id: str, body: BulkChangeBody) -> dict[str, Any]:
    """Change the state, set or tags of many images.

    A few are changed at a time: after a failure some may be, and it can be repeated.
    """
    outcome = await bulk.change(
        asking.parts.workspaces,
        asking.caller,
        project_id,
        chosen=await body.chosen(asking, project_id),
        wanted=body.to_change(),
    )
    return _to_json(outcome)


@router.post(f"{V1}/projects/{{project_id}}/images/delete", **answers(BulkOutcome, errors=(409,)))
async def delete(asking: Asking, project_id: str, body: ChosenBody) -> dict[str, Any]:
    """Delete many images for good.

    Their frames stay known: a device that sends one again is told that it was stored.
    """
    outcome = await bulk.remove(
        asking.parts.workspaces,
        asking.caller,
        project_id,
        chosen=await body.chosen(asking, project_id),
    )
    return _to_json(outcome)


def _to_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "changed": outcome.changed,
        "unchanged": outcome.unchanged,
        "missing": list(outcome.missing),
    }
