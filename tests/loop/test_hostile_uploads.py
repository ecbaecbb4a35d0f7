"""Uploads by senders that mean no good, or are broken: refused clearly, and nothing is stored."""

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from edgeloop.loop import LoopSettings
from edgeloop.loop.api import forms
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from fakes import jpeg
from loops import ServedLoop, loop_served
from uploading import IMAGES, Part, image_part, metadata_part, pair, post
from zoo import RunStory, Zoo

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"


def stored(settings: LoopSettings) -> list[Path]:
    """All files in the storage."""
    return [path for path in (settings.data_folder / "files").rglob("*") if path.is_file()]


@pytest.fixture
def hasty_settings(loop_settings: LoopSettings) -> LoopSettings:
    """A loop that waits for 0.3 s, and takes up to 100 kB."""
    return loop_settings.model_copy(update={"body_idle_s": 0.3, "max_upload_bytes": 100_000})


@pytest.fixture
def hasty_loop(hasty_settings: LoopSettings) -> Iterator[ServedLoop]:
    """Such a loop with the project zoo/cats; clients of this host may upload to it."""
    with loop_served(hasty_settings) as loop, httpx.Client(base_url=loop.url) as client:
        form = {"username": loop.username, "password": loop.password}
        assert client.post(routes.LOGIN, data=form).status_code == 200
        body = {"organization": "zoo", "name": "cats"}
        assert client.post(f"{V1}/projects", json=body).status_code == 200
        yield loop


def exchange(loop: ServedLoop, *sent: bytes, path: str = IMAGES, length: str) -> tuple[bytes, str]:
    """Send a request as raw bytes; returns the whole answer's head and the code of the failure.

    The loop must end the connection.
    """
    host, port = loop.host.split(":")
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {loop.host}\r\n{length}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        for data in (head.encode(), *sent):
            connection.sendall(data)
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    top, _, body = answer.partition(b"\r\n\r\n")
    return top, json.loads(body)["code"]


def test_a_body_that_says_it_has_4_gb_is_refused_before_it_comes(
    hasty_loop: ServedLoop, hasty_settings: LoopSettings
) -> None:
    head, code = exchange(hasty_loop, length=f"Content-Length: {4 << 30}")
    assert (head.split()[1], code) == (b"422", "unprocessable")
    assert b"connection: close" in head.lower()
    assert stored(hasty_settings) == []


def test_a_sender_that_stops_in_the_middle_is_told_and_cut_off(
    hasty_loop: ServedLoop, hasty_settings: LoopSettings
) -> None:
    head, code = exchange(hasty_loop, b"--x\r\nContent-Dis", length="Content-Length: 90000")
    assert (head.split()[1], code) == (b"408", "too_slow")
    assert b"connection: close" in head.lower()
    assert stored(hasty_settings) == []


def test_a_slow_sender_of_json_is_cut_off_too(hasty_loop: ServedLoop) -> None:
    head, code = exchange(hasty_loop, b"[", path=f"{V1}/projects", length="Content-Length: 9")
    assert (head.split()[1], code) == (b"408", "too_slow")


def test_a_sender_that_reads_only_after_it_sent_all_gets_the_refusal(
    hasty_loop: ServedLoop, hasty_settings: LoopSettings
) -> None:
    body = b"--x\r\n" + bytes(4_000_000)
    head, code = exchange(hasty_loop, body, length=f"Content-Length: {len(body)}")
    assert (head.split()[1], code) == (b"422", "unprocessable")
    assert stored(hasty_settings) == []


def test_a_body_without_a_length_is_cut_where_it_gets_too_large(hasty_loop: ServedLoop) -> None:
    chunks = [b"%x\r\n%s\r\n" % (50_000, bytes(50_000)) for _ in range(5)]
    head, code = exchange(
        hasty_loop, b"8\r\n--x\r\n\r\n1\r\n", *chunks, length="Transfer-Encoding: chunked"
    )
    assert (head.split()[1], code) == (b"422", "unprocessable")


