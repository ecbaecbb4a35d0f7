"""Runs a command and turns what it raises into a sentence and an exit code."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from edgeloop import EdgeloopError, __version__, durable
from edgeloop.cli import (
    demo,
    deploying,
    fleet,
    images,
    importing,
    loop,
    models,
    nodes,
    projects,
    stream,
    tokens,
    trainings,
    users,
)
from edgeloop.cli.console import complain, show_log

log = logging.getLogger(__name__)
app = typer.Typer(
    help="Closes the learning loop between machines in the field and the models they run.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # its boxes cut long flags off, and swallow [brackets]
)
app.add_typer(loop.app, name="loop")
app.add_typer(projects.app, name="project")
app.add_typer(images.app, name="image")
app.add_typer(trainings.app, name="training")
app.add_typer(models.app, name="model")
app.add_typer(fleet.app, name="node")
app.add_typer(users.app, name="user")
app.add_typer(tokens.app, name="token")
app.add_typer(importing.app, name="import")
app.add_typer(stream.app, name="stream")
app.command("deploy")(deploying.deploy)
app.command("detector")(nodes.detector)
app.command("trainer")(nodes.trainer)
app.command("demo")(demo.demo)


def show_version(wanted: bool) -> None:
    """Show the version and end."""
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Show the version."),
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every detail.")] = False,
) -> None:
    """What holds for all commands."""
    if verbose:
        logging.getLogger().setLevel(logging.DEBUG)


def main() -> None:
    """Exit codes: 0 done, 1 a bug, 2 a mistake that the message explains."""
    show_log()
    try:
        app()
    except EdgeloopError as error:
        complain(str(error))
        sys.exit(2)
    except Exception as error:
        if isinstance(error, OSError) and (sentence := _about_a_file(error)):
            log.debug("This was asked of the operating system:", exc_info=True)
            complain(sentence)
            sys.exit(2)
        log.exception("edgeloop has a bug: please report it with the lines above.")
        sys.exit(1)


def _about_a_file(error: OSError) -> str:
    """What the operating system refuses, if it says of which file."""
    name = error.filename2 or error.filename
    if not isinstance(name, str) or not error.strerror:
        return ""
    path = Path(name)
    if path.name.startswith(durable.DRAFT_PREFIX):  # nobody has asked for that one
        path = path.parent
    return f"{path} cannot be used ({error.strerror}): name another path, or see to this one."
