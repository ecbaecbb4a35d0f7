"""Lines of the log, for people or as JSON, each with the id of the request it belongs to."""

import contextlib
import json
import logging
import re
import uuid
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

FACTS = "facts"
"""``extra={FACTS: {...}}`` gives a line keys of its own in JSON."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What would begin a new line, or speak to the terminal of who reads the log."""
_WELL_FORMED = re.compile(r"[A-Za-z0-9._:+/=-]{1,128}")
_request: ContextVar[str] = ContextVar("request", default="")


def request_id() -> str:
    """The id of the request that is being answered here; empty outside of one."""
    return _request.get()


def well_formed_id(said: str) -> str:
    """The id that a client gave its request if it may stand in a log, else a new one."""
    return said if _WELL_FORMED.fullmatch(said) else uuid.uuid4().hex


@contextlib.contextmanager
def request(id_: str) -> Iterator[None]:
    """Let the lines of the block belong to the request of this id."""
    token = _request.set(id_)
    try:
        yield
    finally:
        _request.reset(token)


class ReadableLines(logging.Formatter):
    """Lines for people; one of a request ends with its id.

    A message stays one line, whoever chose the words in it: control characters are escaped.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line without a traceback."""
        line = _CONTROL.sub(_escaped, super().formatMessage(record))
        return f"{line} [{request_id()}]" if request_id() else line


class JsonLines(logging.Formatter):
    """One JSON object per line: time (UTC), level, logger, message, what else is known."""

    def format(self, record: logging.LogRecord) -> str:
        """The whole line; a traceback is the key ``error``."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id():
            line["request_id"] = request_id()
        line |= getattr(record, FACTS, {})
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _escaped(found: re.Match[str]) -> str:
    return repr(found[0])[1:-1]
