"""Many images are changed or deleted at once."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from edgeloop.loop import LoopSettings
from edgeloop.loop.services import bulk
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from fakes import jpeg
from uploading import image_of, pair, receipts
from zoo import BOX, RunStory, Zoo


async def send(zoo: Zoo, action: str, **body: Any) -> httpx.Response:
    """Change or delete."""
    path = f"{V1}/projects/{zoo.project['id']}/images/{action}"
    return await zoo.person.post(path, json=body)


async def outcome(zoo: Zoo, action: str, **body: Any) -> tuple[int, int, list[str]]:
    """What was changed, what was so already, what is missing."""
    answer = await send(zoo, action, **body)
    assert answer.status_code == 200, answer.text
    said = answer.json()
    return said["changed"], said["unchanged"], said["missing"]


async def states(zoo: Zoo) -> list[str]:
    """The states of all images, the oldest first."""
    return [image["state"] for image in (await zoo.listed())["items"]]


def files(settings: LoopSettings) -> list[Path]:
    """What the storage holds."""
    return [path for path in (settings.data_folder / "files").rglob("*") if path.is_file()]


def test_images_are_changed_by_their_ids(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        first, second, third = await zoo.images("inbox", "inbox", "review", tags=["old"])
        changed = await outcome(
            zoo,
            "change",
            ids=[first, third, "unknown", first],
            state="review",
            set="test",
            add_tags=["new", "night"],
            remove_tags=["old"],
        )
        assert changed == (2, 0, ["unknown"])
        for image_id in (first, third):
            image = await image_of(zoo.person, {"id": image_id})
            assert (image["state"], image["set"]) == ("review", "test")
            assert image["tags"] == ["new", "night"]
        image = await image_of(zoo.person, {"id": second})
        assert (image["state"], image["tags"]) == ("inbox", ["old"])

    run_in_zoo(story)


def test_what_is_so_already_counts_as_unchanged(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        ids = await zoo.images("review", "inbox", tags=["night"])
        body: dict[str, Any] = {"ids": ids, "state": "review", "add_tags": ["night"]}
        assert await outcome(zoo, "change", **body) == (1, 1, [])
        assert await outcome(zoo, "change", **body) == (0, 2, [])

    run_in_zoo(story)


def test_images_are_changed_by_a_filter(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        await zoo.images("inbox", "inbox", camera_id="left")
        await zoo.images("inbox", "complete")
        meant = {"state": "inbox", "camera": "left"}
        changed = await outcome(zoo, "change", filter=meant, expected_count=2, state="annotate")
        assert changed == (2, 0, [])
        assert await states(zoo) == ["annotate", "annotate", "inbox", "complete"]

    run_in_zoo(story)


def test_nothing_happens_where_a_filter_finds_more_than_was_seen(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        await zoo.images("inbox", "inbox")
        for action, more in (("change", {"state": "complete"}), ("delete", {})):
            answer = await send(zoo, action, filter={}, expected_count=1, **more)
            assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        assert await states(zoo) == ["inbox", "inbox"]

    run_in_zoo(story)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ids": [], "filter": {}},
        {"filter": {}},
        {"filter": {"stat": "inbox"}, "expected_count": 0},
        {"filter": {"category": "bird"}, "expected_count": 0},
        {"filter": {}, "expected_count": -1},
        {"ids": ["x"] * 10_001},
        {"ids": [], "state": "sorted"},
        {"ids": [], "add_tags": [""]},
        {"ids": [], "colour": "red"},
    ],
)
def test_what_is_no_choice_is_refused(run_in_zoo: RunStory, body: dict[str, Any]) -> None:
    async def story(zoo: Zoo) -> None:
        answer = await send(zoo, "change", **body)
        assert (answer.status_code, answer.json()["code"]) == (422, "unprocessable")

    run_in_zoo(story)


def test_images_of_another_project_are_missing(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        ids = await zoo.images("inbox")
        dogs = await zoo.loop.project(name="dogs")
        path = f"{V1}/projects/{dogs['id']}/images"
        for action in ("change", "delete"):
            answer = await zoo.person.post(f"{path}/{action}", json={"ids": ids})
            assert answer.json() == {"changed": 0, "unchanged": 0, "missing": ids}
        assert await states(zoo) == ["inbox"]

    run_in_zoo(story)


def test_others_get_their_turn_while_many_images_are_changed(
    run_in_zoo: RunStory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 1)

    async def story(zoo: Zoo) -> None:
        parts = [part for seed in range(40) for part in pair(seed)]
        ids = [receipt["id"] for receipt in await receipts(zoo.person, parts)]
        async with asyncio.TaskGroup() as group:
            many = group.create_task(outcome(zoo, "change", ids=ids, state="review"))
            assert (await zoo.annotate(ids[0], state="complete")).status_code == 200
            assert not many.done()
        assert many.result()[0] >= 39

    run_in_zoo(story)


def test_deleted_images_are_gone_with_all_that_belonged_to_them(
    run_in_zoo: RunStory, loop_settings: LoopSettings
) -> None:
    async def story(zoo: Zoo) -> None:
        found = {**BOX, "category_name": "cat", "model_name": "1.0", "confidence": 0.5}
        gone, kept = await zoo.images("inbox", "inbox", box_detections=[found])
        for _ in range(2):
            await zoo.annotate(gone, box_annotations=[{**BOX, "category_id": zoo.cat}])
        await zoo.person.get(f"{V1}/images/{gone}/thumbnail")
        assert len(files(loop_settings)) == 3
        assert await outcome(zoo, "delete", ids=[gone, "unknown"]) == (1, 0, ["unknown"])
        assert [image["id"] for image in (await zoo.listed())["items"]] == [kept]
        assert (await zoo.person.get(f"{V1}/images/{gone}")).status_code == 404
        facets = await zoo.person.get(f"{V1}/projects/{zoo.project['id']}/images/facets")
        assert facets.json()["model_versions"] == {"1.0": 1}
        assert len(files(loop_settings)) == 1

    run_in_zoo(story)


def test_a_file_stays_while_another_image_has_the_same_bytes(
    run_in_zoo: RunStory, loop_settings: LoopSettings
) -> None:
    async def story(zoo: Zoo) -> None:
        parts = [*pair(1, data=jpeg(), frame_id="a"), *pair(2, data=jpeg(), frame_id="b")]
        first, second = await receipts(zoo.person, parts)
        await outcome(zoo, "delete", ids=[first["id"]])
        answer = await zoo.person.get(f"{V1}/images/{second['id']}/file")
        assert answer.content == jpeg()
        await outcome(zoo, "delete", ids=[second["id"]])
        assert files(loop_settings) == []

    run_in_zoo(story)


def test_a_deleted_frame_that_is_sent_again_is_answered_as_stored_and_does_not_come_back(
    run_in_zoo: RunStory, loop_settings: LoopSettings
) -> None:
    async def story(zoo: Zoo) -> None:
        (receipt,) = await receipts(zoo.person, pair(1, frame_id="a"))
        await outcome(zoo, "delete", filter={"frame_id": "a"}, expected_count=1)
        again, other = await receipts(zoo.person, [*pair(1, frame_id="a"), *pair(2, frame_id="b")])
        assert again == {**receipt, "repeated": True}
        assert other["repeated"] is False
        assert [image["frame_id"] for image in (await zoo.listed())["items"]] == ["b"]
        assert len(files(loop_settings)) == 1

    run_in_zoo(story)


def test_a_frame_that_was_deleted_here_is_new_in_another_project(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        (receipt,) = await receipts(zoo.person, pair(1, frame_id="a"))
        await outcome(zoo, "delete", ids=[receipt["id"]])
        await zoo.loop.project(name="dogs")
        answer = await zoo.person.post(routes.images("zoo", "dogs"), files=pair(1, frame_id="a"))
        assert answer.json()["items"][0]["repeated"] is False

    run_in_zoo(story)


def test_many_images_are_deleted_at_once(
    run_in_zoo: RunStory, loop_settings: LoopSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 3)

    async def story(zoo: Zoo) -> None:
        parts = [part for seed in range(10) for part in pair(seed, state="trash")]
        await receipts(zoo.person, parts)
        (kept,) = await zoo.images("inbox")
        deleted = await outcome(zoo, "delete", filter={"state": "trash"}, expected_count=10)
        assert deleted == (10, 0, [])
        assert [image["id"] for image in (await zoo.listed())["items"]] == [kept]
        assert len(files(loop_settings)) == 1

    run_in_zoo(story)
