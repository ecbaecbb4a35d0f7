"""Which images are asked for, in which order: the query of lists, counts and bulk actions."""

from datetime import UTC, datetime
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from edgeloop.errors import Unprocessable
from edgeloop.loop.api.paging import MAX_LIMIT
from edgeloop.loop.services.filters import ImageFilter
from edgeloop.loop.services.listing import Order, Slice, SortKey
from edgeloop.loop.services.projects import Project
from edgeloop.types import ImageState, Split


def _utc(time: datetime) -> datetime:
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)


Time = Annotated[datetime, AfterValidator(_utc)]
"""A time; UTC where it names no zone."""
Confidence = Annotated[float, Field(ge=0, le=1)]
Sort = Literal[
    "received",
    "-received",
    "created",
    "-created",
    "confidence",
    "-confidence",
    "novelty",
    "-novelty",
]


class FilterQuery(BaseModel):
    """Which images are meant: all that is given is true of them."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=(), populate_by_name=True)

    state: ImageState | None = None
    split: Annotated[Split | None, Field(alias="set")] = None
    tag: Annotated[list[str], Field(description="All of these tags.")] = []
    category: Annotated[
        str | None,
        Field(description="Id or name of a category that is annotated, or detected for sure."),
    ] = None
    camera: str | None = None
    source: str | None = None
    received_from: Time | None = None
    received_to: Annotated[Time | None, Field(description="Not included.")] = None
    min_confidence: Confidence | None = None
    max_confidence: Confidence | None = None
    model_version: Annotated[
        str | None,
        Field(description="Images that this model looked at; confidence and category are its own."),
    ] = None
    frame_id: str | None = None

    def to_filter(self, project: Project) -> ImageFilter:
        """The filter as a value; raises Unprocessable for a category the project does not have."""
        return ImageFilter(
            state=self.state,
            split=self.split,
            tags=tuple(self.tag),
            category=_category_id(project, self.category),
            camera=self.camera,
            source=self.source,
            received_from=self.received_from,
            received_to=self.received_to,
            min_confidence=self.min_confidence,
            max_confidence=self.max_confidence,
            model_version=self.model_version,
            frame_id=self.frame_id,
        )


class ListQuery(FilterQuery):
    """Which images are meant, in which order, and where the page begins."""

    sort: Annotated[Sort, Field(description="A minus: the highest or newest first.")] = "received"
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 100
    after: Annotated[str | None, Field(description="What came as next.")] = None

    @property
    def order(self) -> Order:
        """The order as a value."""
        key = self.sort.removeprefix("-")
        by = next(name for name in get_args(SortKey) if name == key)
        return Order(by, descending=self.sort.startswith("-"))

    def to_slice(self, project: Project) -> Slice:
        """The page, and one image more: so one sees whether there is another page."""
        return Slice(self.to_filter(project), self.order, limit=self.limit + 1, after=self.after)


def _category_id(project: Project, wanted: str | None) -> str | None:
    if wanted is None:
        return None
    known = project.ids_by_name
    if wanted in known.values():
        return wanted
    if wanted not in known:
        raise Unprocessable(f"category: {project.address} has no category {wanted!r}.")
    return known[wanted]
