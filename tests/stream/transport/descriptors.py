"""What this process has open."""

import contextlib
import gc
from pathlib import Path

SEGMENTS = "/memfd:edgeloop"
SOCKETS = "socket:"


def descriptors(*kinds: str) -> int:
    """How many descriptors of these kinds there are."""
    gc.collect()
    links = []
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the listing
            links.append(str(path.readlink()))
    return sum(link.startswith(kinds) for link in links)
