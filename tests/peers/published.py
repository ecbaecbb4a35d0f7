"""The published clients, each version unmodified in a virtual environment of its own."""

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeloop.errors import ConfigError

VERSIONS = ("0.11.1", "0.27.0")
ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".venv-peers"
INSTALL_WITHIN_S = 900.0


def python_of(version: str) -> Path:
    """The interpreter that imports this version of ``learning_loop_node``, installed if need be.

    What was installed stays for the next run, until its constraints change. Raises ConfigError.
    """
    folder = FOLDER / version
    pins = Path(__file__).parent / "constraints" / f"{version}.txt"
    python, seal = folder / "bin" / "python", folder / ".complete"
    with _alone(version):
        if not (seal.is_file() and seal.read_bytes() == pins.read_bytes()):
            _run(version, [sys.executable, "-m", "venv", "--clear", str(folder)])
            install = ["install", "-q", "--disable-pip-version-check", "-c", str(pins)]
            _run(version, [str(python), "-m", "pip", *install, f"learning-loop-node=={version}"])
            seal.write_bytes(pins.read_bytes())
    return python


@contextmanager
def _alone(version: str) -> Iterator[None]:
    """Tests run in parallel: one of them installs, the others wait for it."""
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f".{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(version: str, command: list[str]) -> None:
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_WITHIN_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _missing(version, f"it took more than {INSTALL_WITHIN_S:.0f} s") from error
    if ended.returncode:
        raise _missing(version, (ended.stdout + ended.stderr)[-2000:].strip())


def _missing(version: str, reason: str) -> ConfigError:
    return ConfigError(
        f"learning-loop-node {version} could not be installed into {FOLDER / version}: is the "
        "package index reachable, is there disk space, is this Python 3.11? Leave these tests out "
        f"with -m 'not peers'. Reason: {reason}"
    )
