"""A loop for the published clients: a process of ours, or the one at ``LOOP_HOST``."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from edgeloop.client import ClientSettings
from edgeloop.client.settings import child_environment
from edgeloop.demo.processes import EdgeloopProcess
from peers.published import VERSIONS, python_of
from peers.settings import TestedLoop
from peers.site import Site, site_at
from processes import PASSWORD, settings_for


@pytest.fixture(scope="session", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """A published version, installed."""
    chosen: str = request.param
    python_of(chosen)
    return chosen


@pytest.fixture(scope="session")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientSettings]:
    """How a person reaches the loop that all stories of this run share."""
    tested = TestedLoop()
    with ExitStack() as stack:
        yield tested.to_client() if tested.host else _ours(tmp_path_factory.mktemp("loop"), stack)


@pytest.fixture
def site(loop: ClientSettings, tmp_path: Path) -> Iterator[Site]:
    """A project of its own at the loop."""
    with site_at(loop, tmp_path, is_elsewhere=bool(TestedLoop().host)) as made:
        yield made


def _ours(folder: Path, stack: ExitStack) -> ClientSettings:
    process = EdgeloopProcess(
        "loop",
        ["loop", "--data-folder", str(folder / "data")],
        log=folder / "loop.log",
        environment=child_environment(ClientSettings(), EDGELOOP_ADMIN_PASSWORD=PASSWORD),
    )
    stack.callback(process.stop)
    return settings_for(process.start().removeprefix("http://"))
