"""Test images with the boxes of both models side by side."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from edgeloop import durable
from edgeloop.client.calls.images import image_detections, image_file
from edgeloop.demo.labelling import images_in
from edgeloop.demo.material import FIELD_LIKE
from edgeloop.demo.plan import ORGANIZATION, PROJECT
from edgeloop.demo.story import Story
from edgeloop.imaging import decode, encode_jpeg
from edgeloop.types import Annotations, BoxAnnotation, BoxDetection, ImageArray, ImageRecord

CONFIDENCE = 0.4
_ROWS, _HEIGHT_PX = 4, 320
_COLOURS = ((110, 255, 130), (255, 120, 220), (255, 210, 80), (100, 200, 255), (255, 130, 90))
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_before_and_after(story: Story, versions: tuple[str, str], *, target: Path) -> None:
    """Write a JPEG: a row per test image, the first model's boxes left, the second's right."""
    images = [
        image
        for image in images_in(story.stage, story.project, "complete")
        if image.split == "test" and (FIELD_LIKE in image.tags or not story.plan.has_parts)
    ]
    rows = [_row(story, image, versions) for image in images[:_ROWS]]
    width = max(row.shape[1] for row in rows)
    sheet = np.concatenate([_padded(row, width) for row in rows])
    durable.write_bytes(target, encode_jpeg(sheet, quality=90))


def _row(story: Story, image: ImageRecord, versions: tuple[str, str]) -> ImageArray:
    pixels = decode(story.stage.send(image_file(ORGANIZATION, PROJECT, image.id)))
    seen = story.stage.send(image_detections(image.id))
    names = [category.id for category in story.project.categories]
    panels = []
    for number, version in enumerate(versions, start=1):
        boxes = seen[version].above(CONFIDENCE).boxes if version in seen else ()
        panels.append(_panel(pixels, boxes, image.annotations, names, f"model {number}"))
    return np.concatenate(panels, axis=1)


def _panel(
    pixels: ImageArray,
    boxes: Sequence[BoxDetection],
    truth: Annotations,
    categories: Sequence[str],
    title: str,
) -> ImageArray:
    scale = _HEIGHT_PX / pixels.shape[0]
    size = (round(pixels.shape[1] * scale), _HEIGHT_PX)
    panel = cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    for box in sorted(boxes, key=lambda box: box.confidence):  # the surest on top
        colour = _COLOURS[categories.index(box.category_id) % len(_COLOURS)]
        corner = (round(box.x * scale), round(box.y * scale))
        opposite = (round((box.x + box.width) * scale), round((box.y + box.height) * scale))
        cv2.rectangle(panel, corner, opposite, colour, 2, cv2.LINE_AA)
        _write(panel, f"{box.category_name} {box.confidence:.2f}", corner, colour)
    found = _count_found(boxes, truth)
    caption = (
        f"{title}: {found} of {len(truth.boxes)} found, {len(boxes) - found} false "
        f"(confidence > {CONFIDENCE})"
    )
    bar = np.full((20, size[0], 3), 24, np.uint8)
    cv2.putText(bar, caption, (6, 14), _FONT, 0.42, (235, 235, 235), 1, cv2.LINE_AA)
    return np.concatenate([bar, panel])


def _count_found(boxes: Sequence[BoxDetection], truth: Annotations) -> int:
    open_truth = list(truth.boxes)
    for box in sorted(boxes, key=lambda box: -box.confidence):
        same = [t for t in open_truth if t.category_id == box.category_id]
        best = max(same, key=lambda t: _overlap(box, t), default=None)
        if best is not None and _overlap(box, best) >= 0.5:
            open_truth.remove(best)
    return len(truth.boxes) - len(open_truth)


def _overlap(box: BoxDetection, truth: BoxAnnotation) -> float:
    """Intersection over union."""
    width = min(box.x + box.width, truth.x + truth.width) - max(box.x, truth.x)
    height = min(box.y + box.height, truth.y + truth.height) - max(box.y, truth.y)
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / (box.width * box.height + truth.width * truth.height - shared)


def _write(panel: ImageArray, text: str, place: tuple[int, int], colour: Sequence[int]) -> None:
    x, y = max(place[0], 2), max(place[1] - 4, 10)
    cv2.putText(panel, text, (x, y), _FONT, 0.38, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(panel, text, (x, y), _FONT, 0.38, tuple(colour), 1, cv2.LINE_AA)


def _padded(row: ImageArray, width: int) -> ImageArray:
    return np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)))
