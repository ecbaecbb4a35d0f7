"""The pages after a demo, while its processes still run. Screenshots lie in ``tmp_path``."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from browser.person import DESK, Person
from edgeloop.demo.stage import Stage, set_stage
from edgeloop.demo.tell import prepare, tell
from journeys.listening import ListeningNarrator
from journeys.test_story_with_kills import PLAN

PAGES = {
    "projects": ("/", ["demo", "parts", "2 models", "2.0 deployed"]),
    "images": ("/projects/demo/parts", ["complete", "bolt", "washer", "start"]),
    "trainings": ("/projects/demo/parts/trainings", ["#2", "finished", "epoch 6"]),
    "models": ("/projects/demo/parts/models", ["2.0", "deployed", "onnx", "mAP50"]),
    "nodes": ("/nodes", ["2 of 2 online", "detector", "trainer"]),
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A demo that has been told to its end, and is kept."""
    folder = tmp_path_factory.mktemp("demo")
    narrator = ListeningNarrator(lambda what: None)
    material = prepare(PLAN, folder, narrator=narrator)
    with set_stage(folder, uncertain=PLAN.uncertain) as stage:
        tell(PLAN, material, stage=stage, narrator=narrator, folder=folder)
        yield stage


@pytest.mark.browser
@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_what_the_demo_left(
    demo: Stage, browser: Chrome, tmp_path: Path, page: str
) -> None:
    path, words = PAGES[page]
    person = Person(browser, demo.loop.url)
    person.look_on(DESK)
    person.log_in(demo.password)
    person.read("Projects")
    person.open(path)
    person.read(*words)
    person.see_images()
    person.photograph(tmp_path / f"{page}.png")
    assert person.complaints() == []
    browser.delete_all_cookies()
