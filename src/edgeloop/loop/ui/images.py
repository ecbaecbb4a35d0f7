"""The page of a project's images, by state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends

from edgeloop.loop.services import listing, overview, projects
from edgeloop.loop.services.filters import ImageFilter
from edgeloop.loop.services.images import Image
from edgeloop.loop.services.listing import Slice
from edgeloop.loop.services.overview import Sight
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.workspace import Workspace
from edgeloop.loop.ui.frame import project_path, project_title
from edgeloop.loop.ui.pictures import legend, picture
from edgeloop.loop.ui.refusals import show_refusals
from edgeloop.loop.ui.visits import Visit, visited
from edgeloop.loop.ui.widgets import Link, Text, badge, block, empty
from edgeloop.types import Detections, ImageState

PER_PAGE = 60
_NOTHING_SEEN = Sight("", Detections())


@dataclass(frozen=True, slots=True)
class _Asked:
    """The query: images in which state, with which tag, after which cursor."""

    state: str = ""
    tag: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class _Page:
    """A page of images: what was asked, what there is, and the cursors of the pages beside."""

    project: Project
    counts: Mapping[ImageState, int]
    which: ImageFilter
    images: Sequence[Image]
    sights: Mapping[str, Sight]
    has_previous: bool = False
    previous: str | None = None
    next: str | None = None

    @property
    def tag(self) -> str:
        """The tag that was asked for, if any."""
        return next(iter(self.which.tags), "")

    def path(self, **query: str | None) -> str:
        """This page with another query."""
        wanted = {name: value for name, value in query.items() if value}
        path = project_path(self.project.organization, self.project.name)
        return f"{path}?{urlencode(wanted)}" if wanted else path


@visited("/projects/{organization}/{name}", title="Images")
async def images_page(
    visit: Visit, organization: str, name: str, asked: Annotated[_Asked, Depends()]
) -> None:
    """Images in one state, oldest first; in the inbox with what was detected in them."""
    async with visit.read() as workspace:
        project = await projects.by_names(workspace, organization, name=name)
        counts = (await projects.image_counts(workspace, [project.id]))[project.id]
        which = ImageFilter(_state(asked.state, counts), tags=(asked.tag,) if asked.tag else ())
        page = _Page(project, counts, which, (), {})
        page = await _load(workspace, page, after=asked.after or None)
        refused = workspace.refusals.of(project.address, now=visit.now)
    total = sum(counts.values()) - counts["trash"]
    figures = {"Images": total, "Trainings": None, "Models": None}
    project_title(organization, name, place="Images", figures=figures)
    show_refusals(refused, now=visit.now)
    _states(page)
    if not page.images:
        _say_why_empty(page)
        return
    with block("el-grid"):
        for image in page.images:
            _card(page, image)
    _pager(page)


async def _load(workspace: Workspace, page: _Page, *, after: str | None) -> _Page:
    wanted = Slice(page.which, limit=PER_PAGE + 1, after=after)
    found = await listing.page(workspace, page.project, wanted)
    shown = found[:PER_PAGE]
    is_inbox = page.which.state == "inbox"
    ids = [image.record.id for image in shown] if is_inbox else []
    previous = None
    if after and shown:
        previous = await overview.previous_cursor(
            workspace, page.project, first=shown[0], which=page.which, limit=PER_PAGE
        )
    return _Page(
        page.project,
        page.counts,
        page.which,
        images=shown,
        sights=await overview.newest_sights(workspace, ids),
        has_previous=after is not None,
        previous=previous,
        next=listing.cursor_of(shown[-1]) if len(found) > PER_PAGE else None,
    )


def _state(wanted: str, counts: Mapping[ImageState, int]) -> ImageState:
    """The state that was asked for, else the first on their way that has images."""
    named = [state for state in counts if state == wanted]
    filled = [state for state, number in counts.items() if number]
    return [*named, *filled, "inbox"][0]


def _states(page: _Page) -> None:
    with block("el-bar-of-tools"):
        with block("el-pills", tag="nav"):
            for state, number in page.counts.items():
                is_here = "el-current" if state == page.which.state else ""
                path = page.path(state=state, tag=page.tag)
                with Link(path, classes=f"el-is-{state} {is_here}"):
                    Text(state)
                    Text(str(number), "el-count")
        if page.tag:
            path = page.path(state=page.which.state)
            Link(path, f"tag: {page.tag} ✕", "el-badge").put(title="Show all tags")
        block("el-grow")
        legend(page.project.categories)


def _say_why_empty(page: _Page) -> None:
    state = page.which.state
    if page.tag:
        empty(f"No image in {state} has the tag {page.tag}.")
    elif any(page.counts.values()):
        empty(f"No image is in {state}.")
    else:
        empty(
            "There are no images yet. A detector sends what it is unsure of; labelled images can "
            "be imported:",
            f"edgeloop import voc FOLDER --project {page.project.address}",
        )


def _card(page: _Page, image: Image) -> None:
    record = image.record
    query = urlencode({"tag": page.tag}) if page.tag else ""
    path = project_path(
        page.project.organization, page.project.name, f"images/{record.id}?{query}".rstrip("?")
    )
    sight = page.sights.get(record.id, _NOTHING_SEEN)
    with Link(path, classes="el-image"):
        picture(image, page.project.categories, detections=sight.detections)
        with block("el-caption"):
            Text(image.camera_id or record.source or f"{image.received:%m-%d %H:%M}", "el-cut")
            badge(record.split)
            if record.tags:
                with block("el-tags"):
                    for tag in record.tags:
                        Text(tag, "el-tag el-cut")


def _pager(page: _Page) -> None:
    if not page.has_previous and page.next is None:
        return
    state, tag = page.which.state, page.tag
    with block("el-pager", tag="nav"):
        if page.has_previous:
            Link(page.path(state=state, tag=tag), "First", "el-button el-quiet")
            path = page.path(state=state, tag=tag, after=page.previous)
            Link(path, "← Previous", "el-button el-quiet")
        block("el-grow")
        if page.next:
            path = page.path(state=state, tag=tag, after=page.next)
            Link(path, "Next →", "el-button el-quiet")
