"""Calls about formats that models lack."""

import httpx

from edgeloop.client.call import Call, nothing
from edgeloop.client.calls.page import Page, page_parser, paging
from edgeloop.client.calls.records import ConversionRecord, LeaseRecord
from edgeloop.protocol import routes

LEASE_S = 600


def conversions(
    project_id: str, *, after: str | None = None, limit: int = 1000
) -> Call[Page[ConversionRecord]]:
    """Which models lack a format that the project wants; waiting, leased or failed."""
    path = f"{routes.V1}/projects/{project_id}/conversions?{paging(after, limit)}"
    return Call("GET", path, page_parser(ConversionRecord.read))


def lease_conversion(
    source_format: str,
    target_format: str,
    *,
    converter: str = "",
    project_id: str | None = None,
    seconds: int = LEASE_S,
) -> Call[LeaseRecord | None]:
    """Have a conversion alone for a while; None where there is none to be done.

    It is done when the target format was uploaded.
    """
    body = {
        "source_format": source_format,
        "target_format": target_format,
        "converter": converter,
        "project_id": project_id,
        "seconds": seconds,
    }
    return Call("POST", f"{routes.V1}/conversions/lease", _lease_or_none, json=body)


def renew_conversion(conversion_id: str, *, seconds: int = LEASE_S) -> Call[LeaseRecord]:
    """Prolong a lease; raises NotFound where somebody else has the conversion by now."""
    path = f"{routes.V1}/conversions/{conversion_id}/renewal"
    return Call("POST", path, _lease, json={"seconds": seconds})


def fail_conversion(conversion_id: str, error: str) -> Call[None]:
    """Say why a format could not be made; it is leased no more before it is to be retried."""
    path = f"{routes.V1}/conversions/{conversion_id}/failure"
    return Call("POST", path, nothing, json={"error": error})


def retry_conversion(conversion_id: str) -> Call[None]:
    """Let converters have a failed conversion again."""
    return Call("POST", f"{routes.V1}/conversions/{conversion_id}/retry", nothing)


def _lease(answer: httpx.Response) -> LeaseRecord:
    return LeaseRecord.read(answer.json())


def _lease_or_none(answer: httpx.Response) -> LeaseRecord | None:
    return None if answer.status_code == httpx.codes.NO_CONTENT else _lease(answer)
