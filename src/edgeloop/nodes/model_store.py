"""Downloaded models on disk, and which of them is the current one."""

import asyncio
import json
import logging
import lzma
import re
import shutil
import stat
import uuid
import zipfile
import zlib
from pathlib import Path

from edgeloop import durable
from edgeloop.client import AsyncLoopClient
from edgeloop.client.calls.models import model_file
from edgeloop.errors import InputError, ModelLoadFailed
from edgeloop.protocol.payloads.models import read_model_information
from edgeloop.types import LocalModel

log = logging.getLogger(__name__)

MODEL_JSON = "model.json"
_CURRENT = "current.json"
_SAFE_NAME = re.compile(r"\w[\w.+-]*")
_SAFE_FILE = re.compile(r"[^./\\\x00-\x1f][^/\\\x00-\x1f]*")
_MAX_MODEL_BYTES = 8 * 1024**3
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
    RuntimeError,
    EOFError,
)
"""What a zip that is none, or whose content is damaged, raises."""


class ModelStore:
    """A folder per model and format, each published as a whole.

    ``keep`` models stay besides the current one; a model of more than ``max_bytes`` is refused.
    """

    def __init__(self, folder: Path, *, keep: int = 3, max_bytes: int = _MAX_MODEL_BYTES) -> None:
        self._folder = folder
        self._keep = keep
        self._max_bytes = max_bytes
        folder.mkdir(parents=True, exist_ok=True)
        durable.sweep(folder)

    async def fetch(
        self,
        client: AsyncLoopClient,
        organization: str,
        project: str,
        *,
        model_id: str,
        model_format: str,
    ) -> LocalModel:
        """The model on this disk, downloaded where it is not there yet.

        Raises ModelLoadFailed where what the loop sends is no usable model, StorageFull, LoopError.
        """
        folder = self._folder / _folder_name(model_id, model_format)
        if not (folder / MODEL_JSON).is_file():
            archive = self._folder / f"{durable.DRAFT_PREFIX}{uuid.uuid4().hex}.zip"
            call = model_file(organization, project, model_id, model_format)
            try:
                await client.download(call, archive)
                await asyncio.to_thread(self._unpack, archive, folder, model_id)
            finally:
                durable.remove(archive)
        return _read(folder)

    def local(self) -> list[LocalModel]:
        """The usable models on this disk, those used longest ago first."""
        models = []
        for folder in self._folders():
            try:
                models.append(_read(folder))
            except ModelLoadFailed as error:
                log.warning("%s", error)
        return models

    def current(self) -> LocalModel | None:
        """The model that was made current last; None if there is none, or it is damaged."""
        try:
            name = json.loads((self._folder / _CURRENT).read_text())["folder"]
            return _read(self._folder / _checked(name))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, OSError, ModelLoadFailed) as error:
            log.warning("the current model cannot be used: %s", error)
            return None

    def set_current(self, model: LocalModel) -> None:
        """Remember ``model`` for the next start, and delete what is not among the kept ones."""
        durable.write_json(self._folder / _CURRENT, {"folder": model.path.name})
        model.path.touch()
        others = [folder for folder in self._folders() if folder != model.path]
        for folder in others[: max(0, len(others) - self._keep)]:
            log.info("deleting model %s: %d newer ones are kept", folder.name, self._keep)
            _delete(folder)

    def clear(self) -> None:
        """Delete all models."""
        durable.remove(self._folder / _CURRENT)
        for folder in self._folders():
            _delete(folder)

    def _folders(self) -> list[Path]:
        folders = [path for path in self._folder.iterdir() if (path / MODEL_JSON).is_file()]
        return sorted(folders, key=lambda path: (path.stat().st_mtime_ns, path.name))

    def _unpack(self, archive: Path, target: Path, model_id: str) -> None:
        durable.remove(target)  # a folder without its model.json
        try:
            with zipfile.ZipFile(archive) as package, durable.draft_of(target) as draft:
                self._check(package)
                draft.mkdir()
                for entry in package.infolist():
                    with package.open(entry) as source, (draft / entry.filename).open("wb") as file:
                        shutil.copyfileobj(source, file, 1 << 20)
                _set_id(draft / MODEL_JSON, model_id)
        except _DAMAGED as error:
            message = f"The zip of model {target.name} is damaged ({error}): upload it again."
            raise ModelLoadFailed(message) from error

    def _check(self, package: zipfile.ZipFile) -> None:
        entries = package.infolist()
        names = [entry.filename for entry in entries]
        if fault := next((entry.filename for entry in entries if not _is_plain(entry)), None):
            raise ModelLoadFailed(f"The model's zip is not flat: {fault!r} has no place in it.")
        if len(set(names)) < len(names):
            raise ModelLoadFailed("The model's zip holds two files of the same name.")
        if MODEL_JSON not in names:
            raise ModelLoadFailed(f"The model's zip has no {MODEL_JSON}: upload one with it.")
        size = sum(entry.file_size for entry in entries)
        if size > self._max_bytes:
            raise ModelLoadFailed(f"The model has {size} bytes, more than {self._max_bytes}.")


def _is_plain(entry: zipfile.ZipInfo) -> bool:
    mode = entry.external_attr >> 16
    is_file = stat.S_IFMT(mode) in (0, stat.S_IFREG)
    return is_file and _SAFE_FILE.fullmatch(entry.filename) is not None


def _checked(name: str) -> str:
    if not _SAFE_NAME.fullmatch(name):
        raise ModelLoadFailed(f"{name!r} is no name of a model or a format.")
    return name


def _folder_name(model_id: str, model_format: str) -> str:
    return f"{_checked(model_id)}.{_checked(model_format)}"


def _set_id(path: Path, model_id: str) -> None:
    """What the loop calls a model counts, not what its trainer wrote."""
    try:
        content = json.loads(path.read_bytes()) | {"id": model_id}
        read_model_information(content)
    except (ValueError, TypeError, InputError) as error:
        raise ModelLoadFailed(f"The model's {MODEL_JSON} is not usable ({error}).") from error
    path.write_text(json.dumps(content, indent=1))


def _read(folder: Path) -> LocalModel:
    try:
        info = read_model_information(json.loads((folder / MODEL_JSON).read_bytes()))
    except (OSError, ValueError, InputError) as error:
        raise ModelLoadFailed(f"{folder / MODEL_JSON} is not usable ({error}).") from error
    return LocalModel(info, folder)


def _delete(folder: Path) -> None:
    draft = folder.with_name(f"{durable.DRAFT_PREFIX}{folder.name}")
    folder.rename(draft)  # in one step: a kill in between leaves no half model
    durable.remove(draft)
