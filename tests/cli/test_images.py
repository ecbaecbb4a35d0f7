"""``edgeloop image``: what people see and programs read."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from edgeloop.cli.main import app
from edgeloop.client import ClientSettings, LoopClient
from edgeloop.client.calls.annotations import annotate
from edgeloop.client.calls.images import upload_detections, upload_images
from edgeloop.client.calls.projects import create_project
from edgeloop.errors import Conflict, EdgeloopError, InputError
from edgeloop.loop import LoopSettings
from edgeloop.types import Annotations, BoxAnnotation, BoxDetection, Detections, ImageMetadata
from fakes import jpeg
from loops import PASSWORD, loop_served


class Shop:
    """A loop with the project o/p, and the command line beside it."""

    def __init__(self, client: LoopClient, category_id: str) -> None:
        self.client = client
        self.bolt = category_id

    def run(self, *arguments: str, said: str = "", code: int = 0) -> str:
        """Run ``edgeloop image`` and return its stdout; ``said`` is what the user types."""
        settings = self.client.settings
        login = ["--loop", settings.host, "--username", "admin", "--password", PASSWORD]
        result = CliRunner().invoke(
            app, ["image", *arguments, *login], input=said, env={"COLUMNS": "200"}
        )
        if isinstance(result.exception, EdgeloopError):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.stdout

    def json(self, *arguments: str) -> Any:
        """What programs read."""
        return json.loads(self.run(*arguments, "--json"))

    def images(self, **fields: Any) -> dict[str, str]:
        """New images with the frames a and b; their ids."""
        pairs = [
            (ImageMetadata(frame, **fields), jpeg(seed=seed)) for seed, frame in enumerate("ab")
        ]
        ids = self.client.send(upload_images("o", "p", pairs, login=True))
        return dict(zip("ab", ids, strict=True))

    def frames(self, *filters: str) -> list[str]:
        """The frames of the images that are listed."""
        return [image["frame_id"] for image in self.json("list", "o/p", *filters)]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A served loop with the project o/p that knows bolts."""
    settings = LoopSettings(data_folder=tmp_path / "loop", admin_password=SecretStr(PASSWORD))
    with loop_served(settings) as loop:
        mine = ClientSettings(host=loop.host, username="admin", password=SecretStr(PASSWORD))
        with LoopClient(mine) as client:
            project = client.send(create_project("o", "p", [{"name": "bolt"}]))
            yield Shop(client, project.category_ids()["bolt"])


def test_images_are_listed_as_a_table_and_as_json(shop: Shop) -> None:
    shop.images(tags=("night",), camera_id="left")
    table = shop.run("list", "o/p")
    assert table.count("left") == table.count("night") == 2
    found = shop.json("list", "o/p", "--sort", "-received", "--limit", "1")
    assert [image["frame_id"] for image in found] == ["b"]


@pytest.mark.parametrize(
    ("limit", "said"), [("1", "1 of 2 images; --limit shows more."), ("2", "")]
)
def test_that_there_are_more_is_said_only_where_there_are(
    shop: Shop, limit: str, said: str
) -> None:
    shop.images()
    flags = ("--loop", shop.client.settings.host, "--username", "admin", "--password", PASSWORD)
    listed = CliRunner().invoke(app, ["image", "list", "o/p", "--limit", limit, *flags])
    assert listed.stderr.strip() == said


def test_images_are_listed_by_every_filter(shop: Shop) -> None:
    ids = shop.images(camera_id="left", source="robot", tags=("night", "rain"))
    box = BoxDetection(shop.bolt, "bolt", 1, 2, 10, 10, 0.5, "1.0")
    found = [(ids["a"], Detections(boxes=(box,)))]
    shop.client.send(upload_detections("o", "p", found, model_version="1.0"))
    both = "--state inbox --camera left --source robot --tag night --tag rain --from 2020-01-01"
    assert shop.frames(*both.split()) == ["a", "b"]
    assert shop.frames("--to", "2020-01-01") == []
    assert shop.frames("--frame", "b") == ["b"]
    one = "--model 1.0 --min-confidence 0.4 --max-confidence 0.6 --category bolt"
    assert shop.frames(*one.split()) == ["a"]
    assert len(shop.frames("--set", "train")) + len(shop.frames("--set", "test")) == 2


def test_images_are_counted_by_what_they_have(shop: Shop) -> None:
    shop.images(tags=("night",))
    rows = shop.json("facets", "o/p")
    assert {"kind": "tags", "value": "night", "images": 2} in rows
    assert "night" in shop.run("facets", "o/p", "--state", "inbox")


