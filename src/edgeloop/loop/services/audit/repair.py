"""Repairs what an audit found: nothing that people made goes without being written down."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import delete

from edgeloop.loop.db import integrity
from edgeloop.loop.db.integrity import BrokenReference
from edgeloop.loop.db.tables import ImageRow
from edgeloop.loop.services import files
from edgeloop.loop.services.audit import lost
from edgeloop.loop.services.audit.derived import repair_derived
from edgeloop.loop.services.audit.findings import Audit, Kind
from edgeloop.loop.services.audit.lost import Losses
from edgeloop.loop.services.workspace import Workspace, Workspaces

REMOVED = "removed"
_FEW = 20
_PORTION = 500


async def repair(workspaces: Workspaces, audit: Audit, data_folder: Path) -> Sequence[str]:
    """Take out rows without files and files without rows; compute stale values anew.

    All that is taken out lies below ``removed`` in the data folder afterwards. Says what it did.
    """
    done: list[str] = []
    name = f"{REMOVED}/{workspaces.clock():%Y%m%d-%H%M%S-%f}"
    if audit.of(Kind.DERIVED):
        await repair_derived(workspaces)
        done.append("Stale values were computed anew.")
    if _is_storage_gone(audit):
        done.append(
            "More than half of the images have no file: is the disk with the files mounted? "
            "Nothing of that was repaired."
        )
        return done
    done += await _take_out_rows(workspaces, audit, data_folder / name)
    done += await _set_files_aside(workspaces, audit, name)
    return done


def _is_storage_gone(audit: Audit) -> bool:
    missing = sum(_is_image(finding.subject) for finding in audit.of(Kind.MISSING))
    return missing > _FEW and missing * 2 > audit.checked["images"]


async def _take_out_rows(workspaces: Workspaces, audit: Audit, folder: Path) -> Sequence[str]:
    keys = [finding.subject for finding in audit.of(Kind.MISSING, Kind.DAMAGED)]
    if not keys and not audit.of(Kind.REFERENCE):
        return []
    losses = Losses()
    async with workspaces.write() as workspace:
        for broken in await integrity.broken_references(workspace.session):
            losses.rows.append(await _row_of(workspace, broken))
        for start in range(0, len(keys), _PORTION):
            await _take_out(workspace, losses, keys[start : start + _PORTION])
        await asyncio.to_thread(lost.write, losses, folder)  # before it is gone for good
    for key in filter(_is_image, keys):
        await workspaces.storage.delete(files.thumbnail_key(Path(key).stem))
    return [
        f"{len(losses.images)} images, {len(losses.models)} files of models and "
        f"{len(losses.rows)} rows were taken out; {folder}/README.txt says how to bring them back."
    ]


async def _row_of(workspace: Workspace, broken: BrokenReference) -> dict[str, object]:
    return {"table": broken.table, **await integrity.take_out(workspace.session, broken)}


async def _take_out(workspace: Workspace, losses: Losses, keys: Sequence[str]) -> None:
    hashes = [Path(key).stem for key in keys if _is_image(key)]
    ids = await lost.add_images(workspace, losses, hashes)
    await workspace.session.execute(delete(ImageRow).where(ImageRow.id.in_(ids)))
    for row in await lost.add_models(workspace, losses, keys):
        await workspace.session.delete(row)
    await workspace.session.flush()


async def _set_files_aside(workspaces: Workspaces, audit: Audit, name: str) -> Sequence[str]:
    aside = [finding.subject for finding in audit.of(Kind.DAMAGED, Kind.ORPHAN)]
    for key in aside:
        if key.startswith(f"{files.THUMBNAILS}/"):
            await workspaces.storage.delete(key)  # it is made again when it is asked for
        else:
            await workspaces.storage.set_aside(key, name)
    return [f"{len(aside)} files were moved to {name} in the data folder."] if aside else []


def _is_image(key: str) -> bool:
    return key.startswith(f"{files.IMAGES}/")
