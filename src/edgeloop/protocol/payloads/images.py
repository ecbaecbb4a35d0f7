"""Images on the wire: upload metadata of a frame, and the loop's record of an image."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, get_args

from pydantic import (
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from edgeloop.errors import InputError
from edgeloop.protocol.payloads.annotations import AnnotationsPayload, annotations_to_json
from edgeloop.protocol.payloads.detections import DetectionsPayload, detections_to_json
from edgeloop.protocol.payloads.parsing import Text, fault_said, shown
from edgeloop.types import Annotations, ImageMetadata, ImageRecord, ImageState, Split


class ImageMetadataPayload(DetectionsPayload, AnnotationsPayload):
    """What comes with an uploaded image (``frame_id``, ``camera_id``, ``set`` are our own)."""

    tags: list[str] = []
    created: str | None = None
    date: str | None = None
    source: str | None = None
    state: str | None = None
    frame_id: Text = ""
    camera_id: Text = ""
    set: str | None = None

    def to_metadata(self, ids_by_name: Mapping[str, str] | None = None) -> ImageMetadata:
        """The metadata; an unknown state or split counts as none given."""
        annotations = self.to_annotations(ids_by_name)
        return ImageMetadata(
            frame_id=self.frame_id,
            detections=self.to_detections(),
            annotations=annotations if len(annotations) else None,
            tags=tuple(self.tags),
            source=self.source,
            created=self.created or self.date,
            camera_id=self.camera_id,
            state=next((s for s in get_args(ImageState) if s == self.state), None),
            split=next((s for s in get_args(Split) if s == self.set), None),
        )


class _SentMetadata(ImageMetadataPayload):
    """Metadata of which everything is left out that cannot be read, as ``context`` is told."""

    @field_validator("*", mode="wrap")
    @classmethod
    def _what_can_be_read(
        cls, value: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        name = info.field_name or ""
        default = cls.model_fields[name].get_default()
        if value is None:
            return default
        try:
            return read(value)
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False, include_context=False)
        if info.context is not None:
            info.context.append(fault_said((name, *faults[0]["loc"]), faults[0]["msg"]))
        if not isinstance(value, list) or not faults[0]["loc"]:
            return default
        unreadable = {fault["loc"][0] for fault in faults}
        return read([item for number, item in enumerate(value) if number not in unreadable])


def read_sent_metadata(
    value: Any, ids_by_name: Mapping[str, str] | None = None
) -> tuple[ImageMetadata, Sequence[str]]:
    """JSON of an upload -> what can be read of it, and a sentence for what cannot, field by field.

    A device drops an image that is refused: one bad number is no reason. Raises InputError for what
    is no object.
    """
    if not isinstance(value, dict):
        raise InputError("The metadata is no JSON object: send {...}.")
    left_out: list[str] = []
    payload = _SentMetadata.model_validate(value, context=left_out)
    return payload.to_metadata(ids_by_name), left_out


def read_image_metadata(value: Any, ids_by_name: Mapping[str, str] | None = None) -> ImageMetadata:
    """JSON of an upload -> metadata; raises InputError."""
    return ImageMetadataPayload.read(value).to_metadata(ids_by_name)


def image_metadata_to_json(metadata: ImageMetadata) -> dict[str, Any]:
    """What a detector answers and uploads."""
    annotations = annotations_to_json(metadata.annotations or Annotations())
    return {
        **detections_to_json(metadata.detections, shapes="text"),
        **annotations,
        "tags": list(metadata.tags),
        "created": metadata.created,
        "source": metadata.source,
        "state": metadata.state,
        "frame_id": metadata.frame_id,
        "camera_id": metadata.camera_id,
        **({"set": metadata.split} if metadata.split else {}),
    }


class ImageRecordPayload(AnnotationsPayload):
    """An image as ``images?ids=`` describes it."""

    id: Annotated[str, shown("6f1c0a4e-8f0b-4f0e-9a56-1d3f0a3c7b11")]
    set: Split
    width: Annotated[int, shown(1280)]
    height: Annotated[int, shown(960)]
    state: ImageState = "inbox"
    frame_id: Annotated[Text, shown("cell-1-000042")] = ""
    tags: Annotated[list[Any], shown(["night"])] = []
    source: Annotated[str | None, shown("belt 3")] = None
    created: Annotated[str | None, shown("2026-01-02T04:04:05+01:00")] = None

    def to_record(self) -> ImageRecord:
        """The record; tags may be plain or ``{id, name}``."""
        return ImageRecord(
            id=self.id,
            split=self.set,
            width=self.width,
            height=self.height,
            annotations=self.to_annotations(),
            state=self.state,
            frame_id=self.frame_id,
            tags=tuple(tag["name"] if isinstance(tag, dict) else str(tag) for tag in self.tags),
            source=self.source,
            created=self.created,
        )


def read_image_record(value: Any) -> ImageRecord:
    """JSON -> image record; raises InputError."""
    return ImageRecordPayload.read(value).to_record()


def image_record_to_json(record: ImageRecord) -> dict[str, Any]:
    """The record with all the keys that trainers index."""
    return {
        "id": record.id,
        "set": record.split,
        "width": record.width,
        "height": record.height,
        "state": record.state,
        "frame_id": record.frame_id,
        "tags": list(record.tags),
        "source": record.source,
        "created": record.created,
        **annotations_to_json(record.annotations),
    }
