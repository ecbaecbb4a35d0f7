"""Lists of images: filtered, ordered, in pages, counted."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from edgeloop.loop.db.tables import ImageRow
from edgeloop.loop.services import listing
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from uploading import pair, receipts
from zoo import BOX, RunStory, Zoo


def seen(*confidences: float, model: str = "1.0", category: str = "cat") -> list[dict[str, Any]]:
    """Detected boxes."""
    box = {**BOX, "category_name": category, "model_name": model}
    return [{**box, "confidence": confidence} for confidence in confidences]


async def put(zoo: Zoo, name: str, **fields: Any) -> str:
    """One image a second later, whose frame id is its name; returns its id."""
    zoo.loop.clock.move(timedelta(seconds=1))
    seed = int(zoo.loop.clock().timestamp()) % 10_000
    (receipt,) = await receipts(zoo.person, pair(seed, frame_id=name, **fields))
    image_id: str = receipt["id"]
    return image_id


async def names(zoo: Zoo, query: str = "") -> str:
    """The frame ids of a whole list, two images to a page."""
    found: list[str] = []
    after = ""
    while True:
        page = await zoo.listed(f"?limit=2{query}{after}")
        found += [image["frame_id"] for image in page["items"]]
        if page["next"] is None:
            return "".join(found)
        after = f"&after={page['next']}"


async def get(zoo: Zoo, path: str) -> httpx.Response:
    """An answer about the project's images."""
    return await zoo.person.get(f"{V1}/projects/{zoo.project['id']}/images{path}")


async def fill(zoo: Zoo) -> None:
    """Five images a to e that differ in all that can be asked for."""
    dog = {"name": "dog"}
    path = f"{V1}/projects/{zoo.project['id']}"
    assert (await zoo.person.patch(path, json={"categories": [dog]})).status_code == 200
    cat = [{**BOX, "category_name": "cat"}]
    await put(zoo, "a", state="inbox", tags=["night"], camera_id="left", box_detections=seen(0.9))
    await put(zoo, "b", state="review", tags=["night", "rain"], source="robot", set="test")
    await put(zoo, "c", state="review", camera_id="left", box_annotations=cat, set="train")
    await put(zoo, "d", state="complete", tags=["rain"], box_detections=seen(0.3, 0.1))
    both = [*seen(0.2, category="dog"), *seen(0.6, model="2.0", category="dog")]
    await put(zoo, "e", state="trash", box_detections=both)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "abcde"),
        ("&state=review", "bc"),
        ("&set=test&state=review", "b"),
        ("&tag=night", "ab"),
        ("&tag=night&tag=rain", "b"),
        ("&tag=nigh", ""),
        ("&camera=left", "ac"),
        ("&camera=", "bde"),
        ("&source=robot", "b"),
        ("&category=cat", "acd"),
        ("&category=dog", "e"),
        ("&received_from=2026-01-02T03:04:07Z", "bcde"),
        ("&received_to=2026-01-02T03:04:07", "a"),
        ("&received_from=2026-01-02T04:04:08%2B01:00&received_to=2026-01-02T03:04:09Z", "c"),
        ("&min_confidence=0.3", "ade"),
        ("&max_confidence=0.5", "d"),
        ("&min_confidence=0.1&max_confidence=0.7", "de"),
        ("&model_version=1.0", "ade"),
        ("&model_version=1.0&min_confidence=0.25", "ad"),
        ("&model_version=1.0&category=dog", ""),
        ("&model_version=2.0&category=dog", "e"),
        ("&model_version=2.0&max_confidence=0.5", ""),
        ("&model_version=3.0", ""),
        ("&frame_id=d", "d"),
        ("&frame_id=d&state=inbox", ""),
        ("&tag=%25", ""),
        ("&source=%27%20OR%201=1", ""),
    ],
)
def test_images_are_found_by_what_is_true_of_them(
    run_in_zoo: RunStory, query: str, expected: str
) -> None:
    async def story(zoo: Zoo) -> None:
        await fill(zoo)
        assert await names(zoo, query) == expected
        answer = await get(zoo, f"/count?{query[1:]}")
        assert answer.json() == {"count": len(expected)}

    run_in_zoo(story)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("&sort=received", "abcde"),
        ("&sort=-received", "edcba"),
        ("&sort=-received&state=review", "cb"),
        ("&sort=confidence", "deabc"),
        ("&sort=-confidence", "aedcb"),
        ("&sort=confidence&model_version=1.0", "eda"),
        ("&sort=-confidence&model_version=1.0", "ade"),
        ("&sort=-confidence&model_version=1.0&min_confidence=0.25", "ad"),
        ("&sort=confidence&model_version=1.0&state=complete", "d"),
        ("&sort=-confidence&model_version=1.0&tag=night", "a"),
        ("&sort=-confidence&min_confidence=0.5", "ae"),
    ],
)
def test_images_come_in_the_order_that_is_wanted(
    run_in_zoo: RunStory, query: str, expected: str
) -> None:
    async def story(zoo: Zoo) -> None:
        await fill(zoo)
        assert await names(zoo, query) == expected

    run_in_zoo(story)


def test_images_come_in_the_order_of_the_times_that_their_senders_gave(
    run_in_zoo: RunStory,
) -> None:
    async def story(zoo: Zoo) -> None:
        await put(zoo, "a", created="2025-01-01_12:00:00.5")
        await put(zoo, "b", created="2025-01-01T12:00:00+02:00")
        await put(zoo, "c", created="no time at all")
        await put(zoo, "d", created="0001-01-01T00:00:00+05:00")
        await put(zoo, "e", created="2024-06-01")
        assert await names(zoo, "&sort=created") == "ebacd"
        assert await names(zoo, "&sort=-created") == "dcabe"

    run_in_zoo(story)


