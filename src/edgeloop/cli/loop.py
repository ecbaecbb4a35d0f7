"""``edgeloop loop``: serve the loop, check its data, reset a password."""

import asyncio
import functools
from pathlib import Path
from typing import Annotated

import typer

from edgeloop.cli.checking import check_data
from edgeloop.cli.console import log_as_json, stderr, stdout
from edgeloop.cli.flags import command_of
from edgeloop.cli.options import needs_extra
from edgeloop.cli.tables import AsJson
from edgeloop.errors import InputError
from edgeloop.loop.settings import LoopSettings

app = typer.Typer(help="The self-hosted Learning Loop.", invoke_without_command=True)


def serve_or_check(
    context: typer.Context,
    settings: LoopSettings,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Do not serve: look whether database and files agree.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="With --check: repair what can be repaired.")
    ] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="With --check: read every file and every index.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Serve the loop: REST, Socket.IO and web pages; or check its data."""
    if context.invoked_subcommand:
        context.obj = settings
    elif check:
        check_data(settings, repair=repair, deep=deep, as_json=as_json)
    elif repair or deep or as_json:
        raise InputError("--repair, --deep and --json go with --check.")
    else:
        serve(settings)


app.callback()(command_of(serve_or_check, {"settings": LoopSettings}))


def serve(settings: LoopSettings) -> None:
    """Serve until a signal ends it."""
    with needs_extra("loop"):
        from edgeloop import host
        from edgeloop.loop import create_app, drain
    if settings.log_json:
        log_as_json()
    is_seen = stderr.is_terminal and not settings.log_json
    app = create_app(settings, on_password=_show_password if is_seen else None)
    host.run(
        app,
        host=settings.host,
        port=settings.port,
        on_started=lambda _port: host.spare_start_from_collection(),
        drain=host.Drain(functools.partial(drain, app), settings.stop_within_s),
    )


@app.command("reset-password")
def reset(
    context: typer.Context,
    username: Annotated[str, typer.Argument(help="Whose password.")] = "admin",
    data_folder: Annotated[
        Path | None, typer.Option(help="Where the loop keeps its data (EDGELOOP_DATA_FOLDER).")
    ] = None,
) -> None:
    """Give an account a new password, shown once; its sessions end."""
    with needs_extra("loop"):
        from edgeloop.loop import reset_password
    before: LoopSettings = context.obj  # from flags that stood before the subcommand
    settings = before.model_copy(update={"data_folder": data_folder}) if data_folder else before
    password = asyncio.run(reset_password(settings, username))
    stdout.print(f"The new password of {username} is {password}", highlight=False)


def _show_password(password: str) -> None:
    stderr.print(
        f"First start: log in as admin with the password [bold]{password}[/] (shown only now; "
        "edgeloop loop reset-password makes another one).",
        highlight=False,
        soft_wrap=True,
    )
