"""All that the loop offers for images, by the synchronous and the asynchronous client."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pydantic import SecretStr

from edgeloop.client import AsyncLoopClient, ClientSettings, LoopClient
from edgeloop.client.call import Call
from edgeloop.client.calls.annotations import (
    annotate,
    annotation_history,
    annotations,
    restore_annotations,
)
from edgeloop.client.calls.image_queries import Chosen, ImageChange, ImageQuery
from edgeloop.client.calls.images import (
    change_images,
    delete_images,
    image,
    image_content,
    image_count,
    image_detections,
    image_facets,
    image_ids,
    image_thumbnail,
    images,
    upload_images,
    upload_receipts,
)
from edgeloop.client.calls.novelty import put_novelty_scores
from edgeloop.client.calls.projects import create_project
from edgeloop.errors import Conflict, NotFound
from edgeloop.loop import LoopSettings
from edgeloop.types import Annotations, BoxAnnotation, ImageMetadata
from fakes import jpeg
from loops import PASSWORD, loop_served

T = TypeVar("T")
Send = Callable[[Call[Any]], Any]


@pytest.fixture(params=["sync", "async"])
def send(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Send]:
    """Sends a call to a served loop by one of the clients."""
    settings = LoopSettings(data_folder=tmp_path / "loop", admin_password=SecretStr(PASSWORD))
    with loop_served(settings) as loop:
        mine = ClientSettings(host=loop.host, username="admin", password=SecretStr(PASSWORD))
        if request.param == "sync":
            with LoopClient(mine) as client:
                yield client.send
        else:
            with asyncio.Runner() as runner:
                waiting = AsyncLoopClient(mine)
                yield lambda call: runner.run(waiting.send(call))
                runner.run(waiting.close())


@pytest.fixture
def project(send: Send) -> Any:
    """The project o/p with a category and three images: a, b, c."""
    record = send(create_project("o", "p", [{"name": "bolt"}]))
    pairs = [
        (ImageMetadata(frame, tags=(frame,), camera_id="left"), jpeg(seed=seed))
        for seed, frame in enumerate("abc")
    ]
    send(upload_images("o", "p", pairs, login=True))
    return record


def test_images_are_found_in_pages_and_counted(send: Send, project: Any) -> None:
    first = send(images(project.id, sort="-received", limit=2))
    rest = send(images(project.id, sort="-received", limit=2, after=first.next))
    assert [found.frame_id for found in (*first.items, *rest.items)] == ["c", "b", "a"]
    query = ImageQuery(tags=("a",), camera="left", received_from=datetime(2020, 1, 1, tzinfo=UTC))
    assert send(image_count(project.id, query)) == 1
    assert send(image_facets(project.id)).cameras == {"left": 3}
    assert send(image_count(project.id, ImageQuery(camera=""))) == 0


def test_an_image_is_read_with_its_files(send: Send, project: Any) -> None:
    (image_id, *_) = send(image_ids("o", "p"))
    assert send(image(image_id)).to_record().tags == ("a",)
    assert send(image_content(image_id)) == jpeg(seed=0)
    assert send(image_thumbnail(image_id)).startswith(b"\xff\xd8")
    assert send(image_detections(image_id)) == {}
    with pytest.raises(NotFound):
        send(image("../../unknown"))


def test_a_repeated_upload_is_told(send: Send, project: Any, tmp_path: Path) -> None:
    path = tmp_path / "d.jpg"
    path.write_bytes(jpeg(seed=9))
    pairs: list[tuple[ImageMetadata, bytes | Path]] = [
        (ImageMetadata("a"), jpeg(seed=0)),
        (ImageMetadata("d"), path),
    ]
    receipts = send(upload_receipts("o", "p", pairs, login=True))
    assert [receipt.repeated for receipt in receipts] == [True, False]


def test_many_images_are_changed_and_deleted(send: Send, project: Any) -> None:
    ids = tuple(send(image_ids("o", "p")))
    change = ImageChange(state="review", split="test", add_tags=("new",), remove_tags=("a",))
    assert send(change_images(project.id, Chosen(ids[:2]), change)).changed == 2
    assert send(image_count(project.id, ImageQuery("review", "test", tags=("new",)))) == 2
    query = ImageQuery(state="review")
    with pytest.raises(Conflict):
        send(delete_images(project.id, Chosen(None, query, expected=3)))
    assert send(delete_images(project.id, Chosen(None, query, expected=2))).changed == 2
    assert send(image_ids("o", "p")) == [ids[2]]


def test_images_are_sorted_by_the_novelty_that_was_said_of_them(send: Send, project: Any) -> None:
    a, b, c = send(image_ids("o", "p"))
    assert send(put_novelty_scores("o", "p", {a: 0.2, b: 0.9, "unknown": 1.0})) == 2
    found = send(images(project.id, sort="-novelty")).items
    assert [(each.id, each.novelty) for each in found] == [(b, 0.9), (a, 0.2), (c, None)]


def test_annotations_are_made_seen_and_restored(send: Send, project: Any) -> None:
    (image_id, *_) = send(image_ids("o", "p"))
    bolt = project.category_ids()["bolt"]
    made = Annotations(boxes=(BoxAnnotation(bolt, 1, 2, 10, 10),))
    assert send(annotate(image_id, made, state="complete", version=0)).annotations == made
    send(annotate(image_id, Annotations(), version=1))
    assert send(annotations(image_id)).version == 2
    newest, oldest = send(annotation_history(image_id)).items
    assert (newest.version, oldest.to_annotations()) == (2, made)
    restored = send(restore_annotations(image_id, 1, seen=2))
    assert (restored.annotation_version, restored.annotations) == (3, made)
