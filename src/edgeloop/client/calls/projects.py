"""Calls about projects."""

from collections.abc import Iterable
from typing import Any

import httpx

from edgeloop.client.call import Call, nothing
from edgeloop.client.calls.page import Page, page_parser, paging
from edgeloop.client.calls.records import ProjectRecord
from edgeloop.protocol import routes


def projects(
    *,
    organization: str | None = None,
    name: str | None = None,
    after: str | None = None,
    limit: int = 1000,
) -> Call[Page[ProjectRecord]]:
    """The projects of the loop by address, or those of this organization, of this name."""
    query = paging(after, limit, organization=organization or None, name=name or None)
    return Call("GET", f"{routes.V1}/projects?{query}", page_parser(ProjectRecord.read))


def create_project(
    organization: str,
    name: str,
    categories: Iterable[dict[str, Any]],
    *,
    open_to_devices: bool = False,
    has_val_split: bool = False,
) -> Call[ProjectRecord]:
    """Create a project; ``categories`` are ``{name, type?, color?, point_size?}``."""
    body = {
        "organization": organization,
        "name": name,
        "categories": list(categories),
        "open_to_devices": open_to_devices,
        "has_val_split": has_val_split,
    }
    return Call("POST", f"{routes.V1}/projects", _project, json=body)


def project(project_id: str) -> Call[ProjectRecord]:
    """One project."""
    return Call("GET", f"{routes.V1}/projects/{project_id}", _project)


def update_project(
    project_id: str,
    *,
    open_to_devices: bool | None = None,
    has_val_split: bool | None = None,
    wanted_formats: Iterable[str] | None = None,
    categories: Iterable[dict[str, Any]] = (),
) -> Call[ProjectRecord]:
    """Change a project's settings; None leaves one as it is.

    ``wanted_formats`` are those that every model shall have. ``categories`` are
    ``{id?, name?, type?, color?, description?, hotkey?, point_size?}``: what is left out stays, and
    one that is not there yet is added.
    """
    wishes = {
        "open_to_devices": open_to_devices,
        "has_val_split": has_val_split,
        "wanted_formats": list(wanted_formats) if wanted_formats is not None else None,
        "categories": list(categories) or None,
    }
    body = {key: value for key, value in wishes.items() if value is not None}
    return Call("PATCH", f"{routes.V1}/projects/{project_id}", _project, json=body)


def delete_project(project_id: str) -> Call[None]:
    """Delete a project with its images, trainings and models, for good."""
    return Call("DELETE", f"{routes.V1}/projects/{project_id}", nothing, timeout_s=600)


def _project(answer: httpx.Response) -> ProjectRecord:
    return ProjectRecord.read(answer.json())
