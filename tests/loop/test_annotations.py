"""Annotations are changed, counted by version, kept and restored."""

from typing import Any

import pytest

from edgeloop.protocol.routes import V1
from uploading import image_of
from zoo import BOX, RunStory, Zoo


def test_annotations_are_replaced_whole_and_counted(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        (image_id,) = await zoo.images("annotate")
        box = {**BOX, "category_id": zoo.cat}
        answer = await zoo.annotate(
            image_id, box_annotations=[box], state="review", set="test", version=0
        )
        assert answer.status_code == 200, answer.text
        image = answer.json()
        assert (image["box_annotations"], image["annotation_version"]) == ([box], 1)
        assert (image["state"], image["set"]) == ("review", "test")
        assert image == await image_of(zoo.person, {"id": image_id})
        point = {"x": 3, "y": 4, "category_name": "cat"}
        image = (await zoo.annotate(image_id, point_annotations=[point], version=1)).json()
        assert (image["box_annotations"], image["annotation_version"]) == ([], 2)
        assert image["point_annotations"] == [{"x": 3, "y": 4, "category_id": zoo.cat}]
        assert (image["state"], image["set"]) == ("review", "test")

    run_in_zoo(story)


def test_who_saw_older_annotations_is_told_and_changes_nothing(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        (image_id,) = await zoo.images("annotate")
        box = {**BOX, "category_id": zoo.cat}
        await zoo.annotate(image_id, box_annotations=[box], version=0)
        before = await image_of(zoo.person, {"id": image_id})
        answer = await zoo.annotate(image_id, box_annotations=[], state="complete", version=0)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        assert "load the image again" in answer.json()["detail"]
        assert await image_of(zoo.person, {"id": image_id}) == before

    run_in_zoo(story)


def test_a_change_of_state_alone_leaves_the_annotations(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        box = {**BOX, "category_id": zoo.cat}
        (image_id,) = await zoo.images("review", box_annotations=[box])
        image = (await zoo.annotate(image_id, state="complete")).json()
        assert (image["state"], image["box_annotations"]) == ("complete", [box])
        assert image["annotation_version"] == 1

    run_in_zoo(story)


def test_annotations_are_cut_to_the_image(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        (image_id,) = await zoo.images("annotate")
        boxes = [
            {"x": -10, "y": 0, "width": 500, "height": 10, "category_id": zoo.cat},
            {"x": 900, "y": 0, "width": 5, "height": 10, "category_id": zoo.cat},
        ]
        image = (await zoo.annotate(image_id, box_annotations=boxes)).json()
        (box,) = image["box_annotations"]
        assert (box["x"], box["width"]) == (0, 64)

    run_in_zoo(story)


@pytest.mark.parametrize(
    "wrong",
    [
        {"box_annotations": [{**BOX, "category_id": "unknown"}]},
        {"box_annotations": [{**BOX, "category_name": "dog"}]},
        {"box_annotations": [BOX]},
        {"classification_annotation": {"category_name": "dog"}},
        {"classification_annotation": {"category_id": "unknown"}},
        {"box_annotations": [{"x": 1}]},
        {"state": "sorted"},
        {"set": "exam"},
    ],
)
def test_impossible_annotations_are_refused(run_in_zoo: RunStory, wrong: dict[str, Any]) -> None:
    async def story(zoo: Zoo) -> None:
        (image_id,) = await zoo.images("annotate")
        answer = await zoo.annotate(image_id, **wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, "unprocessable")
        image = await image_of(zoo.person, {"id": image_id})
        assert (image["annotation_version"], image["state"]) == (0, "annotate")

    run_in_zoo(story)


def test_a_whole_image_can_have_a_category(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        (image_id,) = await zoo.images("annotate")
        image = (
            await zoo.annotate(image_id, classification_annotation={"category_name": "cat"})
        ).json()
        assert image["classification_annotation"] == {"category_id": zoo.cat}

    run_in_zoo(story)


def shapes_of(item: dict[str, Any]) -> list[int]:
    """The left edges of the boxes."""
    return [box["x"] for box in item["box_annotations"]]


async def annotated_thrice(zoo: Zoo) -> str:
    """An image whose annotations were one box at 1, then at 2, then at 3."""
    (image_id,) = await zoo.images("annotate")
    for left in (1, 2, 3):
        box = {**BOX, "x": left, "category_id": zoo.cat}
        assert (await zoo.annotate(image_id, box_annotations=[box])).status_code == 200
    return image_id


def test_the_history_tells_every_version_with_its_author_and_time(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        image_id = await annotated_thrice(zoo)
        path = f"{V1}/images/{image_id}/annotations/history"
        page = (await zoo.person.get(path)).json()
        assert [(item["version"], shapes_of(item)) for item in page["items"]] == [
            (3, [3]),
            (2, [2]),
            (1, [1]),
        ]
        assert {item["author"] for item in page["items"]} == {"admin"}
        assert {item["created"] for item in page["items"]} == {zoo.loop.clock().isoformat()}
        assert page["next"] is None

    run_in_zoo(story)


def test_the_history_comes_in_pages(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        image_id = await annotated_thrice(zoo)
        path = f"{V1}/images/{image_id}/annotations/history?limit=2"
        first = (await zoo.person.get(path)).json()
        rest = (await zoo.person.get(f"{path}&after={first['next']}")).json()
        assert [item["version"] for item in first["items"]] == [3, 2]
        assert ([item["version"] for item in rest["items"]], rest["next"]) == ([1], None)

    run_in_zoo(story)


def test_an_image_that_nobody_annotated_has_no_history(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        (image_id,) = await zoo.images("inbox")
        answer = await zoo.person.get(f"{V1}/images/{image_id}/annotations/history")
        assert answer.json() == {"items": [], "next": None}

    run_in_zoo(story)


def test_an_old_version_is_restored_as_a_new_one(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        image_id = await annotated_thrice(zoo)
        path = f"{V1}/images/{image_id}/annotations"
        answer = await zoo.person.post(f"{path}/restore", json={"version": 1, "seen": 3})
        assert answer.status_code == 200, answer.text
        assert (answer.json()["annotation_version"], shapes_of(answer.json())) == (4, [1])
        history = (await zoo.person.get(f"{path}/history")).json()["items"]
        assert [shapes_of(item) for item in history] == [[1], [3], [2], [1]]

    run_in_zoo(story)


def test_restoring_over_a_version_that_one_has_not_seen_is_a_conflict(
    run_in_zoo: RunStory,
) -> None:
    async def story(zoo: Zoo) -> None:
        image_id = await annotated_thrice(zoo)
        path = f"{V1}/images/{image_id}/annotations"
        answer = await zoo.person.post(f"{path}/restore", json={"version": 1, "seen": 2})
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        headers = {"If-Match": '"2"'}
        answer = await zoo.person.post(f"{path}/restore", json={"version": 1}, headers=headers)
        assert answer.status_code == 412
        assert shapes_of((await zoo.person.get(path)).json()) == [3]

    run_in_zoo(story)


def test_a_version_that_never_was_is_not_found(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        image_id = await annotated_thrice(zoo)
        path = f"{V1}/images/{image_id}/annotations/restore"
        for version in (0, 4, 1 << 62):
            answer = await zoo.person.post(path, json={"version": version})
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    run_in_zoo(story)


def test_the_version_of_the_annotations_is_their_etag(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        image_id = await annotated_thrice(zoo)
        path = f"{V1}/images/{image_id}/annotations"
        answer = await zoo.person.get(path)
        assert (answer.headers["etag"], answer.json()["version"]) == ('"3"', 3)
        assert shapes_of(answer.json()) == [3]
        changed = await zoo.person.put(
            path, json={"box_annotations": []}, headers={"If-Match": answer.headers["etag"]}
        )
        assert (changed.status_code, changed.headers["etag"]) == (200, '"4"')

    run_in_zoo(story)


@pytest.mark.parametrize(("if_match", "status"), [('"2"', 412), ('"1", "3"', 200), ("*", 200)])
def test_a_change_happens_only_if_the_annotations_match(
    run_in_zoo: RunStory, if_match: str, status: int
) -> None:
    async def story(zoo: Zoo) -> None:
        image_id = await annotated_thrice(zoo)
        answer = await zoo.person.put(
            f"{V1}/images/{image_id}/annotations",
            json={"state": "complete"},
            headers={"If-Match": if_match},
        )
        assert answer.status_code == status
        state = (await image_of(zoo.person, {"id": image_id}))["state"]
        assert state == ("complete" if status == 200 else "annotate")

    run_in_zoo(story)