def test_an_early_answer_to_a_small_body_keeps_the_connection(hasty_loop: ServedLoop) -> None:
    with httpx.Client(base_url=hasty_loop.url) as client:
        answer = client.post(f"{V1}/nowhere", content=b"{}")
        assert answer.status_code == 404
        assert "connection" not in answer.headers


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("image.svg", SVG, "image/svg+xml"),
        ("image.jpg", SVG, "image/jpeg"),
        ("image.html", HTML, "text/html"),
        ("image.jpg", b"\xff\xd8" + HTML, "image/jpeg"),
        ("image.png", b"\x89PNG\r\n\x1a\n" + bytes(100), "image/png"),
        ("image.jpg", b"PK\x03\x04" + bytes(100), "application/zip"),
    ],
)
def test_what_is_no_jpeg_is_refused_whatever_it_calls_itself(
    run_in_zoo: RunStory, loop_settings: LoopSettings, name: str, content: bytes, kind: str
) -> None:
    async def story(zoo: Zoo) -> None:
        part: Part = ("files", (name, content, kind))
        answer = await post(zoo.person, [metadata_part("image.json"), part])
        assert (answer.status_code, answer.json()["code"]) == (422, "image")
        assert stored(loop_settings) == []

    run_in_zoo(story)


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "nonsense"])
def test_an_image_is_given_back_as_a_jpeg_whatever_its_sender_called_it(
    run_in_zoo: RunStory, kind: str
) -> None:
    async def story(zoo: Zoo) -> None:
        part: Part = ("files", ("image.html", jpeg(), kind))
        answer = await post(zoo.person, [metadata_part("image.json"), part])
        image_id = answer.json()["items"][0]["id"]
        answer = await zoo.person.get(f"{V1}/images/{image_id}/file")
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["x-content-type-options"] == "nosniff"

    run_in_zoo(story)


def test_too_many_parts_are_refused(
    run_in_zoo: RunStory, loop_settings: LoopSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "MAX_PARTS", 20)

    async def story(zoo: Zoo) -> None:
        parts = [part for seed in range(11) for part in pair(seed)]
        answer = await post(zoo.person, parts)
        assert (answer.status_code, answer.json()["code"]) == (422, "unprocessable")
        assert "more than 20 parts" in answer.json()["detail"]
        assert stored(loop_settings) == []

    run_in_zoo(story)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary anywhere",
        b"--x",
        b"--x\r\n",
        b"--x\r\nContent-Disposition: form-data; name=files; filename=a.jpg\r\n\r\n\xff\xd8",
        b"--x\r\n" + b"X-Long: " + b"y" * 10_000 + b"\r\n\r\n--x--\r\n",
        b"--x\r\n" + b"X-Many: y\r\n" * 100 + b"\r\n--x--\r\n",
        b"--x\r\n\r\nwithout a header\r\n--x--\r\n",
        b"--x\r\nContent-Disposition: \xff\xfe\r\n\r\n1\r\n--x--\r\n",
        b"--x\r\nContent-Disposition: form-data; name=note\r\n\r\na field\r\n--x--\r\n",
    ],
)
def test_broken_forms_and_such_without_files_store_nothing(
    run_in_zoo: RunStory, loop_settings: LoopSettings, body: bytes
) -> None:
    async def story(zoo: Zoo) -> None:
        headers = {"content-type": "multipart/form-data; boundary=x"}
        answer = await zoo.person.post(IMAGES, content=body, headers=headers)
        assert answer.status_code in (400, 422)
        assert stored(loop_settings) == []

    run_in_zoo(story)


