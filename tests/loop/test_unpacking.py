"""Zips that come from anywhere are unpacked without harm, or refused."""

import io
import stat
import struct
import zipfile
from collections.abc import Callable

import pytest

from edgeloop.errors import Unprocessable
from edgeloop.loop.services import unpacking
from edgeloop.loop.services.archives import ReceivedFile, archive_of
from edgeloop.loop.services.unpacking import MAX_FILES, unpacked

LIMIT = 1 << 20


def zipped(**files: bytes) -> bytes:
    """A zip of files; ``model_onnx`` is ``model.onnx``."""
    return zipped_names({name.replace("_", "."): content for name, content in files.items()})


def zipped_names(files: dict[str, bytes], *, comment: bytes = b"") -> bytes:
    """A zip of files with any names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = comment
        for name, content in files.items():
            entry = zipfile.ZipInfo("placeholder")
            entry.filename = name
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def read(data: bytes, *, max_bytes: int = LIMIT) -> dict[str, bytes]:
    """What is in a zip, read to its end."""
    packed = ReceivedFile("my_model.zip", io.BytesIO(data))
    with unpacked(packed, max_bytes=max_bytes) as files:
        return {file.name: file.content.read() for file in files}


def linked() -> bytes:
    """A zip with a symbolic link."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("model.pt")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    return buffer.getvalue()


def encrypted() -> bytes:
    """A zip that says that its file is encrypted."""
    data = bytearray(zipped(model_pt=b"weights"))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    return bytes(data)


def of_unknown_method() -> bytes:
    """A zip whose file is compressed in a way that nobody knows."""
    data = bytearray(zipped(model_pt=b"weights"))
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(signature) + offset] = 77
    return bytes(data)


def damaged() -> bytes:
    """A zip whose file has other bytes than its checksum says."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("model.pt", b"weights")
    return buffer.getvalue().replace(b"weights", b"weighty")


def with_large_directory(data: bytes) -> bytes:
    """The zip with an end that speaks of a directory of 1 GiB."""
    changed = bytearray(data)
    struct.pack_into("<L", changed, changed.rindex(b"PK\x05\x06") + 12, 1 << 30)
    return bytes(changed)


def with_large_directory_64() -> bytes:
    """A zip whose 64-bit end, which counts, speaks of a directory of 1 GiB."""
    data = zipped(model_pt=b"weights")
    end = data.rindex(b"PK\x05\x06")
    record = b"PK\x06\x06" + struct.pack("<QHHLLQQQQ", 44, 45, 45, 0, 0, 1, 1, 1 << 30, 0)
    locator = b"PK\x06\x07" + struct.pack("<LQL", 0, end, 1)
    return data[:end] + record + locator + data[end:]


def with_two_ends() -> bytes:
    """A zip whose last end has in it what looks like another one, with a small directory."""
    changed = bytearray(with_large_directory(zipped(model_pt=b"weights")))
    end = changed.rindex(b"PK\x05\x06")
    changed[end + 4 : end + 8] = b"PK\x05\x06"
    changed[end + 16 : end + 20] = struct.pack("<L", 10)
    return bytes(changed)


@pytest.mark.parametrize("comment", [b"", b"trained at night"])
def test_the_files_of_a_flat_zip_are_there(comment: bytes) -> None:
    files = {"model.pt": b"weights", "hyp.yaml": b"lr: 1"}
    assert read(zipped_names(files, comment=comment)) == files


def test_folders_and_what_macos_adds_are_passed_over() -> None:
    names = ("model.pt", "folder/", "__MACOSX/", "__MACOSX/._model.pt", ".DS_Store")
    assert read(zipped_names(dict.fromkeys(names, b"x"))) == {"model.pt": b"x"}


def test_a_model_that_was_downloaded_can_be_unpacked() -> None:
    weights = ReceivedFile("model.pt", io.BytesIO(b"weights"))
    with archive_of([weights], {"id": "m"}) as archive:
        archive.content.seek(0)
        files = read(archive.content.read())
    assert files == {"model.pt": b"weights", "model.json": b'{"id": "m"}'}


@pytest.mark.parametrize(
    "name",
    [
        "../model.pt",
        "/etc/cron.d/model",
        "..\\model.pt",
        "C:\\model.pt",
        "folder/model.pt",
        "..",
        ".",
        "model.pt\0.txt",
    ],
)
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(Unprocessable, match="without folders"):
        read(zipped_names({name: b"weights"}))


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (linked, "link"),
        (encrypted, "encrypted"),
        (of_unknown_method, "no zip that can be read"),
        (damaged, "no zip that can be read"),
        (lambda: b"weights", "no zip that can be read"),
        (lambda: b"", "no zip that can be read"),
        (lambda: zipped(model_pt=b"weights")[:-9], "no zip that can be read"),
        (lambda: zipped(model_pt=bytes(50_000))[20:], "no zip that can be read"),
        (lambda: with_large_directory(zipped(model_pt=b"weights")), "too many files"),
        (with_large_directory_64, "too many files"),
        (with_two_ends, "too many files"),
        (lambda: zipped_names({"a": b"w"}, comment=b"PK\x05\x06"), "no zip that can be read"),
    ],
)
def test_what_is_no_plain_zip_is_refused(made: Callable[[], bytes], reason: str) -> None:
    with pytest.raises(Unprocessable, match=reason):
        read(made())


def test_a_zip_that_would_fill_the_disk_is_refused_before_it_is_unpacked() -> None:
    bomb = zipped(model_pt=bytes(5 * LIMIT))
    assert len(bomb) < LIMIT // 100
    with pytest.raises(Unprocessable, match=f"unpacks to {5 * LIMIT} bytes"):
        read(bomb)


def test_many_files_that_are_small_alone_count_together() -> None:
    with pytest.raises(Unprocessable, match="unpacks to"):
        read(zipped(a=bytes(LIMIT // 2), b=bytes(LIMIT // 2), c=b"x"))


def test_a_file_does_not_unpack_to_more_than_it_says() -> None:
    data = bytearray(zipped(model_pt=bytes(5 * LIMIT)))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<L", data, data.index(signature) + offset, 100)
    with pytest.raises(Unprocessable, match="no zip that can be read"):
        read(bytes(data))


def test_too_many_files_are_refused() -> None:
    with pytest.raises(Unprocessable, match=f"up to {MAX_FILES}"):
        read(zipped_names({f"{number}.txt": b"" for number in range(MAX_FILES + 1)}))


def test_a_directory_as_large_as_it_says_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "_MAX_DIRECTORY_BYTES", 10)
    with pytest.raises(Unprocessable, match="too many files"):
        read(zipped(model_pt=b"weights"))
