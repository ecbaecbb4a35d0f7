"""What the story is told with."""

from pathlib import Path

import pytest

from edgeloop.demo.material import FIELD_LIKE, START_LIKE, SceneCounts, drawn_material, voc_material
from edgeloop.errors import InputError
from edgeloop.formats import NamedBox, write_voc
from fakes import jpeg

COUNTS = SceneCounts(start=2, field=3, test=1)


def voc_folder(folder: Path, count: int) -> Path:
    for number in range(count):
        box = NamedBox("bolt", 1, 2, 30, 40)
        write_voc(folder, f"image{number:02d}", jpeg=jpeg(), size=(64, 48), boxes=[box])
    return folder


def test_scenes_are_drawn_for_every_part_of_the_story(tmp_path: Path) -> None:
    done: list[int] = []
    material = drawn_material(tmp_path, COUNTS, seed=1, on_progress=done.append)
    assert (len(material.start), len(material.field)) == (2, 3)
    assert {tag: len(files) for tag, files in material.test.items()} == {
        START_LIKE: 1,
        FIELD_LIKE: 1,
    }
    assert sum(done) == COUNTS.total == len(material.images)
    assert all(file.path.is_file() for file in material.images)


def test_no_image_is_drawn_twice(tmp_path: Path) -> None:
    material = drawn_material(tmp_path, COUNTS, seed=1, on_progress=lambda count: None)
    contents = [file.path.read_bytes() for file in material.images]
    assert len(set(contents)) == len(contents)


def test_the_lists_of_a_dataset_say_what_is_start_field_and_test(tmp_path: Path) -> None:
    voc_folder(tmp_path, 6)
    (tmp_path / "train.txt").write_text("image05\nimage01\nimage02\nimage03\n")
    (tmp_path / "val.txt").write_text("image00\nimage04\n")
    material = voc_material(tmp_path, start_count=2)
    assert [file.name for file in material.start] == ["image05", "image01"]
    assert [file.name for file in material.field] == ["image02", "image03"]
    assert [file.name for file in material.test[""]] == ["image00", "image04"]


def test_without_lists_a_stable_fifth_is_the_test(tmp_path: Path) -> None:
    voc_folder(tmp_path, 40)
    material = voc_material(tmp_path, start_count=10)
    assert material.test == voc_material(tmp_path, start_count=10).test
    assert 2 <= len(material.test[""]) <= 16
    assert not set(material.test[""]) & {*material.start, *material.field}


def test_a_dataset_without_a_field_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Take a larger dataset"):
        voc_material(voc_folder(tmp_path, 5), start_count=10)
