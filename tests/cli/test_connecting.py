"""Which loop commands ask, as whom; they leave no session behind."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.shop import Shop
from edgeloop.cli.main import app
from edgeloop.client.calls.users import sessions
from edgeloop.errors import ConfigError, NotFound
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


@pytest.mark.parametrize("command", [("project", "list"), ("image", "list", "o/p")])
def test_a_token_is_a_flag_of_commands(store: Shop, command: Sequence[str]) -> None:
    secret = store.run("token", "create", "belt", "--scope", "viewer").strip()
    asked = [*command, "--json", "--loop", store.client.settings.host]
    assert CliRunner().invoke(app, [*asked, "--loop-token", secret]).exit_code == 0
    assert CliRunner().invoke(app, asked).exit_code != 0


def test_a_file_of_authorities_is_a_flag_of_commands(store: Shop, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.pem is no certificate"):
        store.run("project", "list", "--ssl-cert-path", str(tmp_path / "none.pem"))