def test_one_image_is_shown_with_what_models_saw(shop: Shop) -> None:
    ids = shop.images()
    box = BoxDetection(shop.bolt, "bolt", 1, 2, 10, 10, 0.5, "1.0")
    found = [(ids["a"], Detections(boxes=(box,)))]
    shop.client.send(upload_detections("o", "p", found, model_version="1.0"))
    shown = shop.run("show", ids["a"])
    assert "64 x 48 pixels" in shown
    assert "detected by 1.0" in shown
    read = shop.json("show", ids["a"])
    assert read["confidence"] == 0.5
    (by_model,) = read["detections"]
    assert by_model["model_version"] == "1.0"
    assert by_model["box_detections"][0]["category_name"] == "bolt"


def test_files_and_folders_are_uploaded_once(shop: Shop, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    (folder / "deeper").mkdir(parents=True)
    for seed, name in enumerate(("1.jpg", "deeper/1.JPEG", "deeper/2.jpg")):
        (folder / name).write_bytes(jpeg(seed=seed))
    (folder / "note.txt").write_text("no image")
    flags = ("--tag", "new", "--state", "review", "--camera", "left", "--set", "test")
    said = shop.run("upload", "o/p", str(folder), *flags)
    assert "Uploaded 3 images to o/p." in said
    again = shop.run("upload", "o/p", str(folder / "1.jpg"), str(folder / "deeper"))
    assert "Uploaded 0 images" in again
    assert "3 were there already" in again
    found = shop.json("list", "o/p", "--tag", "new", "--state", "review", "--set", "test")
    assert {image["camera_id"] for image in found} == {"left"}
    assert len(found) == 3


def test_many_files_go_in_several_requests(shop: Shop, tmp_path: Path) -> None:
    for seed in range(45):
        (tmp_path / f"{seed}.jpg").write_bytes(jpeg(seed=seed))
    assert "Uploaded 45 images" in shop.run("upload", "o/p", str(tmp_path))


@pytest.mark.parametrize("names", [("a.json",), ("a", "b.c/a"), (".jpg", "a.jpg"), ("a.jpg",) * 2])
def test_files_of_every_name_are_uploaded(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(set(names)):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(jpeg(seed=seed))
    shop.run("upload", "o/p", *names)
    assert len(shop.frames()) == len(set(names))


def test_an_upload_of_nothing_says_what_to_name(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        shop.run("upload", "o/p", str(tmp_path / "none.jpg"))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="no JPEGs"):
        shop.run("upload", "o/p", str(empty))


@pytest.mark.parametrize("is_folder", [True, False])
def test_what_is_called_like_a_jpeg_and_is_no_file_is_named_before_anything_is_sent(
    shop: Shop, tmp_path: Path, *, is_folder: bool
) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    culprit = tmp_path / "b.jpg"
    if is_folder:
        culprit.mkdir()
    else:
        culprit.symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"b\.jpg is no file"):
        shop.run("upload", "o/p", str(tmp_path))
    assert shop.frames() == []


def test_images_are_downloaded_and_not_twice(shop: Shop, tmp_path: Path) -> None:
    ids = shop.images(camera_id="left")
    target = tmp_path / "down" / "load"
    assert "Downloaded 2 images" in shop.run("download", "o/p", str(target), "--camera", "left")
    assert (target / f"{ids['b']}.jpg").read_bytes() == jpeg(seed=1)
    again = shop.run("download", "o/p", str(target))
    assert "Downloaded 0 images" in again
    assert "2 were there already" in again


def test_images_get_and_lose_tags(shop: Shop) -> None:
    ids = shop.images()
    assert "Changed 1 images." in shop.run("tag", "o/p", "blurred", "dark", "--id", ids["a"])
    assert shop.frames("--tag", "blurred", "--tag", "dark") == ["a"]
    said = shop.run("untag", "o/p", "dark", "--state", "inbox", "--yes")
    assert "Changed 1 images." in said
    assert "1 were so already." in said
    assert shop.frames("--tag", "dark") == []


def test_images_move_to_another_set(shop: Shop) -> None:
    ids = shop.images(split="train")
    assert "Changed 1 images." in shop.run("set", "o/p", "test", "--id", ids["a"])
    said = shop.run("set", "o/p", "train", "--set", "test", "--yes")
    assert "Changed 1 images." in said
    assert shop.frames("--set", "train") == ["a", "b"]


def test_a_filter_is_acted_upon_only_if_the_user_agrees(shop: Shop) -> None:
    shop.images()
    shop.run("state", "o/p", "review", "--state", "inbox", said="n\n", code=1)
    assert shop.frames("--state", "inbox") == ["a", "b"]
    shop.run("state", "o/p", "review", "--state", "inbox", said="y\n")
    assert shop.frames("--state", "review") == ["a", "b"]


def test_without_a_choice_nothing_is_changed(shop: Shop) -> None:
    shop.images()
    for arguments in (("tag", "o/p", "x"), ("state", "o/p", "trash"), ("delete", "o/p")):
        with pytest.raises(InputError, match="Which images"):
            shop.run(*arguments, "--yes")


def test_images_are_deleted_and_an_unknown_id_is_said(shop: Shop) -> None:
    ids = shop.images()
    with pytest.raises(InputError, match="There is no image unknown"):
        shop.run("delete", "o/p", "--id", ids["a"], "--id", "unknown", "--yes")
    assert shop.frames() == ["b"]
    assert "Deleted 1 images." in shop.run("delete", "o/p", "--frame", "b", "--yes")
    assert shop.frames() == []


def test_the_history_is_shown_and_a_version_restored(shop: Shop) -> None:
    image_id = shop.images()["a"]
    for count in (1, 2):
        boxes = (BoxAnnotation(shop.bolt, 1, 2, 10, 10),) * count
        shop.client.send(annotate(image_id, Annotations(boxes=boxes), version=count - 1))
    assert "admin" in shop.run("history", image_id)
    assert "Version 1 is version 3 now." in shop.run("history", image_id, "--restore", "1")
    versions = shop.json("history", image_id)
    assert [len(version["box_annotations"]) for version in versions] == [1, 2, 1]


def test_an_outdated_annotation_is_a_conflict_for_programs(shop: Shop) -> None:
    image_id = shop.images()["a"]
    shop.client.send(annotate(image_id, Annotations(), version=0))
    with pytest.raises(Conflict):
        shop.client.send(annotate(image_id, Annotations(), version=0))


def test_annotations_are_written_by_name_and_read_as_they_were_written(
    shop: Shop, tmp_path: Path
) -> None:
    image_id = shop.images()["a"]
    file = tmp_path / "made.json"
    box = {"category_name": "bolt", "x": 1, "y": 2, "width": 10, "height": 12}
    file.write_text(json.dumps({"box_annotations": [box]}))
    said = shop.run("annotate", "o/p", image_id, str(file), "--state", "complete", "--set", "test")
    assert "Version 1 has 1 annotations." in said
    assert shop.frames("--state", "complete", "--set", "test") == ["a"]
    table = shop.run("annotations", "o/p", image_id)
    for words in ("box", "bolt", "1, 2, 10 x 12"):
        assert words in table
    read = shop.json("annotations", "o/p", image_id)
    assert read["box_annotations"][0]["category_id"] == shop.bolt
    file.write_text(json.dumps(read))
    assert shop.json("annotate", "o/p", image_id, str(file))["annotation_version"] == 2


def test_annotations_that_others_have_changed_are_not_overwritten(
    shop: Shop, tmp_path: Path
) -> None:
    image_id = shop.images()["a"]
    file = tmp_path / "made.json"
    file.write_text(json.dumps(shop.json("annotations", "o/p", image_id)))
    shop.client.send(annotate(image_id, Annotations(), version=0))
    with pytest.raises(Conflict):
        shop.run("annotate", "o/p", image_id, str(file))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("no", "is not JSON"),
        ("[]", "is no object"),
        ('{"classification_annotation": {"category_name": "nut"}}', "no category nut: .* bolt"),
        ('{"point_annotations": [{"category_id": "7", "x": 1, "y": 1}]}', "no category 7"),
        ('{"box_annotations": [{"category_name": "bolt"}]}', r"box_annotations\.0\.x is wrong"),
    ],
)
def test_annotations_that_cannot_be_meant_are_refused(
    shop: Shop, tmp_path: Path, content: str, sentence: str
) -> None:
    image_id = shop.images()["a"]
    file = tmp_path / "made.json"
    file.write_text(content)
    with pytest.raises(InputError, match=sentence):
        shop.run("annotate", "o/p", image_id, str(file))
    assert shop.json("annotations", "o/p", image_id)["version"] == 0


