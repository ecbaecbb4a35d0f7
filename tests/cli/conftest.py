"""A terminal and a shop for the tests of commands."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.shop import Shop, shop_in
from edgeloop.cli import console


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables have room, whatever width parallel workers were told."""
    monkeypatch.setattr(console.stdout, "width", 200)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Shop]:
    """A served loop with the project o/p that knows bolts."""
    with shop_in(tmp_path) as shop:
        yield shop
