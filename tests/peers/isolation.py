"""A temporary folder of its own for a process that writes to ``/tmp`` by that name."""

import functools
import subprocess
from collections.abc import Iterable
from pathlib import Path

TEMPORARY = "/tmp"
_WAYS = (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"])
_HIDE = f"""
tmp=$1; shift
while [ "$1" != -- ]; do
  case $1 in {TEMPORARY}/*)
    seen=$tmp${{1#{TEMPORARY}}}; mkdir -p "$seen"; mount --bind "$1" "$seen";;
  esac
  shift
done
shift
mount --rbind "$tmp" {TEMPORARY}
exec "$@"
"""


@functools.cache
def is_possible() -> bool:
    """Whether processes can be given a mount namespace here: it needs root, or user namespaces."""
    return bool(_way())


def with_own_temporary(
    command: list[str], *, temporary: Path, keep: Iterable[Path] = ()
) -> list[str]:
    """The command, started so that it finds the folder ``temporary`` as ``/tmp``.

    The folders ``keep`` are seen where they are, even below ``/tmp``. Where this is not possible,
    the command sees what all see: then two published nodes must not upload at the same time.
    """
    if not is_possible():
        return command
    kept = [str(folder) for folder in keep]
    return [*_way(), "sh", "-ec", _HIDE, "sh", str(temporary), *kept, "--", *command]


@functools.cache
def _way() -> tuple[str, ...]:
    for way in _WAYS:
        trial = [*way, "mount", "--bind", TEMPORARY, TEMPORARY]
        try:
            ended = subprocess.run(trial, capture_output=True, check=False)
        except FileNotFoundError:
            continue
        if not ended.returncode:
            return tuple(way)
    return ()
