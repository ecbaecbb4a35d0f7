"""``edgeloop node`` and ``edgeloop project``: what people see and programs read."""

import pytest
from typer.testing import CliRunner

from cli.shop import Shop
from edgeloop.cli.main import app
from edgeloop.errors import Conflict, InputError, NotFound, Unprocessable


def test_nodes_are_listed_and_shown_by_their_names(store: Shop) -> None:
    store.hear_detector(
        current_model="1.0", target_model="1.1", outbox_depth=17, errors={"upload": "no answer"}
    )
    table = store.run("node", "list")
    for words in ("press", "detector", "o/p", "1.0 -> 1.1", "17", "no answer"):
        assert words in table
    assert [node["id"] for node in store.json("node", "list", "--project", "o/p")] == ["d1"]
    assert store.json("node", "list", "--kind", "trainer") == []
    assert store.json("node", "list", "--offline") == []
    assert store.json("node", "show", "press") == store.json("node", "show", "d1")
    assert "outbox_depth" in store.run("node", "show", "press")


def test_a_kind_of_nodes_that_there_is_not_is_refused() -> None:
    ended = CliRunner().invoke(app, ["node", "list", "--kind", "fridge"])
    assert ended.exit_code == 2
    assert "'fridge' is not one of" in ended.stderr


def test_a_node_without_a_socket_cannot_be_restarted_nor_forgotten_while_it_is_there(
    store: Shop,
) -> None:
    store.hear_detector()
    with pytest.raises(NotFound, match="not connected"):
        store.run("node", "restart", "press")
    with pytest.raises(Conflict, match="is online"):
        store.run("node", "forget", "press")


def test_a_name_that_nobody_or_several_have_is_said(store: Shop) -> None:
    with pytest.raises(NotFound, match="No node press"):
        store.run("node", "show", "press")
    store.hear_detector()
    store.hear_detector(uuid="d2")
    with pytest.raises(InputError, match=r"2 nodes are called press.*d1, d2"):
        store.run("node", "show", "press")


def test_projects_are_listed(store: Shop) -> None:
    table = store.run("project", "list")
    for words in ("o/p", "bolt", "same host only"):
        assert words in table
    (project,) = store.json("project", "list")
    assert (project["organization"], project["name"]) == ("o", "p")


def categories(store: Shop) -> dict[str, str]:
    """Type and colour of each category."""
    found = store.json("project", "category", "list", "o/p")
    return {category["name"]: category["type"] for category in found}


def test_categories_are_added_and_changed(store: Shop) -> None:
    assert "o/p has 3 categories." in store.run(
        "project", "category", "add", "o/p", "nut", "tip:point"
    )
    assert categories(store) == {"bolt": "box", "nut": "box", "tip": "point"}
    flags = ("--rename", "top", "--hotkey", "t", "--color", "#112233", "--point-size", "9")
    store.run("project", "category", "change", "o/p", "tip", *flags)
    assert categories(store)["top"] == "point"
    table = store.run("project", "category", "list", "o/p")
    assert "#112233" in table


def test_mistakes_with_categories_are_explained(store: Shop) -> None:
    with pytest.raises(Conflict, match="has a category bolt already"):
        store.run("project", "category", "add", "o/p", "bolt")
    with pytest.raises(NotFound, match="no category nut"):
        store.run("project", "category", "change", "o/p", "nut", "--hotkey", "n")
    with pytest.raises(InputError, match="Nothing is to be changed"):
        store.run("project", "category", "change", "o/p", "bolt")
    with pytest.raises(Unprocessable):
        store.run("project", "category", "add", "o/p", "x:sphere")
