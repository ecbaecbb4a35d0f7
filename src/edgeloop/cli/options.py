"""Flags that several commands share, and settings made of flags and environment."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from edgeloop.client import ClientSettings, LoopClient
from edgeloop.client.calls.projects import projects
from edgeloop.client.calls.records import ProjectRecord
from edgeloop.errors import ConfigError, InputError, NotFound
from edgeloop.protocol.payloads.parsing import first_fault

S = TypeVar("S", bound=BaseSettings)

Loop = Annotated[
    str | None, typer.Option("--loop", help="Where the loop is: HOST:PORT (LOOP_HOST).")
]
Username = Annotated[str | None, typer.Option(help="Who asks (LOOP_USERNAME).")]
Password = Annotated[
    str | None, typer.Option(help="The password (LOOP_PASSWORD; better than this flag).")
]
LoopToken = Annotated[
    str | None,
    typer.Option(help="An API token, instead of both (LOOP_TOKEN; better than this flag)."),
]
SslCertPath = Annotated[Path | None, typer.Option(help="A CA file for https (LOOP_SSL_CERT_PATH).")]


def settings_of(kind: type[S], **flags: Any) -> S:
    """Settings from flags, or from the environment where a flag is None; raises ConfigError."""
    try:
        return kind(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        raise ConfigError(f"{first_fault('Setting', error)} Check the flags and variables.") from (
            error
        )


def client_settings(
    loop: str | None,
    username: str | None,
    password: str | None,
    loop_token: str | None = None,
    ssl_cert_path: Path | None = None,
) -> ClientSettings:
    """Which loop is meant, and who asks; raises ConfigError."""
    return settings_of(
        ClientSettings,
        host=loop,
        username=username,
        password=password,
        loop_token=loop_token,
        ssl_cert_path=ssl_cert_path,
    )


def split_project(project: str) -> tuple[str, str]:
    """``ORG/PROJECT`` -> both names; raises InputError."""
    organization, slash, name = project.partition("/")
    if not (organization and slash and name) or "/" in name:
        raise InputError(f"{project!r} names no project: write ORG/PROJECT.")
    return organization, name


def find_project(client: LoopClient, project: str) -> ProjectRecord:
    """The project called ``ORG/PROJECT``; raises NotFound with the command that creates it."""
    organization, name = split_project(project)
    found = client.send(projects(organization=organization, name=name)).items
    if not found:
        raise NotFound(
            f"There is no project {project}: edgeloop project create {project} --category NAME"
        )
    return found[0]


@contextlib.contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Turn a missing library into one sentence that names the extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{error.name} is not installed: pip install 'edgeloop[{extra}]'"
        ) from error
