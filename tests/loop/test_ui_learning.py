"""The pages of trainings, models and nodes as HTTP sees them: that the data is in them."""

import asyncio
import re
from datetime import timedelta

import httpx
import pytest

from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from loops import LoopInProcess, OpenLoop
from pages import PARTS, Tell, elements, page, texts


def test_trainings_are_shown_with_state_errors_and_the_curves_of_the_running_one(
    tell: Tell,
) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        text = await page(person, f"{PARTS}/trainings")
        states = {"queued", "running", "failed", "finished"}
        assert states | {"Workstation", "16 train, 4 test"} <= set(texts(text))
        for words in ("Place 1 in the queue.", "CUDA out of memory", "42 min", "epoch 12: loss"):
            assert words in text
        assert "Training 3" in text

    tell(story)


@pytest.mark.parametrize(("query", "shown"), [("1", "epoch 30: loss"), ("x", "epoch 12: loss")])
def test_the_curves_of_a_training_can_be_chosen(tell: Tell, query: str, shown: str) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        assert shown in await page(person, f"{PARTS}/trainings?training={query}")

    tell(story)


def test_a_training_without_epochs_has_no_curves(tell: Tell) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        assert "epoch 12: loss" not in await page(person, f"{PARTS}/trainings?training=4")

    tell(story)


def test_models_are_shown_with_their_figures_and_what_is_deployed(tell: Tell) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        text = await page(person, f"{PARTS}/models")
        shown = {"1.0", "3.0", "deployed", "onnx", "torch", "#1", "16 train, 4 test", "ada"}
        assert shown <= set(texts(text))
        assert any(re.fullmatch(r"0\.\d{3}", words) for words in texts(text))
        assert await page(person, f"{PARTS}/models?model=none")

    tell(story)


def test_nodes_are_shown_with_what_they_report(tell: Tell) -> None:
    async def story(loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        text = await page(person, "/nodes")
        shown = {"cell-1", "cell-2", "Workstation", "none → 1.0", "17", "workshop/parts"}
        assert shown <= set(texts(text))
        for words in ("update: no space left", "2 days ago (offline)", "26 h 3 min"):
            assert words in text
        assert "of 4 online" in text

    tell(story)


def test_a_training_whose_trainer_is_away_is_shown_as_lost(tell: Tell) -> None:
    async def story(loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        loop.clock.move(timedelta(minutes=1))
        text = await page(person, f"{PARTS}/trainings")
        assert "lost" in texts(text)
        assert "was running; it goes on when its trainer is back" in text

    tell(story)


def test_the_end_of_the_log_is_shown_below_the_curves(tell: Tell) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        text = await page(person, f"{PARTS}/trainings")
        assert "Log of training 3" in texts(text)
        assert "epoch 12 of 30: loss 0.83" in text
        assert "Log of training" not in await page(person, f"{PARTS}/trainings?training=1")

    tell(story)


def test_models_are_shown_with_what_became_of_them(tell: Tell) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        text = await page(person, f"{PARTS}/models")
        assert {"promoted", "Lineage of 1.0", "scratch", "rollback"} <= set(texts(text))
        failed, waits = "The operator grid_sample is not supported.", "waits for a converter"
        titles = {e["props"].get("title") for e in elements(text) if e.get("text") == "no engine"}
        assert titles == {failed, waits}

    tell(story)


def test_a_retired_model_is_shown_as_such(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            project, person = await loop.project(), await loop.client()
            await person.post(f"{V1}/projects/{project['id']}/trainings", json={})
            upload = routes.training_model_file("zoo", "cats", 1, "onnx")
            model = (await person.put(upload, files={"files": ("m.onnx", b"w")})).json()
            await person.patch(f"{V1}/models/{model['id']}", json={"retired": True})
            assert "retired" in texts(await page(person, "/projects/zoo/cats/models"))

    asyncio.run(story())


def test_nodes_are_shown_with_their_versions(tell: Tell) -> None:
    async def story(_loop: LoopInProcess, person: httpx.AsyncClient) -> None:
        assert "0.1" in texts(await page(person, "/nodes"))

    tell(story)
