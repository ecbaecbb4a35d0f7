"""Files by key, in a folder."""

import asyncio
import errno
import hashlib
import io
from pathlib import Path

import pytest

from edgeloop.errors import NotFound, StorageFull
from edgeloop.loop.storage import Draft, FolderStorage, StoredFile


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


def draft_of(storage: FolderStorage, *parts: bytes) -> Draft:
    """A draft with these bytes."""
    draft = storage.draft()
    for part in parts:
        draft.write(part)
    return draft


def test_drafts_are_stored_all_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        storage = FolderStorage(tmp_path / "files")
        first, second = draft_of(storage, b"ab", b"c"), draft_of(storage, b"2")
        assert (first.size_bytes, first.read()) == (3, b"abc")
        assert first.content_hash == hashlib.sha256(b"abc").hexdigest()
        await storage.publish({"images/aa/1.jpg": first, "images/bb/2.jpg": second})
        assert await storage.read("images/aa/1.jpg") == b"abc"
        assert await storage.read("images/bb/2.jpg") == b"2"
        assert storage.prepare() == 0

    asyncio.run(story())


def test_what_is_stored_already_is_not_replaced_by_a_draft(tmp_path: Path) -> None:
    async def story() -> None:
        storage = FolderStorage(tmp_path)
        await storage.put("a/b", b"old")
        draft = draft_of(storage, b"new")
        await storage.publish({"a/b": draft})
        assert await storage.read("a/b") == b"old"
        draft.discard()
        assert storage.prepare() == 0

    asyncio.run(story())


def test_a_discarded_draft_leaves_nothing_and_may_be_empty(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    for draft in (draft_of(storage, b"bytes"), draft_of(storage)):
        draft.discard()
        draft.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_draft_that_finds_no_space_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    draft = FolderStorage(tmp_path).draft()
    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(StorageFull):
        draft.write(b"bytes")
