"""What a person does on an image with mouse and keyboard, as annotators are told."""

from dataclasses import dataclass
from typing import Literal

from edgeloop.types.categories import Category

UserEvent = Literal[
    "left_mouse_down",
    "right_mouse_down",
    "mouse_move",
    "left_mouse_up",
    "right_mouse_up",
    "key_up",
    "key_down",
]


@dataclass(frozen=True, slots=True)
class UserInput:
    """One event on an image, at whole pixels of the full image, origin at the top left.

    ``frontend_id`` names the page on which the person works: an annotator keeps a history for each.
    ``epsilon`` is how much a polygon may be simplified, in pixels.
    """

    frontend_id: str
    organization: str
    project: str
    image_id: str
    category: Category
    event: UserEvent
    x: int
    y: int
    key_up: str | None = None
    key_down: str | None = None
    epsilon: float | None = None
    is_shift_pressed: bool | None = None