def test_programs_read_what_became_of_images(shop: Shop) -> None:
    image_id = shop.images(split="train")["a"]
    for name, value in (("tag", "x"), ("untag", "x"), ("state", "review"), ("set", "val")):
        changed = shop.json(name, "o/p", value, "--id", image_id)
        assert changed == {"changed": 1, "unchanged": 0, "missing": []}
    assert shop.json("delete", "o/p", "--id", image_id)["changed"] == 1


def test_programs_read_an_image_whose_annotations_were_restored(shop: Shop) -> None:
    image_id = shop.images()["a"]
    shop.client.send(annotate(image_id, Annotations(), version=0))
    assert shop.json("history", image_id, "--restore", "1")["annotation_version"] == 2


def test_programs_read_which_file_became_which_image(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "1.jpg"
    file.write_bytes(jpeg())
    (receipt,) = shop.json("upload", "o/p", str(file))
    assert (receipt["file"], receipt["repeated"]) == (str(file), False)
    (again,) = shop.json("upload", "o/p", str(file))
    assert (again["id"], again["repeated"]) == (receipt["id"], True)


@pytest.mark.parametrize("command", [("state", "o/p", "annotate"), ("delete", "o/p")])
def test_nobody_is_asked_about_no_images(shop: Shop, command: tuple[str, ...]) -> None:
    assert " 0 images." in shop.run(*command, "--state", "review")
