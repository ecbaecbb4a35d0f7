"""Which models lack which formats, and which converter is at which of them."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, select

from edgeloop.errors import Conflict, NotFound
from edgeloop.loop.db.tables import ConversionRow, ModelFileRow, ModelRow, ProjectRow
from edgeloop.loop.services import access, deployments, projects
from edgeloop.loop.services.access import Right
from edgeloop.loop.services.formats import check_format
from edgeloop.loop.services.workspace import Workspace

LEASE = timedelta(minutes=10)
"""How long a converter has a conversion, unless it says otherwise."""


class ConversionState(StrEnum):
    """Where a missing format is: nobody has it, a converter is at it, or it could not be made."""

    WAITING = "waiting"
    LEASED = "leased"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Conversion:
    """A format that a model lacks and its project wants.

    ``id`` is that of the last lease, None before the first.
    """

    model: ModelRow
    address: str
    target_format: str
    formats: tuple[str, ...]
    state: ConversionState = ConversionState.WAITING
    id: str | None = None
    converter: str = ""
    attempts: int = 0
    error: str = ""
    lease_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """A conversion that a converter has alone until the lease ends."""

    id: str
    model: ModelRow
    address: str
    source_format: str
    target_format: str
    until: datetime


@dataclass(frozen=True, slots=True)
class LeaseRequest:
    """What a converter can do, for how long it wants to have it, and how it is called."""

    source_format: str
    target_format: str
    converter: str = ""
    project_id: str | None = None
    time: timedelta = LEASE


async def listed(workspace: Workspace, project_id: str) -> Sequence[Conversion]:
    """What the models of a project lack, those of the newest first; retired ones lack nothing."""
    project = await projects.by_id(workspace, project_id)
    rows = await _project_rows(workspace, [project.id])
    return await _missing(workspace, rows)


async def lease(workspace: Workspace, request: LeaseRequest) -> Lease | None:
    """Give a converter what it can do and nobody else is at, None where there is nothing.

    Targets of deployments and promoted models come first, then the newest. It has the conversion
    alone until the lease ends; it is done when the format was uploaded.
    """
    check_format(request.source_format)
    check_format(request.target_format)
    rows = await _allowed(workspace, request.project_id)
    waiting = [
        conversion
        for conversion in await _missing(workspace, rows)
        if conversion.state is ConversionState.WAITING
        and conversion.target_format == request.target_format
        and request.source_format in conversion.formats
    ]
    if not waiting:
        return None
    urgent = await deployments.targets(workspace, [row.id for row in rows])
    urgent |= {row.promoted_model_id for row in rows if row.promoted_model_id}
    chosen = min(waiting, key=lambda conversion: conversion.model.id not in urgent)
    return await _leased(workspace, chosen, request)


async def renew(workspace: Workspace, conversion_id: str, time: timedelta) -> Lease:
    """Prolong a lease from now on.

    Raises NotFound where it has gone to somebody else or is done, Conflict where it has failed.
    """
    row = await _owned(workspace, conversion_id)
    if row.error:
        raise Conflict(f"The conversion to {row.target_format} has failed: {row.error}")
    row.lease_until = workspace.clock() + time
    model = await workspace.session.get_one(ModelRow, row.model_id)
    project = await workspace.session.get_one(ProjectRow, model.project_id)
    return _lease(row, model, _address(project))


async def fail(workspace: Workspace, conversion_id: str, *, error: str) -> None:
    """Note why a format could not be made: nobody tries again before it is to be retried."""
    row = await _owned(workspace, conversion_id)
    row.error = error or "The converter gave no reason."
    row.lease_until = row.updated = workspace.clock()


async def retry(workspace: Workspace, conversion_id: str) -> None:
    """Let converters have a failed conversion again; raises NotFound, Conflict."""
    row = await _owned(workspace, conversion_id)
    if not row.error:
        raise Conflict(f"The conversion to {row.target_format} has not failed.")
    row.error = ""
    row.lease_until = row.updated = workspace.clock()


async def forget(workspace: Workspace, model_id: str, *, model_format: str) -> None:
    """The model has the format: nothing is to be done."""
    await workspace.session.execute(
        delete(ConversionRow).where(
            ConversionRow.model_id == model_id, ConversionRow.target_format == model_format
        )
    )


async def _allowed(workspace: Workspace, project_id: str | None) -> Sequence[ProjectRow]:
    """The projects whose models the caller may change, or one of them."""
    if project_id is not None:
        await projects.by_id(workspace, project_id, right=Right.MANAGE_MODELS)
        return await _project_rows(workspace, [project_id])
    access.check_somewhere(workspace.caller, Right.MANAGE_MODELS)
    query = select(ProjectRow).where(projects.visible(workspace.caller))
    return [
        row
        for row in await workspace.session.scalars(query)
        if access.may(workspace.caller, Right.MANAGE_MODELS, address=_address(row))
    ]


async def _project_rows(workspace: Workspace, ids: Sequence[str]) -> Sequence[ProjectRow]:
    query = select(ProjectRow).where(ProjectRow.id.in_(ids))
    return (await workspace.session.scalars(query)).all()


async def _missing(workspace: Workspace, rows: Sequence[ProjectRow]) -> list[Conversion]:
    wanting = {row.id: row for row in rows if row.wanted_formats}
    query = (
        select(ModelRow)
        .where(
            ModelRow.project_id.in_(wanting),
            ModelRow.version.is_not(None),
            ModelRow.retired.is_(None),
        )
        .order_by(ModelRow.created.desc(), ModelRow.id)
    )
    models = (await workspace.session.scalars(query)).all()
    ids = [model.id for model in models]
    files = select(ModelFileRow.model_id, ModelFileRow.format).where(ModelFileRow.model_id.in_(ids))
    formats: dict[str, list[str]] = {id_: [] for id_ in ids}
    for model_id, format_ in await workspace.session.execute(files.order_by(ModelFileRow.format)):
        formats[model_id].append(format_)
    begun_query = select(ConversionRow).where(ConversionRow.model_id.in_(ids))
    begun = {
        (row.model_id, row.target_format): row
        for row in await workspace.session.scalars(begun_query)
    }
    return [
        _described(
            workspace,
            Conversion(
                model, _address(wanting[model.project_id]), wanted, tuple(formats[model.id])
            ),
            begun.get((model.id, wanted)),
        )
        for model in models
        for wanted in wanting[model.project_id].wanted_formats
        if wanted not in formats[model.id]
    ]


def _described(
    workspace: Workspace, conversion: Conversion, row: ConversionRow | None
) -> Conversion:
    if row is None:
        return conversion
    is_leased = row.lease_until > workspace.clock()
    state = ConversionState.LEASED if is_leased else ConversionState.WAITING
    return replace(
        conversion,
        state=ConversionState.FAILED if row.error else state,
        id=row.id,
        converter=row.converter,
        attempts=row.attempts,
        error=row.error,
        lease_until=row.lease_until if is_leased else None,
    )


async def _leased(workspace: Workspace, conversion: Conversion, request: LeaseRequest) -> Lease:
    """A lease has an id of its own: who had the former one cannot renew it any more."""
    model, target = conversion.model, conversion.target_format
    await forget(workspace, model.id, model_format=target)
    now = workspace.clock()
    row = ConversionRow(
        id=str(uuid.uuid4()),
        model_id=model.id,
        source_format=request.source_format,
        target_format=target,
        converter=request.converter or workspace.caller.username,
        attempts=conversion.attempts + 1,
        error="",
        lease_until=now + request.time,
        updated=now,
    )
    workspace.session.add(row)
    await workspace.session.flush()
    return _lease(row, model, conversion.address)


def _lease(row: ConversionRow, model: ModelRow, address: str) -> Lease:
    return Lease(row.id, model, address, row.source_format, row.target_format, row.lease_until)


async def _owned(workspace: Workspace, conversion_id: str) -> ConversionRow:
    row = await workspace.session.get(ConversionRow, conversion_id)
    model = await workspace.session.get(ModelRow, row.model_id) if row else None
    unseen = f"There is no conversion {conversion_id} any more: ask for another lease."
    await projects.owned(workspace, model, right=Right.MANAGE_MODELS, unseen=unseen)
    if row is None:
        raise NotFound(unseen)
    return row


def _address(row: ProjectRow) -> str:
    return f"{row.organization_id}/{row.name}"
