"""What people do on an image, on its way to an annotator."""

from typing import Any

from edgeloop.protocol.payloads.categories import category_to_json
from edgeloop.types import UserInput


def user_input_to_json(given: UserInput) -> dict[str, Any]:
    """What ``handle_user_input`` carries; published annotators take whole pixels only."""
    return {
        "frontend_id": given.frontend_id,
        "data": {
            "coordinate": {"x": given.x, "y": given.y},
            "event_type": given.event,
            "context": {"organization": given.organization, "project": given.project},
            "image_uuid": given.image_id,
            "category": category_to_json(given.category),
            "key_up": given.key_up,
            "key_down": given.key_down,
            "epsilon": given.epsilon,
            "is_shift_key_pressed": given.is_shift_pressed,
        },
    }