def test_a_boundary_that_is_too_long_is_refused(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        headers = {"content-type": f"multipart/form-data; boundary={'x' * 5000}"}
        answer = await zoo.person.post(IMAGES, content=b"--x--", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "input")

    run_in_zoo(story)


@pytest.mark.parametrize(
    "name", ["../../evil.jpg", "/etc/evil.jpg", "..\\evil.jpg", "a\x00b.jpg", "%2e%2e%2fevil.jpg"]
)
def test_names_of_parts_lead_nowhere(
    run_in_zoo: RunStory, loop_settings: LoopSettings, name: str
) -> None:
    async def story(zoo: Zoo) -> None:
        parts = [metadata_part("image.json", frame_id=name, camera_id=name), image_part(name)]
        answer = await post(zoo.person, parts)
        assert answer.status_code == 200, answer.text
        (path,) = stored(loop_settings)
        assert path.parent.parent == loop_settings.data_folder / "files" / "images"
        assert not list(loop_settings.data_folder.parent.rglob("*evil*"))

    run_in_zoo(story)


@pytest.mark.parametrize(
    "image_id",
    ["..", "..%2F..%2Floop.sqlite", "%2e%2e%2floop.sqlite", ".draft-1", "%00", "%25", "%27"],
)
def test_ids_lead_nowhere(run_in_zoo: RunStory, image_id: str) -> None:
    async def story(zoo: Zoo) -> None:
        for path in (
            f"{V1}/images/{image_id}/file",
            f"{V1}/images/{image_id}/thumbnail",
            f"{IMAGES}/{image_id}/main",
            f"{IMAGES}/{image_id}/thumb",
        ):
            assert (await zoo.person.get(path)).status_code in (404, 405), path

    run_in_zoo(story)


def test_numbers_beyond_all_bounds_are_left_out_or_cut(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        shape = '"y": 1, "width": 5, "height": 5, "confidence": 1, "category_name": "cat"'
        boxes = ", ".join(f'{{"x": {x}, {shape}}}' for x in ("1e999", "-1e300", 10**30, 10))
        document = f'{{"box_detections": [{boxes}]}}'.encode()
        part: Part = ("files", ("image.json", document, "text/plain"))
        (receipt,) = (await post(zoo.person, [part, image_part()])).json()["items"]
        answer = await zoo.person.get(f"{V1}/images/{receipt['id']}/detections")
        assert [box["x"] for box in answer.json()["items"][0]["box_detections"]] == [10]

    run_in_zoo(story)


@pytest.mark.parametrize(
    "document",
    [
        f'{{"created": {"9" * 5000}}}',
        '"a string"',
        "5",
        "NaN",
        "[{}]",
        "null",
    ],
)
def test_metadata_that_makes_no_sense_is_refused(run_in_zoo: RunStory, document: str) -> None:
    async def story(zoo: Zoo) -> None:
        part: Part = ("files", ("image.json", document.encode(), "text/plain"))
        answer = await post(zoo.person, [part, image_part()])
        assert (answer.status_code, answer.json()["code"]) == (422, "unprocessable")

    run_in_zoo(story)


def test_text_that_looks_like_sql_is_text(run_in_zoo: RunStory) -> None:
    async def story(zoo: Zoo) -> None:
        text = "'; DROP TABLE images; --%_"
        fields: dict[str, Any] = {
            "frame_id": text,
            "source": text,
            "camera_id": text,
            "tags": [text, "\x1f", "\0"],
        }
        answer = await post(zoo.person, pair(1, **fields))
        assert answer.status_code == 200, answer.text
        for word in ("source", "camera", "tag", "frame_id"):
            query = httpx.QueryParams({word: text})
            (image,) = (await zoo.listed(f"?{query}"))["items"]
            assert image["source"] == text

    run_in_zoo(story)


def test_many_hostile_requests_at_once_leave_the_loop_unharmed(
    run_in_zoo: RunStory, loop_settings: LoopSettings
) -> None:
    async def story(zoo: Zoo) -> None:
        bad = [pair(n, data=SVG) for n in range(10)] + [
            [("files", ("image.json", b"5", "text/plain")), image_part(seed=n)] for n in range(10)
        ]
        answers = await asyncio.gather(*(post(zoo.person, parts) for parts in bad))
        assert {answer.status_code for answer in answers} == {422}
        assert stored(loop_settings) == []
        assert (await post(zoo.person, pair(1))).status_code == 200

    run_in_zoo(story)
