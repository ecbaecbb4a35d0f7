"""Commands leave no session behind."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from cli.shop import Shop
from edgeloop.client.calls.users import sessions
from edgeloop.errors import NotFound
from edgeloop.formats import NamedBox, write_voc
from fakes import jpeg


@pytest.mark.parametrize(
    "command",
    [
        ("project", "list"),
        ("project", "create", "o/q", "--category", "nut"),
        ("import", "voc", "FOLDER", "--project", "o/p"),
    ],
)
def test_a_session_ends_with_its_command(
    store: Shop, tmp_path: Path, command: Sequence[str]
) -> None:
    box = NamedBox("bolt", 1, 2, 30, 40)
    write_voc(tmp_path / "voc", "a", jpeg=jpeg(), size=(64, 48), boxes=[box])
    store.run(*(str(tmp_path / "voc") if word == "FOLDER" else word for word in command))
    assert [session.is_present for session in store.client.send(sessions()).items] == [True]


def test_a_session_ends_with_a_command_that_fails(store: Shop) -> None:
    with pytest.raises(NotFound):
        store.run("project", "show", "o/q")
    assert [session.is_present for session in store.client.send(sessions()).items] == [True]
