"""Fixtures that all tests share."""

import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest

from campaigns import Campaign, Figures, write_figures
from edgeloop.client import ClientSettings
from edgeloop.client.settings import child_environment
from edgeloop.demo.processes import EdgeloopProcess
from processes import PASSWORD, StartLoop
from tracing import use_greenlet_index


def pytest_addoption(parser: pytest.Parser) -> None:
    """How hard campaigns of kills are, and where their figures go."""
    parser.addoption("--kills", type=int, default=5, help="how often campaigns kill the loop")
    parser.addoption("--figures", type=Path, help="the page whose table of campaigns is replaced")


def pytest_configure() -> None:
    """Whoever started the tests may have blocked or ignored signals; here each one counts."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is signal.SIG_IGN:
            default = signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL
            signal.signal(number, default)


if sys.gettrace():
    use_greenlet_index()

hypothesis.settings.register_profile(
    "steady",  # the same examples each time, and none kept in a folder; machines may be slow
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("steady")


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Iterator[list[Figures]]:
    """What campaigns of kills have shown; written down at the end where that was asked for."""
    shown: list[Figures] = []
    yield shown
    page: Path | None = request.config.getoption("--figures")
    if page is not None:
        write_figures(page, shown)


@pytest.fixture
def campaign(
    request: pytest.FixtureRequest, start_loop: StartLoop, tmp_path: Path, figures: list[Figures]
) -> Iterator[Campaign]:
    """A loop process to be killed as often as ``--kills`` says."""
    wanted: int = request.config.getoption("--kills")
    made = Campaign(start_loop(), tmp_path / "loop", wanted)
    yield made
    figures.append(made.figures)


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
