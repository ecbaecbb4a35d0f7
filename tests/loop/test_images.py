"""Images are listed, described, annotated and shown."""

from edgeloop import imaging
from edgeloop.loop import LoopSettings
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from fakes import jpeg
from uploading import pair, receipts
from zoo import BOX, RunStory, Zoo

DATA = routes.data("zoo", "cats")


def test_trainers_get_the_ids_of_a_state_and_all_but_the_trash(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        ids = await zoo.images("complete", "inbox", "trash", "complete")
        whole = (await zoo.person.get(DATA)).json()
        assert whole == {
            "image_ids": [ids[0], ids[1], ids[3]],
            "categories": zoo.project["categories"],
        }
        for state, expected in (
            ("complete", [ids[0], ids[3]]),
            ("trash", [ids[2]]),
            ("review", []),
        ):
            answer = await zoo.person.get(routes.data("zoo", "cats", state=state))
            assert answer.json()["image_ids"] == expected
        assert (await zoo.person.get(f"{DATA}?state=sorted")).status_code == 422
        assert (await zoo.person.get(routes.data("zoo", "dogs"))).status_code == 404

    run_in_zoo(story)


def test_trainers_get_images_described_with_all_the_keys_they_index(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        found = {**BOX, "category_name": "cat", "model_name": "1.0", "confidence": 0.5}
        annotated = {**BOX, "category_id": zoo.cat}
        (image_id,) = await zoo.images(
            "complete", box_annotations=[annotated], box_detections=[found], set="test"
        )
        path = routes.images_by_id("zoo", "cats", [image_id, "unknown"])
        (image,) = (await zoo.person.get(path)).json()["images"]
        assert image["set"] == "test"
        assert (image["width"], image["height"]) == (64, 48)
        assert image["box_annotations"] == [annotated]
        assert image["point_annotations"] == image["segmentation_annotations"] == []
        assert image["classification_annotation"] is None
        assert image["box_detections"] == []
        assert image["resource"] == f"/zoo/projects/cats/images/{image_id}/main"
        (image,) = (await zoo.person.get(f"{path}&model_version=1.0")).json()["images"]
        assert image["box_detections"] == [{**found, "category_id": zoo.cat}]

    run_in_zoo(story)


def test_too_many_ids_at_once_are_refused(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        path = routes.images_by_id("zoo", "cats", [str(number) for number in range(1001)])
        answer = await zoo.person.get(path)
        assert (answer.status_code, answer.json()["code"]) == (422, "unprocessable")
        assert (await zoo.person.get(routes.images("zoo", "cats"))).json() == {"images": []}

    run_in_zoo(story)


def test_an_image_is_given_back_byte_for_byte_and_small(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        original = jpeg(1000, 500)
        (receipt,) = await receipts(zoo.person, pair(data=original))
        image_id = receipt["id"]
        for path in (routes.image_file("zoo", "cats", image_id), f"{V1}/images/{image_id}/file"):
            answer = await zoo.person.get(path)
            assert answer.content == original
            assert answer.headers["content-type"] == "image/jpeg"
        thumb = f"{routes.images('zoo', 'cats')}/{image_id}/thumb"
        for path in (f"{V1}/images/{image_id}/thumbnail", thumb):
            small = (await zoo.person.get(path)).content
            assert imaging.image_size(small) == (320, 160)

    run_in_zoo(story)


def test_a_thumbnail_is_made_once(run_in_zoo: RunStory, loop_settings: LoopSettings) -> None:
    async def story(zoo: Zoo) -> None:
        (image_id,) = await zoo.images("inbox")
        path = f"{V1}/images/{image_id}/thumbnail"
        await zoo.person.get(path)
        (cached,) = (loop_settings.data_folder / "files" / "thumbs").glob("??/*.jpg")
        cached.write_bytes(b"as it was made")
        assert (await zoo.person.get(path)).content == b"as it was made"

    run_in_zoo(story)


def test_an_image_of_another_project_is_not_found_under_this_one(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        (image_id,) = await zoo.images("inbox")
        await zoo.loop.project(name="dogs")
        answer = await zoo.person.get(routes.image_file("zoo", "dogs", image_id))
        assert answer.status_code == 404
        answer = await zoo.person.get(routes.images_by_id("zoo", "dogs", [image_id]))
        assert answer.json() == {"images": []}
        for path in ("", "/file", "/thumbnail", "/detections"):
            assert (await zoo.person.get(f"{V1}/images/unknown{path}")).status_code == 404
        assert (await zoo.annotate("unknown", state="review")).status_code == 404

    run_in_zoo(story)


def test_images_come_in_pages_oldest_first(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        ids = await zoo.images(*["inbox"] * 5)
        pages = [await zoo.listed("?limit=2")]
        while after := pages[-1]["next"]:
            pages.append(await zoo.listed(f"?limit=2&after={after}"))
        got = [[image["id"] for image in page["items"]] for page in pages]
        assert got == [ids[:2], ids[2:4], ids[4:]]

    run_in_zoo(story)


def test_images_of_one_request_keep_their_order(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        parts = [part for seed in range(10) for part in pair(seed)]
        ids = [receipt["id"] for receipt in await receipts(zoo.person, parts)]
        page = await zoo.listed()
        assert [image["id"] for image in page["items"]] == ids
        assert page["next"] is None

    run_in_zoo(story)


def test_images_are_found_by_state_split_and_tag(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        first, second = await zoo.images("inbox", "review", set="train", tags=["night"])
        (third,) = await zoo.images("review", set="test")

        async def found(query: str) -> list[str]:
            return [image["id"] for image in (await zoo.listed(query))["items"]]

        assert await found("?state=review") == [second, third]
        assert await found("?set=train") == [first, second]
        assert await found("?tag=night") == [first, second]
        assert await found("?tag=night&state=review&set=train") == [second]
        assert await found("?tag=day") == []

    run_in_zoo(story)


def test_a_page_after_an_image_of_another_project_is_refused(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        (image_id,) = await zoo.images("inbox")
        dogs = await zoo.loop.project(name="dogs")
        for after in (image_id, "unknown"):
            path = f"{V1}/projects/{dogs['id']}/images?after={after}"
            assert (await zoo.person.get(path)).status_code == 422

    run_in_zoo(story)


def test_projects_count_their_images_by_state(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        await zoo.images("inbox", "inbox", "complete")
        path = f"{V1}/projects/{zoo.project['id']}"
        counts = (await zoo.person.get(path)).json()["image_counts"]
        assert counts == {"inbox": 2, "annotate": 0, "review": 0, "complete": 1, "trash": 0}

    run_in_zoo(story)


def test_a_lost_file_is_said_and_not_a_bug(
    run_in_zoo: RunStory, loop_settings: LoopSettings
) -> None:
    async def story(zoo: Zoo) -> None:
        (image_id,) = await zoo.images("inbox")
        (path,) = (loop_settings.data_folder / "files" / "images").glob("??/*.jpg")
        path.unlink()
        answer = await zoo.person.get(f"{V1}/images/{image_id}/file")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    run_in_zoo(story)
