"""Pascal VOC in and out."""

from pathlib import Path

import pytest

from edgeloop.errors import InputError
from edgeloop.formats import NamedBox, read_voc, write_voc
from fakes import jpeg

BOX = NamedBox("bolt", 1, 2, 30, 40)


def dataset(folder: Path, names: tuple[str, ...] = ("a", "b")) -> Path:
    for name in names:
        write_voc(folder, name, jpeg=jpeg(), size=(64, 48), boxes=[BOX])
    return folder


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    found = read_voc(dataset(tmp_path))
    assert [image.name for image in found.images] == ["a", "b"]
    assert found.images[0].boxes == (BOX,)
    assert found.categories == ("bolt",)
    assert found.faults == ()


def test_lists_name_the_split_and_the_order(tmp_path: Path) -> None:
    dataset(tmp_path, ("a", "b", "c"))
    (tmp_path / "train.txt").write_text("c\na\n")
    (tmp_path / "val.txt").write_text("b 1\n")
    found = read_voc(tmp_path)
    assert [image.name for image in found.split("train")] == ["c", "a"]
    assert [image.name for image in found.split("val")] == ["b"]


def test_a_list_may_name_files_in_another_encoding(tmp_path: Path) -> None:
    (dataset(tmp_path) / "val.txt").write_bytes(b"stra\xdfe\na\n")
    assert [image.name for image in read_voc(tmp_path).split("val")] == ["a"]


def test_the_original_folder_names_are_understood(tmp_path: Path) -> None:
    dataset(tmp_path)
    (tmp_path / "images").rename(tmp_path / "JPEGImages")
    (tmp_path / "annotations").rename(tmp_path / "Annotations")
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    (tmp_path / "ImageSets" / "Main" / "test.txt").write_text("a")
    assert read_voc(tmp_path).images[0].split == "test"


def test_a_box_without_area_is_left_out_and_named(tmp_path: Path) -> None:
    write_voc(tmp_path, "a", jpeg=jpeg(), size=(64, 48), boxes=[BOX, NamedBox("nut", 5, 5, 0, 0)])
    found = read_voc(tmp_path)
    assert found.images[0].boxes == (BOX,)
    assert found.faults == ("a.xml: box 2 (nut) has no area.",)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("<annotation><object><name>x</name></object></annotation>", "lacks a corner"),
        ("<annotation><object/></annotation>", "has no name"),
        (
            "<annotation><object><name>x</name><bndbox><xmin>1</xmin><ymin>1</ymin>"
            "<xmax>inf</xmax><ymax>9</ymax></bndbox></object></annotation>",
            "no number",
        ),
    ],
)
def test_an_incomplete_box_is_left_out_and_named(tmp_path: Path, content: str, fault: str) -> None:
    dataset(tmp_path)
    (tmp_path / "annotations" / "b.xml").write_text(content)
    assert fault in read_voc(tmp_path).faults[0]


def test_an_image_with_broken_xml_is_left_out_and_named(tmp_path: Path) -> None:
    dataset(tmp_path)
    (tmp_path / "annotations" / "b.xml").write_text("<annotation>")
    found = read_voc(tmp_path)
    assert [image.name for image in found.images] == ["a"]
    assert "not readable as XML" in found.faults[0]


def test_an_xml_bomb_is_refused(tmp_path: Path) -> None:
    dataset(tmp_path)
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><annotation>&b;</annotation>'
    (tmp_path / "annotations" / "b.xml").write_text(bomb)
    assert "not readable as XML" in read_voc(tmp_path).faults[0]


def test_an_image_without_xml_is_left_out_and_named(tmp_path: Path) -> None:
    dataset(tmp_path)
    (tmp_path / "annotations" / "b.xml").unlink()
    assert "there is no b.xml" in read_voc(tmp_path).faults[0]


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no JPEG images"):
        read_voc(tmp_path)


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder"):
        read_voc(tmp_path / "nowhere")


def test_a_folder_where_nothing_is_labelled_is_refused(tmp_path: Path) -> None:
    write_voc(tmp_path, "a", jpeg=jpeg(), size=(64, 48), boxes=[])
    with pytest.raises(InputError, match="None of the 1 images"):
        read_voc(tmp_path)
