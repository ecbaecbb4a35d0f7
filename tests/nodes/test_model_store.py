"""Models on this disk."""

import asyncio
import os
import shutil
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from detecting import FORMAT, OddLoop, model_json, model_zip
from edgeloop import durable
from edgeloop.client import AsyncLoopClient
from edgeloop.errors import ModelLoadFailed, NotFound
from edgeloop.nodes.model_store import ModelStore
from edgeloop.types import LocalModel

Fetch = Callable[[str], Awaitable[LocalModel]]
Story = Callable[[ModelStore, OddLoop, Fetch], Awaitable[None]]


def tell(folder: Path, story: Story, *, keep: int = 3, max_bytes: int = 1 << 20) -> None:
    async def told() -> None:
        store = ModelStore(folder / "models", keep=keep, max_bytes=max_bytes)
        async with OddLoop().serve() as loop, AsyncLoopClient(loop.settings) as client:

            async def fetch(model_id: str) -> LocalModel:
                return await store.fetch(
                    client, "zoo", "cats", model_id=model_id, model_format=FORMAT
                )

            await story(store, loop, fetch)

    asyncio.run(told())


def test_a_model_is_downloaded_once(tmp_path: Path) -> None:
    async def story(_store: ModelStore, loop: OddLoop, fetch: Fetch) -> None:
        loop.deploy("1.0")
        model = await fetch("model-1.0")
        again = await fetch("model-1.0")
        assert model == again
        assert model.info.version == "1.0"
        assert (model.path / "weights.bin").read_bytes() == b"1.0"
        assert loop.downloads == [f"model-1.0.{FORMAT}"]

    tell(tmp_path, story)


def test_no_draft_is_left_after_a_download(tmp_path: Path) -> None:
    async def story(_store: ModelStore, loop: OddLoop, fetch: Fetch) -> None:
        loop.deploy("1.0")
        model = await fetch("model-1.0")
        assert list((tmp_path / "models").iterdir()) == [model.path]
        with pytest.raises(NotFound):
            await fetch("unknown")
        assert list((tmp_path / "models").iterdir()) == [model.path]

    tell(tmp_path, story)


def test_the_id_is_that_of_the_loop(tmp_path: Path) -> None:
    async def story(_store: ModelStore, loop: OddLoop, fetch: Fetch) -> None:
        loop.models["asked"] = model_zip(files={"model.json": model_json(id="another")})
        assert (await fetch("asked")).info.id == "asked"

    tell(tmp_path, story)


def garbled(compression: int) -> bytes:
    """A zip whose directory is whole, but not what is compressed in it."""
    content = bytearray(model_zip(compression=compression))
    start = 45 + len("model.json")  # behind the file's header, and that of lzma
    content[start : start + 40] = b"\xff" * 40
    return bytes(content)


bad_zips = {
    "a path": (model_zip(files={"model.json": model_json(), "../up": b""}), "not flat"),
    "a folder": (model_zip(files={"model.json": model_json(), "a/b": b""}), "not flat"),
    "a backslash": (model_zip(files={"model.json": model_json(), "a\\b": b""}), "not flat"),
    "a hidden file": (model_zip(files={"model.json": model_json(), ".ssh": b""}), "not flat"),
    "no model.json": (model_zip(files={"weights": b"w"}), "has no model.json"),
    "a list": (model_zip(files={"model.json": b"[]"}), "model.json is not usable"),
    "half a model.json": (model_zip(files={"model.json": b'{"id"'}), "model.json is not usable"),
    "an empty model.json": (model_zip(files={"model.json": b"{}"}), "Field required"),
    "no zip": (b"<html>", "damaged"),
    "half a zip": (model_zip()[:-30], "damaged"),
    "a garbled deflate": (garbled(zipfile.ZIP_DEFLATED), "damaged"),
    "a garbled lzma": (garbled(zipfile.ZIP_LZMA), "damaged"),
    "too large": (model_zip(files={"model.json": model_json(), "w": bytes(2 << 20)}), "more than"),
}


