"""Names of model formats."""

import re

from edgeloop.errors import Unprocessable
from edgeloop.protocol.routes import RESOURCES

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def check_format(name: str) -> None:
    """Raises Unprocessable for what cannot be the name of a model format."""
    if not _NAME.fullmatch(name) or name in RESOURCES:
        raise Unprocessable(f"{name!r} is no name for a model format.")
