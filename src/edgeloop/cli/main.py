"""Runs a command and turns what it raises into a sentence and an exit code."""

import logging
import sys
from typing import Annotated

import typer
from rich.logging import RichHandler
from rich.markup import escape

from edgeloop import EdgeloopError, __version__
from edgeloop.cli import demo, importing, loop, nodes, projects
from edgeloop.cli.console import stderr

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
app.add_typer(importing.app, name="import")
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
    if stderr.is_terminal:
        rich = RichHandler(console=stderr, show_path=False, markup=False)
        logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[rich])
    else:  # a log file: whole lines
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for noisy in ("httpx", "httpcore", "aiosqlite", "alembic", "engineio", "socketio", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        app()
    except EdgeloopError as error:
        stderr.print("[bold red]edgeloop:[/]", escape(str(error)), highlight=False, soft_wrap=True)
        sys.exit(2)
    except Exception:
        log.exception("edgeloop has a bug: please report it with the lines above.")
        sys.exit(1)
