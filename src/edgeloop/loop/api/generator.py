"""The project generator for the test suites of published clients; not for a loop with data."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field

from edgeloop.loop.api.context import Asking
from edgeloop.loop.services import access, generator
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.drawings import Style
from edgeloop.loop.services.generator import Plan
from edgeloop.protocol.payloads.parsing import Payload
from edgeloop.protocol.routes import API

router = APIRouter()

Count = Annotated[int, Field(ge=0, le=1000)]
Few = Annotated[int, Field(ge=0, le=50)]


class PlanBody(Payload):
    """What the test suites ask for; other keys of older ones are ignored."""

    project_name: str
    inbox: Count = 0
    annotate: Count = 0
    review: Count = 0
    complete: Count = 0
    image_style: Style = "plain"
    box_categories: Few = 0
    point_categories: Few = 0
    segmentation_categories: Few = 0
    classification_categories: Few = 0
    tags: Count = 0
    trainings: Few = 0
    box_detections: Few = 3
    box_annotations: Few = 3

    def to_plan(self, organization: str) -> Plan:
        """The plan as a value."""
        return Plan(
            organization,
            self.project_name,
            images={
                "inbox": self.inbox,
                "annotate": self.annotate,
                "review": self.review,
                "complete": self.complete,
            },
            categories={
                "box": self.box_categories,
                "point": self.point_categories,
                "segmentation": self.segmentation_categories,
                "classification": self.classification_categories,
            },
            style=self.image_style,
            tags=self.tags,
            trainings=self.trainings,
            detections=self.box_detections,
            annotations=self.box_annotations,
        )


@router.post(f"{API}/{{organization}}/projects/generator")
async def generate(
    asking: Asking, request: Request, organization: str, body: PlanBody
) -> dict[str, Any]:
    """Make a project with drawn images, categories, trainings and models."""
    access.check(asking.caller, Right.ADMINISTER)
    uri = str(request.base_url).rstrip("/")
    plan = body.to_plan(organization)
    project = await generator.generate(asking.parts.workspaces, asking.caller, plan, loop_uri=uri)
    return {"project_id": project.name, "organization_id": project.organization}
