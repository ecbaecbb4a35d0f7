"""Conversions: which model lacks which format, and leases for those who make them."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field

from edgeloop.client.calls.records import ConversionRecord, LeaseRecord
from edgeloop.loop.api.context import Asking
from edgeloop.loop.api.documented import Nothing, answers, page_of
from edgeloop.loop.api.paging import Limit, behind, page
from edgeloop.loop.services import conversions
from edgeloop.loop.services.conversions import Conversion, Lease, LeaseRequest
from edgeloop.protocol.payloads.parsing import Payload, Text, shown
from edgeloop.protocol.routes import V1

router = APIRouter()

MAX_ERROR = 10_000
CONVERSION = f"{V1}/conversions/{{conversion_id}}"
Seconds = Annotated[int, Field(ge=10, le=24 * 3600), shown(600)]


class LeaseBody(Payload):
    """What a converter can do; without a project in any where it may change models."""

    source_format: Annotated[str, shown("torch")]
    target_format: Annotated[str, shown("onnx")]
    converter: Annotated[Text, shown("converter-1")] = ""
    project_id: str | None = None
    seconds: Seconds = 600

    def to_request(self) -> LeaseRequest:
        """The request as a value."""
        return LeaseRequest(
            self.source_format,
            self.target_format,
            converter=self.converter,
            project_id=self.project_id,
            time=timedelta(seconds=self.seconds),
        )


class RenewalBody(Payload):
    """For how long, from now on."""

    seconds: Seconds = 600


class FailureBody(Payload):
    """Why the format could not be made."""

    error: Annotated[str, shown("The operator grid_sample is not supported.")] = Field(
        max_length=MAX_ERROR
    )


@router.get(f"{V1}/projects/{{project_id}}/conversions", **answers(page_of(ConversionRecord)))
async def list_missing(
    asking: Asking, project_id: str, limit: Limit = 100, after: str | None = None
) -> dict[str, Any]:
    """Which models lack a format that the project wants; waiting, leased or failed."""
    async with asking.read() as workspace:
        found = await conversions.listed(workspace, project_id)
    rest = behind(found, after, cursor=_cursor)
    return page(rest, limit=limit, encode=_to_json, cursor=_cursor)


@router.post(f"{V1}/conversions/lease", **answers(LeaseRecord, or_nothing=True, errors=(404,)))
async def lease(asking: Asking, body: LeaseBody) -> dict[str, Any] | Response:
    """Have a conversion alone for a while; 204 where there is none to be done."""
    async with asking.write() as workspace:
        leased = await conversions.lease(workspace, body.to_request())
    if leased is None:
        return Response(status_code=204)
    return _lease_to_json(leased)


@router.post(f"{CONVERSION}/renewal", **answers(LeaseRecord, errors=(409,)))
async def renew(asking: Asking, conversion_id: str, body: RenewalBody) -> dict[str, Any]:
    """Prolong a lease; 404 where somebody else has the conversion by now, or it is done."""
    async with asking.write() as workspace:
        time = timedelta(seconds=body.seconds)
        return _lease_to_json(await conversions.renew(workspace, conversion_id, time))


@router.post(f"{CONVERSION}/failure", **answers(Nothing))
async def fail(asking: Asking, conversion_id: str, body: FailureBody) -> dict[str, Any]:
    """Say why a format could not be made; it is leased no more before it is to be retried."""
    async with asking.write() as workspace:
        await conversions.fail(workspace, conversion_id, error=body.error)
    return {}


@router.post(f"{CONVERSION}/retry", **answers(Nothing, errors=(409,)))
async def retry(asking: Asking, conversion_id: str) -> dict[str, Any]:
    """Let converters have a failed conversion again."""
    async with asking.write() as workspace:
        await conversions.retry(workspace, conversion_id)
    return {}


def _cursor(conversion: Conversion) -> str:
    return f"{conversion.model.id}/{conversion.target_format}"


def _to_json(conversion: Conversion) -> dict[str, Any]:
    until = conversion.lease_until
    return {
        "id": conversion.id,
        "project": conversion.address,
        "model_id": conversion.model.id,
        "version": conversion.model.version,
        "formats": list(conversion.formats),
        "target_format": conversion.target_format,
        "state": conversion.state,
        "converter": conversion.converter,
        "attempts": conversion.attempts,
        "error": conversion.error,
        "lease_until": until.isoformat() if until else None,
    }


def _lease_to_json(lease: Lease) -> dict[str, Any]:
    return {
        "id": lease.id,
        "project": lease.address,
        "model_id": lease.model.id,
        "version": lease.model.version,
        "source_format": lease.source_format,
        "target_format": lease.target_format,
        "lease_until": lease.until.isoformat(),
    }
