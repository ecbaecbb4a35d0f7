"""What can be seen: the categories of a project."""

from dataclasses import dataclass
from typing import Literal

CategoryType = Literal["box", "point", "segmentation", "classification"]


DEFAULT_COLOR = "#00A0E0"


@dataclass(frozen=True, slots=True)
class Category:
    """One kind of thing, found as a box, a point, a segmentation or a whole-image class."""

    id: str
    name: str
    type: CategoryType = "box"
    color: str = DEFAULT_COLOR
    description: str = ""
    hotkey: str = ""
    point_size: int | None = None
