"""Files come down as they are, with the logins that they take; sessions end when that is asked."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from edgeloop.client import AsyncLoopClient, Call, ClientSettings, LoopClient
from edgeloop.client.calls.account_records import SessionRecord
from edgeloop.client.calls.images import image_content, upload_images
from edgeloop.client.calls.models import model_file, upload_model
from edgeloop.client.calls.projects import create_project
from edgeloop.client.calls.users import end_session, sessions
from edgeloop.errors import LoopUnreachable, NotFound, Unauthenticated
from edgeloop.loop import LoopSettings
from edgeloop.types import ImageMetadata
from fakes import jpeg
from loops import PASSWORD, loop_served


class Both:
    """One of the two clients, asked in the same way; and a person who looks at the sessions."""

    def __init__(self, client: Any, wait: Callable[[Any], Any], person: LoopClient) -> None:
        self._client = client
        self._wait = wait
        self._person = person

    def send(self, call: Call[Any]) -> Any:
        """Send a call."""
        return self._wait(self._client.send(call))

    def download(self, call: Call[bytes], target: Path) -> None:
        """Store an answer."""
        self._wait(self._client.download(call, target))

    def log_out(self) -> None:
        """End the session."""
        self._wait(self._client.log_out())

    def others(self) -> list[SessionRecord]:
        """The sessions of the account beside that of the person who looks."""
        found = self._person.send(sessions()).items
        return [session for session in found if not session.is_present]

    def end(self) -> None:
        """End the client's session behind its back."""
        for session in self.others():
            self._person.send(end_session(session.id))


def settings_for(host: str, password: str = PASSWORD) -> ClientSettings:
    """An admin's."""
    return ClientSettings(host=host, username="admin", password=SecretStr(password))


@pytest.fixture(params=["sync", "async"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Both]:
    """A client of a served loop with the project o/p."""
    settings = LoopSettings(data_folder=tmp_path / "loop", admin_password=SecretStr(PASSWORD))
    with (
        loop_served(settings) as loop,
        asyncio.Runner() as runner,
        LoopClient(settings_for(loop.host)) as person,
    ):
        person.send(create_project("o", "p", [{"name": "bolt"}]))
        if request.param == "sync":
            with LoopClient(settings_for(loop.host)) as direct:
                yield Both(direct, lambda value: value, person)
        else:
            waiting = AsyncLoopClient(settings_for(loop.host))
            yield Both(waiting, runner.run, person)
            runner.run(waiting.close())


def test_a_models_file_comes_down_as_it_is(client: Both, tmp_path: Path) -> None:
    weights = tmp_path / "weights.bin"
    weights.write_bytes(bytes(range(256)) * 20_000)
    model_id = client.send(upload_model("o", "p", "onnx", [weights]))
    call = model_file("o", "p", model_id, "onnx")
    target = tmp_path / "new" / "model.zip"
    client.download(call, target)
    assert target.read_bytes() == client.send(call)
    assert [path.name for path in target.parent.iterdir()] == ["model.zip"]


def test_a_download_logs_in_and_again_when_the_session_has_ended(
    client: Both, tmp_path: Path
) -> None:
    pairs = [(ImageMetadata("a"), jpeg())]
    (image_id,) = client.send(upload_images("o", "p", pairs, login=True))
    for end in (client.log_out, client.end):
        end()
        assert client.others() == []
        client.download(image_content(image_id), tmp_path / "a.jpg")
        assert (tmp_path / "a.jpg").read_bytes() == jpeg()
        (tmp_path / "a.jpg").unlink()


def test_a_refused_download_leaves_no_file(client: Both, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no image with the id nothing"):
        client.download(image_content("nothing"), tmp_path / "new" / "a.jpg")
    assert not (tmp_path / "new").exists()


def test_who_logs_out_leaves_no_session_and_may_come_back(client: Both) -> None:
    client.log_out()
    client.send(sessions())
    assert len(client.others()) == 1
    client.log_out()
    client.log_out()
    assert client.others() == []
    assert len(client.send(sessions()).items) == 2


def test_a_refused_login_is_told_by_a_download_too(tmp_path: Path) -> None:
    settings = LoopSettings(data_folder=tmp_path / "loop", admin_password=SecretStr(PASSWORD))
    with (
        loop_served(settings) as loop,
        LoopClient(settings_for(loop.host, "wrong")) as stranger,
        pytest.raises(Unauthenticated, match=r"\(Asked .* as admin\.\)"),
    ):
        stranger.download(image_content("a"), tmp_path / "a.jpg")


class Torn(httpx.SyncByteStream):
    """A body that breaks off."""

    def __iter__(self) -> Iterator[bytes]:
        """Half of it, and no more."""
        yield b"half"
        raise httpx.ReadError("gone")


def test_a_download_that_breaks_off_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"old")
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, stream=Torn()))
    with (
        LoopClient(ClientSettings(), transport=transport) as client,
        pytest.raises(LoopUnreachable, match="gone"),
    ):
        client.download(image_content("a"), tmp_path / "a.jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]
    assert (tmp_path / "a.jpg").read_bytes() == b"old"


def test_a_download_from_nowhere_is_one_sentence(tmp_path: Path) -> None:
    with (
        LoopClient(ClientSettings(host="127.0.0.1:1")) as client,
        pytest.raises(LoopUnreachable, match="does not answer"),
    ):
        client.download(image_content("a"), tmp_path / "a.jpg")
    assert list(tmp_path.iterdir()) == []
