"""Pascal VOC: a folder of JPEGs, a folder of XML files, and lists of names for the splits.

Layouts: ``images`` + ``annotations`` (or ``JPEGImages`` + ``Annotations``), or all files in one
folder; ``train.txt``, ``val.txt``, ``test.txt`` beside them (or in ``ImageSets/Main``).
"""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args
from xml.etree.ElementTree import Element, ElementTree, ParseError, SubElement

from defusedxml import ElementTree as SafeElementTree
from defusedxml.common import DefusedXmlException

from edgeloop.errors import InputError
from edgeloop.formats.labelled import LabelledFile, LabelledFolder, NamedBox
from edgeloop.types import Split

_IMAGE_FOLDERS = ("images", "JPEGImages", ".")
_XML_FOLDERS = ("annotations", "Annotations", ".")
_LIST_FOLDERS = (".", "ImageSets/Main")
_SUFFIXES = frozenset({".jpg", ".jpeg"})


def read_voc(folder: Path) -> LabelledFolder:
    """Read all images that have an XML file; raises InputError where there is nothing to read.

    A box's corner is (xmin, ymin), its size the difference to (xmax, ymax). Boxes without a size,
    unreadable XML and images without one are left out and named in ``faults``.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: name the folder of a Pascal VOC dataset.")
    images = {path.stem: path for path in _images(folder)}
    if not images:
        raise InputError(f"{folder} has no JPEG images (in images/, JPEGImages/ or itself).")
    splits, order = _splits(folder)
    faults: list[str] = []
    files: list[LabelledFile] = []
    for name in sorted(images, key=lambda stem: (order.get(stem, len(order)), stem)):
        try:
            boxes = tuple(_boxes(_annotation_file(folder, name), faults))
        except InputError as error:
            faults.append(str(error))
            continue
        files.append(LabelledFile(name, images[name], boxes, splits.get(name)))
    if not any(file.boxes for file in files):
        raise InputError(_nothing_labelled(folder, len(images), faults))
    return LabelledFolder(folder, tuple(files), tuple(faults))


def write_voc(
    folder: Path, name: str, *, jpeg: bytes, size: tuple[int, int], boxes: Iterable[NamedBox]
) -> None:
    """Add one image of ``size`` (width, height) and its boxes to a dataset in ``folder``."""
    for part in ("images", "annotations"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "images" / f"{name}.jpg").write_bytes(jpeg)
    root = Element("annotation")
    SubElement(root, "filename").text = f"{name}.jpg"
    _add_numbers(SubElement(root, "size"), width=size[0], height=size[1], depth=3)
    for box in boxes:
        item = SubElement(root, "object")
        SubElement(item, "name").text = box.category
        _add_numbers(
            SubElement(item, "bndbox"),
            xmin=box.x,
            ymin=box.y,
            xmax=box.x + box.width,
            ymax=box.y + box.height,
        )
    ElementTree(root).write(folder / "annotations" / f"{name}.xml")


def _images(folder: Path) -> Iterator[Path]:
    for part in _IMAGE_FOLDERS:
        found = [path for path in (folder / part).glob("*") if path.suffix.lower() in _SUFFIXES]
        if found:
            return iter(found)
    return iter(())


def _annotation_file(folder: Path, name: str) -> Path:
    for part in _XML_FOLDERS:
        path = folder / part / f"{name}.xml"
        if path.is_file():
            return path
    raise InputError(f"{name}: there is no {name}.xml, so nobody knows what the image shows.")


def _splits(folder: Path) -> tuple[dict[str, Split], dict[str, int]]:
    splits: dict[str, Split] = {}
    for part in _LIST_FOLDERS:
        for split in get_args(Split):
            path = folder / part / f"{split}.txt"
            if path.is_file():
                # Undecodable bytes stand for what they stand for in the names of files.
                for line in path.read_text("utf-8", "surrogateescape").splitlines():
                    if words := line.split():
                        splits.setdefault(words[0], split)
    return splits, {name: place for place, name in enumerate(splits)}


def _boxes(path: Path, faults: list[str]) -> Iterator[NamedBox]:
    try:
        root = SafeElementTree.fromstring(path.read_bytes())
    except (ParseError, DefusedXmlException, OSError) as error:
        raise InputError(f"{path.name}: not readable as XML ({error}).") from error
    for number, item in enumerate(root.iter("object"), start=1):
        try:
            yield _box(item)
        except InputError as error:
            faults.append(f"{path.name}: box {number} {error}.")


def _box(item: Element) -> NamedBox:
    name = (item.findtext("name") or "").strip()
    if not name:
        raise InputError("has no name")
    try:
        left, top, right, bottom = (
            float(item.findtext(f"bndbox/{key}") or "missing")
            for key in ("xmin", "ymin", "xmax", "ymax")
        )
    except ValueError as error:
        raise InputError("lacks a corner or has one that is no number") from error
    if not all(map(math.isfinite, (left, top, right, bottom))):
        raise InputError("lacks a corner or has one that is no number")
    if not (right > left and bottom > top):
        raise InputError(f"({name}) has no area")
    return NamedBox(name, left, top, right - left, bottom - top)


def _nothing_labelled(folder: Path, count: int, faults: list[str]) -> str:
    first = f" First fault: {faults[0]}" if faults else ""
    return (
        f"None of the {count} images in {folder} has a box: "
        f"each image needs an XML file of the same name with <object> entries.{first}"
    )


def _add_numbers(parent: Element, **numbers: float) -> None:
    for key, value in numbers.items():
        SubElement(parent, key).text = f"{value:g}"
