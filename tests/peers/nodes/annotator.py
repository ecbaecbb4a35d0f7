"""An annotator as users of 0.11.1 and of 0.27.0 write it: each click makes a triangle there."""

import uuid
from typing import Any

from learning_loop_node.annotation.annotator_logic import AnnotatorLogic
from learning_loop_node.annotation.annotator_node import AnnotatorNode
from learning_loop_node.data_classes import (
    Point,
    SegmentationAnnotation,
    Shape,
    ToolOutput,
    UserInput,
)

from peers.nodes.serving import arguments, serve

CLICK = "left_mouse_up"


class Triangles(AnnotatorLogic):
    """Draws a triangle at the mouse; where a button is released it becomes an annotation."""

    async def handle_user_input(self, user_input: UserInput, history: dict[str, Any]) -> ToolOutput:
        """The triangle as SVG."""
        data = user_input.data
        x, y = data.coordinate.x, data.coordinate.y
        corners = [(x, y), (x + 10, y), (x, y + 10)]
        history["clicks"] = history.get("clicks", 0) + 1
        path = " ".join(f"{a},{b}" for a, b in corners)
        svg = f'<polygon points="{path}" data-clicks="{history["clicks"]}"/>'
        if data.event_type != CLICK:
            return ToolOutput(svg=svg)
        annotation = SegmentationAnnotation(
            id=str(uuid.uuid4()),
            shape=Shape(points=[Point(x=a, y=b) for a, b in corners]),
            image_id=data.image_uuid,
            category_id=data.category.id,
        )
        return ToolOutput(svg=svg, annotation=annotation)

    def create_empty_history(self) -> dict[str, Any]:
        """Nothing was clicked yet."""
        return {}

    def logout_user(self, sid: str) -> bool:
        """Nothing is kept of anybody."""
        return True


if __name__ == "__main__":
    said = arguments()
    serve(AnnotatorNode(said.name, Triangles(), uuid=said.uuid))
