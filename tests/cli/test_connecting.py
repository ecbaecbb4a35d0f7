"""Which loop commands ask, as whom; they leave no session behind."""

import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperCommand, TyperGroup
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


def commands_of(group: TyperGroup) -> Iterator[TyperCommand]:
    """All commands, also those below others."""
    for command in group.commands.values():
        if isinstance(command, TyperGroup):
            yield from commands_of(command)
        elif isinstance(command, TyperCommand):
            yield command


def test_every_command_that_asks_a_loop_takes_all_that_says_which_and_as_whom() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    flags = [{flag for p in command.params for flag in p.opts} for command in commands_of(group)]
    asking = [found for found in flags if "--loop" in found]
    assert len(asking) > 50
    expected = {"--username", "--password", "--loop-token", "--ssl-cert-path"}
    assert all(expected <= found for found in asking)


@pytest.mark.parametrize("command", [("project", "list"), ("image", "list", "o/p")])
def test_a_token_is_a_flag_of_commands(store: Shop, command: Sequence[str]) -> None:
    secret = store.run("token", "create", "belt", "--scope", "viewer").strip()
    asked = [*command, "--json", "--loop", store.client.settings.host]
    assert CliRunner().invoke(app, [*asked, "--loop-token", secret]).exit_code == 0
    assert CliRunner().invoke(app, asked).exit_code != 0


def test_a_file_of_authorities_is_a_flag_of_commands(store: Shop, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.pem is no certificate"):
        store.run("project", "list", "--ssl-cert-path", str(tmp_path / "none.pem"))


class Stranger(BaseHTTPRequestHandler):
    """Another program: it has one page, and takes nothing."""

    def do_GET(self) -> None:
        """Whoever looks sees the page."""
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"Hello")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Nothing(Stranger):
    """Another program, which knows none of our paths."""

    def do_GET(self) -> None:
        """There is nothing."""
        self.send_error(404)

    def do_POST(self) -> None:
        """There is nothing here, too."""
        self.send_error(404)


@pytest.fixture(params=[Stranger, Nothing])
def stranger(request: pytest.FixtureRequest) -> Iterator[str]:
    """HOST:PORT of a server that is no loop."""
    with ThreadingHTTPServer(("127.0.0.1", 0), request.param) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("login", [("--password", "x", "--username", "ann"), ("--loop-token", "x")])
def test_what_is_no_loop_is_said_to_be_none(stranger: str, login: Sequence[str]) -> None:
    ended = CliRunner().invoke(app, ["project", "list", "--loop", stranger, *login])
    assert isinstance(ended.exception, ConfigError)
    assert f"What answers at http://{stranger} is no loop" in str(ended.exception)


def test_what_a_loop_does_not_find_is_said_as_it_is(store: Shop) -> None:
    with pytest.raises(NotFound, match="There is no project o/q"):
        store.run("project", "show", "o/q")
