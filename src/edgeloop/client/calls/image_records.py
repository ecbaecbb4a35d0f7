"""What the loop tells people and programs of images and their annotations."""

from typing import Annotated

from edgeloop.protocol.payloads.annotations import AnnotationsPayload
from edgeloop.protocol.payloads.images import ImageRecordPayload
from edgeloop.protocol.payloads.parsing import Moment, Payload, Text, Uuid, shown
from edgeloop.types import Annotations


class ImageDetails(ImageRecordPayload):
    """An image with all that the loop knows of it.

    ``confidence`` is the highest of what was detected last, or by the model that was asked for.
    """

    annotation_version: Annotated[int, shown(3)] = 0
    received: Moment
    camera_id: Annotated[Text, shown("left")] = ""
    size_bytes: Annotated[int, shown(61440)] = 0
    confidence: Annotated[float | None, shown(0.83)] = None
    novelty: Annotated[float | None, shown(0.21)] = None

    @property
    def annotations(self) -> Annotations:
        """What people say is in it."""
        return self.to_annotations()


class UploadReceipt(Payload):
    """Where an uploaded image is; ``repeated``: the loop had its frame already."""

    id: Uuid
    frame_id: Annotated[str, shown("cell-1-000042")]
    repeated: bool


class ImageCount(Payload):
    """How many images are meant."""

    count: Annotated[int, shown(42)]


class ImageFacets(Payload):
    """How many images there are of each kind; images without a source count as ``""``."""

    states: Annotated[dict[str, int], shown({"inbox": 30, "complete": 12})]
    sets: Annotated[dict[str, int], shown({"train": 34, "test": 8})]
    tags: Annotated[dict[str, int], shown({"night": 12})]
    sources: Annotated[dict[str, int], shown({"belt 3": 42})]
    cameras: Annotated[dict[str, int], shown({"left": 20, "right": 22})]
    model_versions: Annotated[dict[str, int], shown({"1.0": 42})]


class BulkOutcome(Payload):
    """What became of many images: how many were changed (or deleted), how many needed no change.

    ``missing`` are the ids of which the project has no image.
    """

    changed: Annotated[int, shown(41)]
    unchanged: Annotated[int, shown(1)]
    missing: Annotated[list[str], shown([])]


class ImageAnnotations(AnnotationsPayload):
    """What people say is in an image, and in which version."""

    version: Annotated[int, shown(3)]


class AnnotationVersion(AnnotationsPayload):
    """One version of an image's annotations, and who made it when."""

    version: Annotated[int, shown(2)]
    author: Annotated[str, shown("ada")]
    created: Moment
