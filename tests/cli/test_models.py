"""``edgeloop model`` and ``edgeloop deploy``: what people see and programs read."""

import zipfile
from pathlib import Path
from typing import Any

import pytest

from cli.shop import Shop
from edgeloop.client.calls.images import upload_detections, upload_images
from edgeloop.errors import Conflict, InputError, NotFound
from edgeloop.types import Annotations, BoxAnnotation, BoxDetection, Detections, ImageMetadata
from fakes import jpeg


def versions(store: Shop, *flags: str) -> list[str]:
    """The versions of the models that are listed."""
    return [model["version"] for model in store.json("model", "list", "o/p", *flags)]


def test_models_are_listed_by_format_training_and_whether_they_are_retired(
    store: Shop, tmp_path: Path
) -> None:
    store.publish(tmp_path)
    store.publish(tmp_path, "torch")
    store.run("model", "retire", "o/p", "1.0")
    assert versions(store) == ["2.0", "1.0"]
    assert versions(store, "--format", "torch") == ["2.0"]
    assert versions(store, "--training", "1") == ["1.0"]
    assert versions(store, "--retired") == ["1.0"]
    assert versions(store, "--in-use") == ["2.0"]
    assert "retired" in store.run("model", "list", "o/p")
    assert "1.0 is offered again" in store.run("model", "retire", "o/p", "1.0", "--undo")


def test_a_model_is_shown_with_where_it_comes_from(store: Shop, tmp_path: Path) -> None:
    first = store.publish(tmp_path)
    store.publish(tmp_path, base_model_id=first)
    store.run("model", "comment", "o/p", "2.0", "for the night shift")
    shown = store.run("model", "show", "o/p", "2.0")
    assert "for the night shift" in shown
    assert "comes from" in shown
    found = store.json("model", "show", "o/p", "2.0")
    assert [model["version"] for model in found["lineage"]["ancestors"]] == ["1.0"]
    assert store.json("model", "show", "o/p", first)["version"] == "1.0"
    with pytest.raises(NotFound, match=r"no model 9\.9"):
        store.run("model", "show", "o/p", "9.9")


def test_one_model_is_promoted_until_it_is_no_more(store: Shop, tmp_path: Path) -> None:
    store.publish(tmp_path)
    store.publish(tmp_path)
    store.run("model", "promote", "o/p", "1.0")
    store.run("model", "promote", "o/p", "2.0")

    def promoted() -> list[str]:
        return [m["version"] for m in store.json("model", "list", "o/p") if m["promoted"]]

    assert promoted() == ["2.0"]
    with pytest.raises(Conflict, match="is promoted"):
        store.run("model", "retire", "o/p", "2.0")
    store.run("model", "demote", "o/p", "2.0")
    assert promoted() == []


def looked_at_by_two(store: Shop, folder: Path) -> None:
    """The models 1.0 and 2.0 have looked at one bolt; only 2.0 has seen it."""
    for _ in range(2):
        store.publish(folder)
    bolt = store.project.category_ids()["bolt"]
    truth = Annotations(boxes=(BoxAnnotation(bolt, 8, 8, 16, 16),))
    pair = (ImageMetadata("a", state="complete", split="test", annotations=truth), jpeg())
    (image_id,) = store.client.send(upload_images("o", "p", [pair], login=True))
    hit = BoxDetection(bolt, "bolt", 8, 8, 16, 16, 0.9, "2.0")
    for version, boxes in (("1.0", ()), ("2.0", (hit,))):
        seen: list[Any] = [(image_id, Detections(boxes=boxes))]
        store.client.send(upload_detections("o", "p", seen, model_version=version))


def test_two_models_are_shown_side_by_side(store: Shop, tmp_path: Path) -> None:
    looked_at_by_two(store, tmp_path)
    shown = store.run("model", "compare", "o/p", "1.0", "2.0")
    assert "on 1 images" in shown
    assert "bolt AP50" in shown
    assert "+1.000" in shown
    found = store.json("model", "compare", "o/p", "1.0", "2.0")
    assert [side["map50"] for side in found["models"]] == [0.0, 1.0]
    assert "1.0 again" in store.run("model", "compare", "o/p", "1.0", "1.0")


