"""The page of one image: large, with all that is known of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends

from edgeloop.loop.services import detections, images, overview, projects
from edgeloop.loop.services.filters import ImageFilter
from edgeloop.loop.services.images import Image
from edgeloop.loop.services.overview import Neighbours
from edgeloop.loop.services.projects import Project
from edgeloop.loop.ui.frame import project_path, project_title
from edgeloop.loop.ui.pictures import SHOWN_FROM, legend, picture
from edgeloop.loop.ui.visits import Visit, visited
from edgeloop.loop.ui.widgets import Link, Table, Text, badge, block, fact, moment, panel
from edgeloop.types import Annotations, Detections

_NO_MODEL = "none"
_NOTHING_SEEN = Detections()


@dataclass(frozen=True, slots=True)
class _Asked:
    """The query: the model whose detections are drawn, and the tag of the images beside."""

    model: str = ""
    tag: str = ""


@dataclass(frozen=True, slots=True)
class _View:
    """An image with what models saw in it; ``model`` is the version that is drawn, if any."""

    project: Project
    image: Image
    sights: Mapping[str, Detections]
    model: str
    beside: Neighbours
    tag: str

    @property
    def seen(self) -> Detections:
        """What is to be drawn of what was detected."""
        return self.sights.get(self.model, _NOTHING_SEEN)

    def path(self, image_id: str, **query: str) -> str:
        """The page of an image."""
        wanted = urlencode({k: v for k, v in {"tag": self.tag, **query}.items() if v})
        place = f"images/{image_id}" + (f"?{wanted}" if wanted else "")
        return project_path(self.project.organization, self.project.name, place)


@visited("/projects/{organization}/{name}/images/{image_id}", title="Image")
async def image_page(
    visit: Visit, organization: str, name: str, image_id: str, asked: Annotated[_Asked, Depends()]
) -> None:
    """One image, with what one model saw in it."""
    async with visit.read() as workspace:
        project = await projects.by_names(workspace, organization, name=name)
        image = await images.in_project(workspace, project, image_id=image_id)
        sights = await detections.of_image(workspace, image_id)
        newest = (await overview.newest_sights(workspace, [image_id])).get(image_id)
        which = ImageFilter(image.record.state, tags=(asked.tag,) if asked.tag else ())
        beside = await overview.neighbours(workspace, project, image=image, which=which)
    model = asked.model
    if not model and newest and not len(image.record.annotations):
        model = newest.model_version
    project_title(
        organization,
        name,
        place="Images",
        figures={"Images": None, "Trainings": None, "Models": None},
    )
    view = _View(project, image, sights, model, beside, asked.tag)
    _ways(view)
    with block("el-split"):
        with block("el-large"):
            picture(image, project.categories, detections=view.seen, is_large=True)
            legend(project.categories)
        with block("el-side"):
            _facts(view)
            _annotations(view)
            _detections(view)


def _ways(view: _View) -> None:
    """To the images beside, and back to all."""
    state = view.image.record.state
    project = view.project
    back = project_path(project.organization, project.name)
    query = urlencode({k: v for k, v in {"state": state, "tag": view.tag}.items() if v})
    with block("el-bar-of-tools", tag="nav"):
        Link(f"{back}?{query}", f"↑ All in {state}", "el-button el-quiet")
        block("el-grow")
        for words, image_id in (("← Previous", view.beside.previous), ("Next →", view.beside.next)):
            if image_id:
                Link(view.path(image_id), words, "el-button el-quiet")


def _facts(view: _View) -> None:
    record = view.image.record
    with panel("Image"):
        with block("el-line"):
            badge(record.state)
            badge(record.split)
            for tag in record.tags:
                project = view.project
                path = project_path(project.organization, project.name)
                query = urlencode({"state": record.state, "tag": tag})
                Link(f"{path}?{query}", tag, "el-tag")
        with block("el-facts", tag="dl"):
            fact("Source", record.source or "")
            fact("Camera", view.image.camera_id)
            fact("Received", moment(view.image.received))
            fact("Created", record.created or "")
            fact("Size", f"{record.width} x {record.height}")
            fact("Frame id", record.frame_id)


def _annotations(view: _View) -> None:
    found = view.image.record.annotations
    version = f"version {view.image.annotation_version}" if view.image.annotation_version else ""
    with panel("Annotations", aside=version):
        if not len(found):
            Text("Nobody has annotated this image.", "el-muted", tag="p")
            return
        names = {category.id: category.name for category in view.project.categories}
        table = Table("Category", "Count")
        for category_id, number in Counter(_categories_of(found)).most_common():
            with table.row() as row:
                row.text(names.get(category_id, category_id))
                row.number(number)


def _categories_of(found: Annotations) -> Sequence[str]:
    whole = [found.classification] if found.classification else []
    return [
        *(box.category_id for box in found.boxes),
        *(point.category_id for point in found.points),
        *(polygon.category_id for polygon in found.segmentations),
        *whole,
    ]


def _detections(view: _View) -> None:
    with panel("Detections", aside=f"drawn from {SHOWN_FROM} on"):
        if not view.sights:
            Text("No model has looked at this image.", "el-muted", tag="p")
            return
        with block("el-pills", tag="nav"):
            for version in (*view.sights, _NO_MODEL):
                is_here = version == (view.model if view.model in view.sights else _NO_MODEL)
                classes = "el-current" if is_here else ""
                words = "none" if version == _NO_MODEL else f"model {version or '?'}"
                Link(view.path(view.image.record.id, model=version), words, classes)
        shown = sorted(view.seen.above(SHOWN_FROM), key=lambda d: -d.confidence)
        if shown:
            table = Table("Category", "Confidence")
            for detection in shown:
                with table.row() as row:
                    row.text(detection.category_name)
                    row.number(detection.confidence, 2)
