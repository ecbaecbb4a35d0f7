"""Which images are meant, as lists, counts and bulk actions ask for them."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import httpx

from edgeloop.types import ImageState, Split


@dataclass(frozen=True, slots=True)
class ImageQuery:
    """Which images are meant; None: no matter which.

    ``tags``: all of these. ``category``: id or name; annotated, or detected for sure.
    ``received_to`` is not included. With ``model_version`` the images that this model has looked
    at; confidence (0..1) and category are its own then, else those of what was detected last.
    """

    state: ImageState | None = None
    split: Split | None = None
    tags: tuple[str, ...] = ()
    category: str | None = None
    camera: str | None = None
    source: str | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None
    min_confidence: float | None = None
    max_confidence: float | None = None
    model_version: str | None = None
    frame_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As bulk actions take it."""
        names = {"split": "set", "tags": "tag"}
        found: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None or value == ():
                continue
            if isinstance(value, datetime):
                value = value.isoformat()
            found[names.get(field.name, field.name)] = value
        return found

    def to_parameters(self, **more: str | None) -> httpx.QueryParams:
        """As lists and counts take it, with ``more`` parameters; those that are None are left out.

        An empty text is passed on: there are images without a camera.
        """
        given = {name: value for name, value in more.items() if value is not None}
        return httpx.QueryParams({**self.to_json(), **given})


EVERYTHING = ImageQuery()


@dataclass(frozen=True, slots=True)
class Chosen:
    """Images by their ids; or, without ids, those of a query, of which ``expected`` were seen."""

    ids: tuple[str, ...] | None = None
    query: ImageQuery = EVERYTHING
    expected: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As bulk actions take it."""
        if self.ids is not None:
            return {"ids": list(self.ids)}
        return {"filter": self.query.to_json(), "expected_count": self.expected}


@dataclass(frozen=True, slots=True)
class ImageChange:
    """What is to be changed of images; None, or no tag: nothing."""

    state: ImageState | None = None
    split: Split | None = None
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As bulk actions take it."""
        return {
            "state": self.state,
            "set": self.split,
            "add_tags": list(self.add_tags),
            "remove_tags": list(self.remove_tags),
        }
