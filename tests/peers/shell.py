"""The command lines of the published README, run as they are written there."""

import subprocess
from pathlib import Path

from edgeloop.client import ClientSettings
from edgeloop.client.settings import child_environment
from peers.published import FOLDER

QUIET = "curl --no-progress-meter --fail-with-body --noproxy '*'"
"""For answers instead of meters; a proxy would speak for another host."""


def readme_of(version: str) -> str:
    """The README that came with an installed version."""
    (metadata,) = (FOLDER / version).glob("lib/*/site-packages/learning_loop_node-*/METADATA")
    return metadata.read_text()


def run(line: str, *, at: str, instead_of: str, folder: Path, more: str = "") -> str:
    """Run a line of a README in ``folder`` with another host, and ``more`` options for curl.

    Returns what it prints; raises CalledProcessError, with the answer as its ``output``, where
    the host refuses.
    """
    assert line.startswith("curl ")
    assert instead_of in line
    command = line.replace(instead_of, at).replace("curl", f"{QUIET} {more}", 1)
    ended = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=child_environment(ClientSettings()),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return ended.stdout