def test_images_come_in_the_order_of_their_novelty_those_without_one_last(
    run_in_zoo: RunStory,
) -> None:
    async def story(zoo: Zoo) -> None:
        ids = {name: await put(zoo, name) for name in "abcdef"}
        scores = {ids["b"]: 0.5, ids["c"]: 7.0, ids["e"]: 0.5}
        async with zoo.loop.workspaces.write() as workspace:
            for image_id, novelty in scores.items():
                row = await workspace.session.get_one(ImageRow, image_id)
                row.novelty = novelty
        assert await names(zoo, "&sort=novelty") == "becadf"
        assert await names(zoo, "&sort=-novelty") == "cebfda"

    run_in_zoo(story)


def test_a_cursor_holds_its_place_whatever_becomes_of_its_image(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        ids = [await put(zoo, name, state="inbox") for name in "abcd"]
        first = await zoo.listed("?limit=2&state=inbox")
        await zoo.annotate(ids[1], state="complete")
        rest = await zoo.listed(f"?state=inbox&after={first['next']}")
        assert [image["frame_id"] for image in rest["items"]] == ["c", "d"]

    run_in_zoo(story)


@pytest.mark.parametrize(
    "query",
    [
        "?sort=size",
        "?after=unknown",
        "?after=WyJyZWNlaXZlZCIsIDEsIDJd",  # ["received", 1, 2]
        "?after=MQ",
        "?limit=0",
        "?limit=1001",
        "?min_confidence=2",
        "?received_from=yesterday",
        "?category=bird",
        "?stat=inbox",
    ],
)
def test_what_is_no_list_is_refused(run_in_zoo: RunStory, query: str) -> None:
    async def story(zoo: Zoo) -> None:
        answer = await get(zoo, query)
        assert (answer.status_code, answer.json()["code"]) == (422, "unprocessable")

    run_in_zoo(story)


def test_a_cursor_of_another_order_is_refused(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        await fill(zoo)
        after = (await zoo.listed("?limit=1"))["next"]
        answer = await get(zoo, f"?sort=-received&after={after}")
        assert answer.status_code == 422
        assert "with the same sort" in answer.json()["detail"]

    run_in_zoo(story)


def test_facets_say_what_there_is(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        await fill(zoo)
        found = (await get(zoo, "/facets")).json()
        assert found["states"] == {"inbox": 1, "review": 2, "complete": 1, "trash": 1}
        assert sum(found["sets"].values()) == 5
        assert found["tags"] == {"night": 2, "rain": 2}
        assert found["sources"] == {"": 4, "robot": 1}
        assert found["cameras"] == {"": 3, "left": 2}
        assert found["model_versions"] == {"1.0": 3, "2.0": 1}

    run_in_zoo(story)


def test_facets_are_of_the_images_that_are_meant(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        await fill(zoo)
        found = (await get(zoo, "/facets?camera=left")).json()
        assert found["states"] == {"inbox": 1, "review": 1}
        assert found["tags"] == {"night": 1}
        assert found["model_versions"] == {"1.0": 1}

    run_in_zoo(story)


def test_detections_that_come_later_change_what_images_are_found_by(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        await fill(zoo)
        ids = {image["frame_id"]: image["id"] for image in (await zoo.listed())["items"]}
        entry = {"image_id": ids["b"], "box_detections": seen(0.8, model="3.0")}
        answer = await zoo.person.post(routes.detections("zoo", "cats"), json=[entry])
        assert answer.status_code == 200
        assert await names(zoo, "&sort=-confidence&category=cat") == "abdc"
        entry = {"image_id": ids["a"], "box_detections": seen(0.1, model="3.0")}
        await zoo.person.post(routes.detections("zoo", "cats"), json=[entry])
        assert await names(zoo, "&sort=-confidence&category=cat") == "bdc"
        assert await names(zoo, "&model_version=1.0&category=cat") == "ad"

    run_in_zoo(story)


def test_annotations_that_change_change_what_images_are_found_by(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        image_id = await put(zoo, "a")
        box = {**BOX, "category_id": zoo.cat}
        await zoo.annotate(image_id, box_annotations=[box])
        assert await names(zoo, "&category=cat") == "a"
        await zoo.annotate(image_id, classification_annotation={"category_id": zoo.cat})
        assert await names(zoo, "&category=cat") == "a"
        await zoo.annotate(image_id, box_annotations=[])
        assert await names(zoo, "&category=cat") == ""

    run_in_zoo(story)


def test_lists_of_other_projects_have_nothing_of_it(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        await fill(zoo)
        dogs = await zoo.loop.project(name="dogs")
        for query in ("", "?model_version=1.0&sort=-confidence", "?state=review", "?sort=novelty"):
            path = f"{V1}/projects/{dogs['id']}/images{query}"
            assert (await zoo.person.get(path)).json() == {"items": [], "next": None}

    run_in_zoo(story)


@pytest.mark.parametrize("few", [0, 1, 10_000])
def test_what_a_model_saw_is_found_whether_that_is_much_or_little(
    run_in_zoo: RunStory, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(listing, "_RARE", few)

    async def story(zoo: Zoo) -> None:
        await fill(zoo)
        assert await names(zoo, "&model_version=1.0") == "ade"
        assert await names(zoo, "&model_version=1.0&sort=-created&max_confidence=0.5") == "ed"
        assert await names(zoo, "&model_version=1.0&category=cat") == "ad"
        assert await names(zoo, "&model_version=2.0&category=cat&sort=novelty") == ""

    run_in_zoo(story)
