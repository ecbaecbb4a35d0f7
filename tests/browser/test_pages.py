"""The web pages in a real browser: what people see and click. Screenshots lie in ``tmp_path``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome

from browser.person import DESK, PHONE, Person
from edgeloop.loop.services import nodes, projects
from loops import PASSWORD, USERNAME, ServedLoop
from seeded import HOSTILE, Seed, learn, seed

pytestmark = pytest.mark.browser

PARTS = "/projects/workshop/parts"


@pytest.fixture
def person(browser: Chrome, loop: ServedLoop) -> Iterator[Person]:
    """Somebody in front of the browser who has logged in."""
    person = Person(browser, loop.url)
    person.look_on(DESK)
    person.log_in()
    person.read("Projects")
    yield person
    browser.delete_all_cookies()


def test_a_wrong_password_is_said_in_a_sentence(browser: Chrome, loop: ServedLoop) -> None:
    person = Person(browser, loop.url)
    person.look_on(DESK)
    person.log_in("wrong")
    person.read("Wrong username or password: check both and log in again.")
    person.is_at("/login")


def test_after_the_login_one_sees_the_page_that_one_wanted(
    browser: Chrome, loop: ServedLoop
) -> None:
    person = Person(browser, loop.url)
    person.open(f"{PARTS}?state=review")
    person.find("input[name=username]").send_keys(USERNAME)
    person.find("input[name=password]").send_keys(f"{PASSWORD}\n")
    person.is_at(f"{PARTS}?state=review")
    browser.delete_all_cookies()


@pytest.mark.parametrize("screen", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize(
    ("name", "path", "words"),
    [
        ("projects", "/", ("parts", "2 models", "1.0 deployed", "edgeloop project open")),
        ("inbox", PARTS, ("inbox", "overhead", "uncertain", "washer")),
        ("complete", f"{PARTS}?state=complete", ("train", "test", "import", HOSTILE)),
        ("trainings", f"{PARTS}/trainings", ("CUDA out of memory", "Training 3", "epoch 12")),
        ("models", f"{PARTS}/models", ("deployed", "3 test images", "What is taken for what")),
        ("nodes", "/nodes", ("cell-1", "cell-2", "none → 1.0", "no space left", HOSTILE)),
        ("empty", "/projects/workshop/empty", ("edgeloop import voc",)),
    ],
)
def test_a_page_shows_its_data_without_complaint(
    person: Person,
    tmp_path: Path,
    screen: tuple[int, int],
    name: str,
    path: str,
    words: tuple[str, ...],
) -> None:
    person.look_on(screen)
    person.open(path)
    person.read(*words)
    person.see_images()
    person.photograph(tmp_path / f"{name}.png")
    assert person.complaints() == []
    assert person.run("window.hostile") is None
    assert person.run("document.documentElement.scrollWidth <= innerWidth")


def test_a_click_on_an_image_shows_it_large_with_its_boxes(person: Person, tmp_path: Path) -> None:
    person.open(f"{PARTS}?state=inbox")
    person.find("a.el-image").click()
    person.read("Frame id", "field_0000-90", "model 1.0")
    person.see_images()
    person.photograph(tmp_path / "image.png")
    assert person.find(".el-large svg rect").get_attribute("stroke-dasharray")
    assert person.find(".el-large .el-picture").size["width"] > 600
    assert person.complaints() == []


def test_a_model_that_has_looked_at_no_image_is_shown_with_a_sentence(person: Person) -> None:
    person.open(f"{PARTS}/models")
    person.read("3 test images")
    person.click("3.0")
    person.read("has not looked at complete test images", "as its trainer reported")


def test_the_curves_of_a_running_training_grow_while_one_looks(
    person: Person, workshop_folder: Path
) -> None:
    async def go_on(loop: Seed) -> None:
        async with loop.workspaces.read() as workspace:
            project = await projects.by_names(workspace, "workshop", name="parts")
        await learn(loop, project, 3, epochs=15, of=30)

    person.open(f"{PARTS}/trainings?training=3")
    person.read("epoch 12: loss")
    seed(workshop_folder, go_on)
    person.read("epoch 15: loss")
    assert person.complaints() == []


def test_who_logs_out_sees_the_login_in_other_windows_too(person: Person) -> None:
    person.open("/nodes")
    person.read("cell-1")
    person.run("fetch('/api/logout', {method: 'POST'}).then(() => true)")
    person.is_at("/login")


def test_the_button_logs_out(person: Person) -> None:
    person.open("/")
    person.find("header button").click()
    person.is_at("/login")
    person.open("/nodes")
    person.is_at("/login?next=/nodes")


def test_a_page_that_cannot_go_on_says_so_in_a_sentence(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a secret of the house")

    person.open("/nodes")
    person.read("cell-1")
    monkeypatch.setattr(nodes, "list_by_id", broken)
    assert "secret" not in person.read("cell-1", "Something went wrong in this page")
