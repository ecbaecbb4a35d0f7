"""Fixtures that all tests share."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest

from edgeloop.client import ClientSettings
from edgeloop.client.settings import child_environment
from edgeloop.demo.processes import EdgeloopProcess
from processes import PASSWORD, StartLoop


def pytest_configure() -> None:
    """Whoever started the tests may have blocked or ignored signals; here each one counts."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is signal.SIG_IGN:
            default = signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL
            signal.signal(number, default)


hypothesis.settings.register_profile(
    "steady",  # the same examples each time, and none kept in a folder; machines may be slow
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("steady")


@pytest.fixture
def start_loop(tmp_path: Path) -> Iterator[StartLoop]:
    """Makes a loop process, with its data in a folder of the test; it ends with the test."""
    with ExitStack() as stack:

        def start(folder: Path = tmp_path / "loop", **environment: str) -> EdgeloopProcess:
            process = EdgeloopProcess(
                "loop",
                ["loop", "--data-folder", str(folder)],
                log=tmp_path / "loop.log",
                environment=child_environment(
                    ClientSettings(), EDGELOOP_ADMIN_PASSWORD=PASSWORD, **environment
                ),
            )
            stack.callback(process.kill)
            process.start()
            return process

        yield start
