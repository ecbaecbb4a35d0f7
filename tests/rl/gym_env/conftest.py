"""The ways that environments are tried over."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pairs import WAYS
from streams import Way, way_of


@pytest.fixture(params=WAYS)
def each_way(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Way]:
    """Each of the ways, one after the other; what uses it ends with the test."""
    way = way_of(request.param, tmp_path)
    with way.stack:
        yield way


@pytest.fixture
def near(tmp_path: Path) -> Iterator[Way]:
    """The default way, for what does not depend on it."""
    way = way_of("near", tmp_path)
    with way.stack:
        yield way
