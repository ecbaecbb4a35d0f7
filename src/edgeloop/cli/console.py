"""Where the command line writes: results to stdout, everything else to stderr."""

import logging
import sys

from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edgeloop.logs import JsonLines, ReadableLines

_NO_BOUND = 1_000_000
stdout = Console(width=None if sys.stdout.isatty() else _NO_BOUND, emoji=False)
"""As wide as the terminal; where programs read (``| grep``), no line is ever broken."""
stderr = Console(stderr=True, emoji=False)

log = logging.getLogger(__name__)
_NOISY = ("httpx", "httpcore", "aiosqlite", "alembic", "engineio", "socketio", "uvicorn")


def progress_bar(*, is_shown: bool = True) -> Progress:
    """A bar with a count and the time that remains."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=stderr,
        disable=not is_shown,
    )


def show_log() -> None:
    """Show the log on stderr: coloured on a terminal, else whole lines."""
    handler: logging.Handler
    if stderr.is_terminal:
        handler = RichHandler(console=stderr, show_path=False, markup=False)
        handler.setFormatter(ReadableLines("%(message)s"))
    else:  # a log file
        handler = logging.StreamHandler()
        handler.setFormatter(ReadableLines("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)


def log_as_json() -> None:
    """From now on the log is JSON lines on stderr, and nothing else is written there."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.getLogger().handlers[:] = [handler]
    logging.captureWarnings(capture=True)


def logs_json() -> bool:
    """Whether ``log_as_json`` was asked for."""
    return any(isinstance(h.formatter, JsonLines) for h in logging.getLogger().handlers)


def complain(sentence: str) -> None:
    """Say why the command ends."""
    if logs_json():
        log.error("%s", sentence)
    else:
        stderr.print("[bold red]edgeloop:[/]", escape(sentence), highlight=False, soft_wrap=True)
