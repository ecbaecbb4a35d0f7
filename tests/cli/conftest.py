"""A shop for the tests of commands."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.shop import Shop, shop_in


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Shop]:
    """A served loop with the project o/p that knows bolts."""
    with shop_in(tmp_path) as shop:
        yield shop
