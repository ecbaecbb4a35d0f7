"""Optional libraries: one sentence where one is missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from edgeloop.errors import ConfigError


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Around imports that the extra brings; raises ConfigError where a library is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        message = f"{error.name} is not installed: pip install 'edgeloop[{extra}]'."
        raise ConfigError(message) from error