@pytest.mark.parametrize(("content", "message"), bad_zips.values(), ids=bad_zips.keys())
def test_a_zip_that_is_no_model_is_refused_and_leaves_nothing(
    tmp_path: Path, content: bytes, message: str
) -> None:
    async def story(_store: ModelStore, loop: OddLoop, fetch: Fetch) -> None:
        loop.models["bad"] = content
        with pytest.raises(ModelLoadFailed, match=message):
            await fetch("bad")

    tell(tmp_path, story)
    assert list((tmp_path / "models").iterdir()) == []


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    async def story(_store: ModelStore, loop: OddLoop, fetch: Fetch) -> None:
        archive = tmp_path / "link.zip"
        with zipfile.ZipFile(archive, "w") as package:
            package.writestr("model.json", model_json())
            link = zipfile.ZipInfo("weights")
            link.external_attr = 0o120777 << 16
            package.writestr(link, "/etc/passwd")
        loop.models["bad"] = archive.read_bytes()
        with pytest.raises(ModelLoadFailed, match="not flat"):
            await fetch("bad")

    tell(tmp_path, story)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    async def story(_store: ModelStore, loop: OddLoop, fetch: Fetch) -> None:
        archive = tmp_path / "twice.zip"
        with zipfile.ZipFile(archive, "w") as package:
            package.writestr("model.json", model_json())
            package.writestr("model.json", model_json("6.6"))
        loop.models["bad"] = archive.read_bytes()
        with pytest.raises(ModelLoadFailed, match="same name"):
            await fetch("bad")

    tell(tmp_path, story)


@pytest.mark.parametrize("name", ["../../etc", ".", "", "a/b"])
def test_an_id_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    async def story(_store: ModelStore, loop: OddLoop, fetch: Fetch) -> None:
        with pytest.raises(ModelLoadFailed, match="no name of a model"):
            await fetch(name)
        assert loop.downloads == []

    tell(tmp_path, story)


def test_a_folder_without_its_model_json_is_downloaded_again(tmp_path: Path) -> None:
    async def story(_store: ModelStore, loop: OddLoop, fetch: Fetch) -> None:
        loop.deploy("1.0")
        (await fetch("model-1.0")).path.joinpath("model.json").unlink()
        assert (await fetch("model-1.0")).info.version == "1.0"

    tell(tmp_path, story)


def test_the_current_model_is_known_after_a_restart(tmp_path: Path) -> None:
    async def story(store: ModelStore, loop: OddLoop, fetch: Fetch) -> None:
        assert store.current() is None
        loop.deploy("1.0")
        model = await fetch("model-1.0")
        store.set_current(model)
        assert ModelStore(tmp_path / "models").current() == model

    tell(tmp_path, story)


def test_a_current_model_that_is_damaged_is_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(store: ModelStore, loop: OddLoop, fetch: Fetch) -> None:
        loop.deploy("1.0")
        model = await fetch("model-1.0")
        store.set_current(model)
        (model.path / "model.json").write_text("{")
        assert store.current() is None
        assert store.local() == []
        assert "cannot be used" in caplog.text

    tell(tmp_path, story)


def test_the_models_used_last_are_kept(tmp_path: Path) -> None:
    async def story(store: ModelStore, loop: OddLoop, fetch: Fetch) -> None:
        for number, version in enumerate(["1.0", "2.0", "3.0", "1.0"]):
            loop.deploy(version)
            model = await fetch(f"model-{version}")
            store.set_current(model)
            os.utime(model.path, (number, number))  # the clock may stand still
        store.set_current(model)
        assert [item.info.version for item in store.local()] == ["3.0", "1.0"]

    tell(tmp_path, story, keep=1)


def test_drafts_of_a_killed_process_are_swept(tmp_path: Path) -> None:
    draft = tmp_path / "models" / f"{durable.DRAFT_PREFIX}half"
    draft.mkdir(parents=True)
    ModelStore(tmp_path / "models")
    assert not draft.exists()


def test_clearing_deletes_all_models(tmp_path: Path) -> None:
    async def story(store: ModelStore, loop: OddLoop, fetch: Fetch) -> None:
        loop.deploy("1.0")
        store.set_current(await fetch("model-1.0"))
        store.clear()
        assert store.current() is None
        assert store.local() == []

    tell(tmp_path, story)


def test_a_model_deleted_by_somebody_is_no_current_one(tmp_path: Path) -> None:
    async def story(store: ModelStore, loop: OddLoop, fetch: Fetch) -> None:
        loop.deploy("1.0")
        model = await fetch("model-1.0")
        store.set_current(model)
        shutil.rmtree(model.path)
        assert store.current() is None

    tell(tmp_path, story)
