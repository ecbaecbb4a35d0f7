"""Categories on the wire."""

from typing import Annotated, Any

from edgeloop.protocol.payloads.parsing import Payload, Text, Uuid, shown
from edgeloop.types import DEFAULT_COLOR, Category, CategoryType


class CategoryPayload(Payload):
    """``{id, name, description, hotkey, color, point_size, type}``."""

    id: Uuid
    name: Annotated[str, shown("cup")]
    type: CategoryType | None = None
    color: Annotated[Text, shown("#00A0E0")] = ""
    description: Text = ""
    hotkey: Text = ""
    point_size: int | None = None

    def to_type(self) -> Category:
        """The category; a missing type is a box, a missing colour the default."""
        return Category(
            id=self.id,
            name=self.name,
            type=self.type or "box",
            color=self.color or DEFAULT_COLOR,
            description=self.description,
            hotkey=self.hotkey,
            point_size=self.point_size,
        )


def category_to_json(category: Category) -> dict[str, Any]:
    """All seven keys that published clients expect."""
    return {
        "id": category.id,
        "name": category.name,
        "description": category.description,
        "hotkey": category.hotkey,
        "color": category.color,
        "point_size": category.point_size,
        "type": category.type,
    }