def test_one_model_is_evaluated_category_by_category(store: Shop, tmp_path: Path) -> None:
    looked_at_by_two(store, tmp_path)
    shown = store.run("model", "evaluation", "o/p", "2.0")
    assert "on 1 images" in shown
    (line,) = [line.split() for line in shown.splitlines() if "bolt" in line]
    assert line == ["bolt", "1.000", "1.000", "1", "0", "0"]
    assert store.json("model", "evaluation", "o/p", "1.0")["map50"] == 0.0
    for flag in (("--set", "train"), ("--tag", "night")):
        with pytest.raises(Conflict, match="has not looked at"):
            store.run("model", "evaluation", "o/p", "2.0", *flag)


def test_programs_read_what_became_of_a_model(store: Shop, tmp_path: Path) -> None:
    store.publish(tmp_path)
    assert store.json("model", "promote", "o/p", "1.0")["promoted"] is True
    assert store.json("model", "demote", "o/p", "1.0")["promoted"] is False
    assert store.json("model", "comment", "o/p", "1.0", "old")["comment"] == "old"
    assert store.json("model", "retire", "o/p", "1.0")["retired"]
    assert store.json("model", "retire", "o/p", "1.0", "--undo")["retired"] is None
    file = str(tmp_path / "model.onnx")
    uploaded = store.json("model", "upload", "o/p", "torch", file, "--to", "1.0")
    assert uploaded["formats"] == ["onnx", "torch"]


def test_a_model_goes_down_and_comes_up_again(store: Shop, tmp_path: Path) -> None:
    store.publish(tmp_path)
    target = tmp_path / "down" / "model.zip"
    store.run("model", "download", "o/p", "1.0", "onnx", "--output", str(target))
    with zipfile.ZipFile(target) as archive:
        assert archive.read("model.onnx") == b"weights"
    assert "o/p 0.0 has onnx." in store.run("model", "upload", "o/p", "onnx", str(target))
    weights = tmp_path / "model.engine"
    weights.write_bytes(b"fast")
    said = store.run("model", "upload", "o/p", "engine", str(weights), "--to", "1.0")
    assert "o/p 1.0 has engine, onnx." in said


def test_files_and_formats_that_are_not_there_are_named(store: Shop, tmp_path: Path) -> None:
    store.publish(tmp_path)
    with pytest.raises(NotFound, match="has no format engine, but onnx"):
        store.run("model", "download", "o/p", "1.0", "engine")
    with pytest.raises(InputError, match="is no file"):
        store.run("model", "upload", "o/p", "onnx", str(tmp_path / "none.onnx"))


def test_formats_that_models_lack_are_listed(store: Shop, tmp_path: Path) -> None:
    store.publish(tmp_path)
    assert "no format in particular" in store.run("project", "formats", "o/p")
    assert "shall have engine" in store.run("project", "formats", "o/p", "engine")
    (missing,) = store.json("model", "conversions", "o/p", "--retry")
    assert (missing["version"], missing["target_format"], missing["state"]) == (
        "1.0",
        "engine",
        "waiting",
    )
    store.run("project", "formats", "o/p", "--none")
    assert store.json("model", "conversions", "o/p") == []


def test_a_model_is_deployed_and_rolled_back_with_a_history(store: Shop, tmp_path: Path) -> None:
    for _ in range(3):
        store.publish(tmp_path)
    for version in ("1.0", "2.0", "3.0"):
        assert f"shall run {version}." in store.run("deploy", "o/p", version)
    assert "shall run 2.0." in store.run("deploy", "o/p", "--rollback")
    assert store.json("deploy", "o/p", "3.0", "--rollback")["version"] == "3.0"
    history = store.json("deploy", "o/p", "--history")
    assert [made["version"] for made in history] == ["3.0", "2.0", "3.0", "2.0", "1.0"]
    assert store.run("deploy", "o/p", "--history").count("rollback") == 2


def test_without_a_version_the_promoted_model_is_suggested(store: Shop, tmp_path: Path) -> None:
    store.publish(tmp_path)
    with pytest.raises(InputError, match="edgeloop model list o/p"):
        store.run("deploy", "o/p")
    store.run("model", "promote", "o/p", "1.0")
    with pytest.raises(InputError, match=r"1\.0 is promoted, and not deployed"):
        store.run("deploy", "o/p")


def test_without_a_version_the_deployed_model_is_shown(store: Shop, tmp_path: Path) -> None:
    for _ in range(2):
        store.publish(tmp_path)
    store.run("deploy", "o/p", "1.0")
    shown = store.run("deploy", "o/p")
    for words in ("1.0", "admin", "deployed"):
        assert words in shown
    assert store.json("deploy", "o/p")["version"] == "1.0"
    store.run("deploy", "o/p", "2.0")
    store.run("deploy", "o/p", "--rollback")
    assert "rollback" in store.run("deploy", "o/p")
