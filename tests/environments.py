"""Published packages, unmodified, each set in a virtual environment of its own."""

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeloop.errors import ConfigError

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".venv-peers"
INSTALL_WITHIN_S = 900.0


def python_with(name: str, packages: list[str], pins: Path) -> Path:
    """The interpreter of the environment ``name`` that has these packages, made if need be.

    What was installed stays for the next run, until the file of constraints changes. Raises
    ConfigError.
    """
    folder = FOLDER / name
    python, seal = folder / "bin" / "python", folder / ".complete"
    with _alone(name):
        if not (seal.is_file() and seal.read_bytes() == pins.read_bytes()):
            _run(name, packages, [sys.executable, "-m", "venv", "--clear", str(folder)])
            install = ["install", "-q", "--disable-pip-version-check", "-c", str(pins)]
            _run(name, packages, [str(python), "-m", "pip", *install, *packages])
            seal.write_bytes(pins.read_bytes())
    return python


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Tests run in parallel: one of them installs, the others wait for it."""
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(name: str, packages: list[str], command: list[str]) -> None:
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_WITHIN_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _missing(name, packages, f"it took more than {INSTALL_WITHIN_S:.0f} s") from error
    if ended.returncode:
        raise _missing(name, packages, (ended.stdout + ended.stderr)[-2000:].strip())


def _missing(name: str, packages: list[str], reason: str) -> ConfigError:
    return ConfigError(
        f"{', '.join(packages)} could not be installed into {FOLDER / name}: is the package index "
        "reachable, is there disk space, is this Python 3.11? Leave these tests out with "
        f"-m 'not peers'. Reason: {reason}"
    )
