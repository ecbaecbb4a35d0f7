"""Files by key, in a folder."""

import asyncio
import io
from pathlib import Path

import pytest

from edgeloop.errors import NotFound
from edgeloop.loop.storage import FolderStorage, StoredFile


def test_bytes_and_files_are_given_back(tmp_path: Path) -> None:
    async def story() -> None:
        storage = FolderStorage(tmp_path / "files")
        storage.prepare()
        source = io.BytesIO(b"x" * 3_000_000)
        stored = await storage.put("models/a/torch.zip", source)
        assert (stored.key, stored.size_bytes) == ("models/a/torch.zip", 3_000_000)
        chunks = [chunk async for chunk in storage.stream("models/a/torch.zip")]
        assert b"".join(chunks) == source.getvalue()
        assert len(chunks) > 1
        await storage.put("images/ab/1.jpg", b"one")
        await storage.put("images/ab/1.jpg", b"two")
        assert await storage.read("images/ab/1.jpg") == b"two"

    asyncio.run(story())


def test_the_hash_of_what_was_stored_is_told(tmp_path: Path) -> None:
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    stored = asyncio.run(FolderStorage(tmp_path).put("a", b"abc"))
    assert stored == StoredFile("a", 3, digest)


def test_what_is_deleted_is_gone_and_may_be_deleted_again(tmp_path: Path) -> None:
    async def story() -> None:
        storage = FolderStorage(tmp_path)
        await storage.put("a/b", b"1")
        assert await storage.exists("a/b")
        for _ in range(2):
            await storage.delete("a/b")
            assert not await storage.exists("a/b")
        with pytest.raises(NotFound, match="a/b"):
            await storage.read("a/b")

    asyncio.run(story())


@pytest.mark.parametrize(
    "key", ["../a", "a/../../b", "/etc/passwd", "a//b", "", ".draft-1", "a/.b"]
)
def test_a_key_never_leaves_the_folder(tmp_path: Path, key: str) -> None:
    with pytest.raises(NotFound, match="no key"):
        asyncio.run(FolderStorage(tmp_path / "files").put(key, b"1"))


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path / "files")
    closed = io.BytesIO()
    closed.close()
    with pytest.raises(ValueError, match="closed"):
        asyncio.run(storage.put("a", closed))
    assert storage.prepare() == 0
    assert list((tmp_path / "files").iterdir()) == []
