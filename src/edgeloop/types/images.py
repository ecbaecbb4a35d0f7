"""Images on their way: a frame that a node saw, and what is known of it."""

import uuid
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from edgeloop.types.annotations import Annotations
from edgeloop.types.detections import Detections

ImageArray = npt.NDArray[np.uint8]
"""Height x width x 3, RGB, 0..255."""

ImageState = Literal["inbox", "annotate", "review", "complete", "trash"]
Split = Literal["train", "test", "val"]
UploadWish = Literal["all", "filtered", "disabled"]


def new_frame_id() -> str:
    """A fresh id for a frame whose sender gave none."""
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Frame:
    """One image as it reached a node.

    ``image`` is the encoded bytes as received (JPEG or PNG), or an array (height, width, 3) uint8
    RGB. ``id`` is unique per project; ``camera_id`` is ``""`` for the nameless camera; ``created``
    is what the caller said, kept as given. ``wish`` is the caller's: keep ``all``, what the rules
    pick, or nothing.
    """

    image: bytes | ImageArray
    id: str = field(default_factory=new_frame_id)
    camera_id: str = ""
    source: str | None = None
    tags: tuple[str, ...] = ()
    created: str | None = None
    wish: UploadWish = "filtered"


@dataclass(frozen=True, slots=True)
class ImageMetadata:
    """What travels with an image to the loop."""

    frame_id: str
    detections: Detections = Detections()
    annotations: Annotations | None = None
    tags: tuple[str, ...] = ()
    source: str | None = None
    created: str | None = None
    camera_id: str = ""
    state: ImageState | None = None
    split: Split | None = None


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An image as the loop knows it."""

    id: str
    split: Split
    width: int
    height: int
    annotations: Annotations = Annotations()
    state: ImageState = "inbox"
    frame_id: str = ""
    tags: tuple[str, ...] = ()
    source: str | None = None
    created: str | None = None
