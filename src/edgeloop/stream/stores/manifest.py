"""What a store's folder is for, and whether what is in it can be believed."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeloop import durable
from edgeloop.errors import ConfigError, InputError
from edgeloop.stream.stores.layout import Layout, layout_from_json
from edgeloop.stream.stores.memory import Folder

_MANIFEST = "store.json"
_OPEN = "open.json"
_VERSION = 2
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Purpose:
    """The kind of a store, how many rows it holds, and how it links them."""

    kind: str
    capacity: int
    links: str


def read_layout(folder: Folder, purpose: Purpose) -> Layout | None:
    """The layout of what is in the folder, None where nothing is yet.

    Raises ConfigError where it was made for another purpose, InputError where it is damaged.
    """
    path = folder.path / _MANIFEST
    if not path.exists():
        for leftover in folder.path.glob("*.bin"):  # of a store that was never begun
            durable.remove(leftover)
        return None
    _refuse_after_power_cut(folder)
    try:
        manifest = json.loads(path.read_bytes())
        found = Purpose(**manifest["purpose"])
        version = manifest["version"]
        layout = layout_from_json(manifest["layout"])
    except (ValueError, KeyError, TypeError, InputError) as error:
        raise InputError(f"{path} is damaged ({error}): restore a copy of the folder.") from error
    if version != _VERSION or found != purpose:
        raise ConfigError(
            f"{folder.path} was made by version {version} for {asdict(found)}, not for version "
            f"{_VERSION} and {asdict(purpose)}: open it so, or choose another folder."
        )
    return layout


def write_layout(folder: Folder, purpose: Purpose, layout: Layout) -> None:
    """Say, once all files are there, what they are."""
    manifest: dict[str, Any] = {
        "version": _VERSION,
        "purpose": asdict(purpose),
        "layout": layout.to_json(),
    }
    durable.write_json(folder.path / _MANIFEST, manifest)


def mark_open(folder: Folder) -> None:
    """Note that from now on the system's memory knows more than the disk."""
    durable.write_json(folder.path / _OPEN, {"boot": _boot()})


def close_folder(folder: Folder) -> None:
    """Flush, take the note back, and let others in."""
    folder.flush()
    durable.remove(folder.path / _OPEN)
    folder.close()


def _refuse_after_power_cut(folder: Folder) -> None:
    """A killed process leaves all it wrote in the system's memory; a dead machine does not."""
    path = folder.path / _OPEN
    if path.exists() and json.loads(path.read_bytes() or b"{}").get("boot") != _boot():
        raise InputError(
            f"{folder.path} was open when the machine went down, so parts of it may be old: "
            f"restore a snapshot. If the machine was shut down in order, delete {path}."
        )


def _boot() -> str:
    return _BOOT.read_text().strip() if _BOOT.exists() else ""
