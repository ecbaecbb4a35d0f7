"""Commands and a loop as processes of their own."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from edgeloop.client import ClientSettings
from edgeloop.client.settings import child_environment
from edgeloop.demo.processes import EdgeloopProcess

PASSWORD = "a password for tests"
StartLoop = Callable[..., EdgeloopProcess]


def settings_for(url: str, *, password: str = PASSWORD) -> ClientSettings:
    """Admin at the loop with this URL."""
    return ClientSettings(host=url, username="admin", password=SecretStr(password))


def edgeloop(
    *arguments: str | Path, settings: ClientSettings | None = None, timeout_s: float = 100
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end; its output is kept."""
    return subprocess.run(
        [sys.executable, "-m", "edgeloop", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env=child_environment(settings or ClientSettings(), COLUMNS="200"),
    )
