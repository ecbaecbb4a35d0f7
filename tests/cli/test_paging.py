"""Lists of the command line are whole, however small the loop's pages are."""

import importlib
import pkgutil
from collections.abc import Iterator

import httpx
import pytest
from typer.testing import CliRunner

from cli.shop import Shop, shop_in
from edgeloop.cli.main import app
from edgeloop.client import calls
from edgeloop.client.calls import deployments, members, models, projects, tokens, trainings, users
from edgeloop.client.calls.page import paging
from loops import PASSWORD

LISTS = (
    "project list",
    "project organization list",
    "training list o/p",
    "training queue",
    "model list o/p",
    "model conversions o/p",
    "deploy o/p --history",
    "node list",
    "user list",
    "user members o/p",
    "token list",
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A loop with at least three of each."""
    folder = tmp_path_factory.mktemp("shop")
    with shop_in(folder) as shop:
        send, project = shop.client.send, shop.project.id
        for number in range(3):
            model = shop.publish(folder)
            send(deployments.deploy(project, model))
            send(trainings.begin_training(project, hyperparameters={}))
            send(projects.create_project(f"o{number}", "p", []))
            send(users.add_user(f"ann{number}", "correct horse"))
            send(members.put_project_member(project, f"ann{number}", "viewer"))
            send(tokens.create_token(f"belt {number}", ["device"]))
            shop.hear_detector(uuid=f"d{number}")
        send(projects.update_project(project, wanted_formats=["torch"]))
        assert send(models.project_models(project)).next is None
        yield shop


@pytest.fixture
def pages_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client asks for one item at a time."""

    def one(after: str | None, _limit: int, **filters: str | bool | None) -> httpx.QueryParams:
        return paging(after, 1, **filters)

    for module in pkgutil.iter_modules(calls.__path__):
        found = importlib.import_module(f"{calls.__name__}.{module.name}")
        if module.name != "page" and hasattr(found, "paging"):
            monkeypatch.setattr(found, "paging", one)


@pytest.mark.parametrize("command", LISTS)
@pytest.mark.usefixtures("pages_of_one")
def test_a_list_does_not_end_where_its_first_page_does(shop: Shop, command: str) -> None:
    assert len(shop.json(*command.split())) >= 3


@pytest.mark.parametrize(
    ("limit", "numbers", "said"),
    [
        ("2", [6, 5], "There are more than these 2; --limit shows more."),
        ("6", [6, 5, 4, 3, 2, 1], ""),
        ("1500", [6, 5, 4, 3, 2, 1], ""),
    ],
)
def test_that_there_are_more_trainings_is_said_where_there_are(
    shop: Shop, limit: str, numbers: list[int], said: str
) -> None:
    command = ["training", "list", "o/p", "--limit", limit]
    assert [training["number"] for training in shop.json(*command)] == numbers
    flags = ("--loop", shop.client.settings.host, "--username", "admin", "--password", PASSWORD)
    assert CliRunner().invoke(app, [*command, *flags]).stderr.strip() == said
