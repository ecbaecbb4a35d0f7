"""``edgeloop project``: one project is shown, and deleted once that is meant."""

import pytest
from typer.testing import CliRunner

from cli.shop import Shop
from edgeloop.cli.main import app
from edgeloop.client.calls.images import upload_images
from edgeloop.errors import NotFound
from edgeloop.types import ImageMetadata
from fakes import jpeg
from loops import PASSWORD


def delete(store: Shop, *, said: str) -> int:
    """Delete o/p and type this; the exit code."""
    login = ["--loop", store.loop.host, "--username", "admin", "--password", PASSWORD]
    ended = CliRunner().invoke(app, ["project", "delete", "o/p", *login], input=said)
    assert "Delete o/p for good, with 1 images and all models?" in ended.stderr
    return ended.exit_code


def test_a_project_is_shown(store: Shop) -> None:
    store.run("project", "formats", "o/p", "onnx")
    shown = store.run("project", "show", "o/p")
    for words in (store.project.id, "o/p", "bolt", "same host only", "onnx"):
        assert words in shown
    found = store.json("project", "show", "o/p")
    assert (found["id"], found["wanted_formats"]) == (store.project.id, ["onnx"])
    with pytest.raises(NotFound, match="edgeloop project create o/q"):
        store.run("project", "show", "o/q")


def test_a_project_is_deleted_once_that_is_confirmed(store: Shop) -> None:
    store.client.send(upload_images("o", "p", [(ImageMetadata("a"), jpeg())], login=True))
    assert delete(store, said="n\n") == 1
    assert len(store.json("project", "list")) == 1
    assert delete(store, said="y\n") == 0
    assert store.json("project", "list") == []


def test_a_project_is_deleted_without_a_question_where_none_is_wanted(store: Shop) -> None:
    assert "Deleted o/p." in store.run("project", "delete", "o/p", "--yes")
    with pytest.raises(NotFound, match="There is no project o/p"):
        store.run("project", "delete", "o/p", "--yes")


def test_a_project_is_opened_to_devices_and_closed(store: Shop) -> None:
    assert "is open to devices" in store.run("project", "open", "o/p")
    assert store.json("project", "show", "o/p")["open_to_devices"]
    assert "is closed to devices" in store.run("project", "close", "o/p")
    assert not store.json("project", "show", "o/p")["open_to_devices"]


def test_new_images_are_put_aside_for_validation_from_then_on(store: Shop) -> None:
    assert "10 % of its new images" in store.run("project", "val-split", "o/p", "on")
    assert store.json("project", "show", "o/p")["has_val_split"]
    assert "no new images" in store.run("project", "val-split", "o/p", "off")
    assert not store.json("project", "show", "o/p")["has_val_split"]


def test_programs_read_what_became_of_a_project(store: Shop) -> None:
    made = store.json("project", "create", "o/q", "--category", "nut")
    assert made["id"] == store.json("project", "show", "o/q")["id"]
    assert store.json("project", "open", "o/q")["open_to_devices"] is True
    assert store.json("project", "close", "o/q")["open_to_devices"] is False
    assert store.json("project", "val-split", "o/q", "on")["has_val_split"] is True
    assert store.json("project", "formats", "o/q", "onnx")["wanted_formats"] == ["onnx"]
    category = ("project", "category")
    changed = store.json(*category, "change", "o/q", "nut", "--rename", "top")
    assert [found["name"] for found in changed["categories"]] == ["top"]
    changed = store.json(*category, "add", "o/q", "tip:point")
    assert [found["type"] for found in changed["categories"]] == ["box", "point"]
