"""Files and rows: whatever ends a request, no file is lost and none stays behind."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import delete, text

from edgeloop.errors import StorageFull
from edgeloop.loop import LoopSettings
from edgeloop.loop.db.tables import ImageRow
from edgeloop.loop.services import files
from edgeloop.loop.services.workspace import Workspaces
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from fakes import jpeg
from loops import LoopInProcess, OpenLoop
from uploading import pair, post, receipts


class KilledError(BaseException):
    """Stands for the end of the process: nobody cleans up after it."""


async def stored(workspaces: Workspaces, *keys: str) -> list[bool]:
    """Which of these files there are."""
    return [await workspaces.storage.exists(key) for key in keys]


async def put(workspaces: Workspaces, *keys: str) -> None:
    """Store something under these keys."""
    for key in keys:
        await workspaces.storage.put(key, b"bytes")


@contextlib.asynccontextmanager
async def image_on(loop: LoopInProcess) -> AsyncIterator[tuple[str, str]]:
    """An uploaded image: its id and the key of its file."""
    await loop.project()
    client = await loop.client()
    (receipt,) = await receipts(client, pair(1))
    async with loop.workspaces.read() as workspace:
        row = await workspace.session.get_one(ImageRow, receipt["id"])
    yield row.id, files.image_key(row.content_hash)


def test_files_that_got_no_row_are_removed_when_the_request_fails(open_loop: OpenLoop) -> None:
    image, thumbnail, model = "images/aa/aa.jpg", "thumbs/aa/aa.jpg", "models/m/torch.zip"

    async def story() -> None:
        async with open_loop() as loop:
            works = loop.workspaces

            async def fail() -> None:
                async with files.in_doubt(works, [image, model]):
                    await put(works, image, thumbnail, model)
                    raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await fail()
            assert await stored(works, image, thumbnail, model) == [False, False, False]
            assert await works.storage.intents() == {}

    asyncio.run(story())


def test_the_file_of_a_deleted_row_goes_with_it_and_its_thumbnail_too(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop, image_on(loop) as (image_id, key):
            client = await loop.client()
            thumbnail = key.replace("images/", "thumbs/")
            assert (await client.get(f"{V1}/images/{image_id}/thumbnail")).status_code == 200
            assert await stored(loop.workspaces, key, thumbnail) == [True, True]
            async with (
                files.in_doubt(loop.workspaces, [key]),
                loop.workspaces.write() as workspace,
            ):
                await workspace.session.execute(delete(ImageRow).where(ImageRow.id == image_id))
            assert await stored(loop.workspaces, key, thumbnail) == [False, False]

    asyncio.run(story())


def test_a_file_that_another_row_needs_stays(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop, image_on(loop) as (_, key):
            async with files.in_doubt(loop.workspaces, [key]):
                pass
            assert await stored(loop.workspaces, key) == [True]

    asyncio.run(story())


def test_a_file_that_someone_else_is_storing_is_left_to_them(open_loop: OpenLoop) -> None:
    key = "images/aa/aa.jpg"

    async def story() -> None:
        async with open_loop() as loop:
            async with files.in_doubt(loop.workspaces, [key]):
                async with files.in_doubt(loop.workspaces, [key]):
                    await put(loop.workspaces, key)
                assert await stored(loop.workspaces, key) == [True]
            assert await stored(loop.workspaces, key) == [False]

    asyncio.run(story())


def test_who_wants_a_file_that_is_being_removed_waits_until_it_is_gone(open_loop: OpenLoop) -> None:
    key = "images/aa/aa.jpg"
    seen: list[bool] = []

    async def story() -> None:
        async with open_loop() as loop:
            works = loop.workspaces
            await works.holders.take([key])
            alone = works.holders.leave([key])

            async def want() -> None:
                async with files.in_doubt(works, [key]):
                    seen.extend(await stored(works, key))

            async with asyncio.TaskGroup() as group:
                await put(works, key)
                wanting = group.create_task(want())
                await files.remove_unneeded(works, alone)
                assert not wanting.done()
                works.holders.gone(alone)
            assert seen == [False]

    asyncio.run(story())


def test_what_a_killed_loop_stored_for_no_row_is_removed_at_the_next_start(
    open_loop: OpenLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphan = "images/aa/aa.jpg"

    async def killed(*_: object) -> None:
        raise KilledError

    async def story() -> None:
        async with open_loop() as loop, image_on(loop) as (_, kept):
            with monkeypatch.context() as patch, contextlib.suppress(KilledError):
                patch.setattr(files.Doubt, "settle", killed)
                async with files.in_doubt(loop.workspaces, [kept, orphan]):
                    await put(loop.workspaces, orphan)
            assert await stored(loop.workspaces, orphan) == [True]
        async with open_loop() as loop:
            assert await stored(loop.workspaces, kept, orphan) == [True, False]
            assert await loop.workspaces.storage.intents() == {}

    asyncio.run(story())


def test_an_intent_that_cannot_be_settled_now_stays_for_the_next_start(
    open_loop: OpenLoop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object) -> None:
        raise StorageFull("No space left.")

    async def story() -> None:
        async with open_loop() as loop:
            with monkeypatch.context() as patch:
                patch.setattr(files, "remove_unneeded", fail)
                async with files.in_doubt(loop.workspaces, ["images/aa/aa.jpg"]):
                    pass
            assert [*(await loop.workspaces.storage.intents()).values()] == [["images/aa/aa.jpg"]]
            async with files.in_doubt(loop.workspaces, ["images/aa/aa.jpg"]):
                pass  # and nobody waits for it for ever

    asyncio.run(story())
    assert "the next start does it" in caplog.text


def test_bytes_of_a_frame_that_is_known_with_other_bytes_do_not_stay(
    open_loop: OpenLoop, loop_settings: LoopSettings
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            await receipts(client, pair(1, frame_id="f"))
            (again,) = await receipts(client, pair(2, frame_id="f"))
            assert again["repeated"]

    asyncio.run(story())
    (path,) = [p for p in (loop_settings.data_folder / "files").rglob("*") if p.is_file()]
    assert path.read_bytes() == jpeg(seed=1)


def test_uploads_of_the_same_bytes_of_which_some_fail_lose_none(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            async with loop.workspaces.write() as workspace:
                await workspace.session.execute(
                    text(
                        "CREATE TRIGGER no_b BEFORE INSERT ON images WHEN NEW.frame_id LIKE 'b%' "
                        "BEGIN SELECT RAISE(ABORT, 'not b'); END"
                    )
                )
            answers = await asyncio.gather(
                *(post(client, pair(1, frame_id=f"{'ab'[n % 2]}{n}")) for n in range(12))
            )
            assert [answer.status_code for answer in answers] == [200, 409] * 6
            for answer in answers[::2]:
                image_id = answer.json()["items"][0]["id"]
                found = await client.get(f"{V1}/images/{image_id}/file")
                assert found.content == jpeg(seed=1)

    asyncio.run(story())


def test_there_are_no_intents_while_nothing_happens(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            await loop.project()
            client = await loop.client()
            await receipts(client, pair(1))
            assert (await client.get(routes.STATUS)).status_code == 200
            assert await loop.workspaces.storage.intents() == {}

    asyncio.run(story())
