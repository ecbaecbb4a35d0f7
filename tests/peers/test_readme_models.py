"""The published README's way to give the loop a model of one's own, line by line."""

import contextlib
import io
import json
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeloop.client import Call, ClientSettings, LoopClient
from edgeloop.client.calls.projects import create_project
from edgeloop.client.calls.tokens import create_token, revoke_token
from edgeloop.errors import Conflict
from edgeloop.protocol import routes
from peers import shell

pytestmark = [pytest.mark.peers, pytest.mark.timeout(900)]

UPLOAD = (
    "curl --request POST -F 'files=@my_model.zip' "
    "https://learning-loop.ai/api/zauberzeug/projects/demo/format_a"
)
LIST_A = 'curl "https://learning-loop.ai/api/zauberzeug/projects/demo/models?format=format_a"'
LIST_B = 'curl "https://learning-loop.ai/api/zauberzeug/projects/demo/models?format=format_b"'
UNQUOTED_LIST_B = (
    "curl https://learning-loop.ai/api/zauberzeug/projects/demo/models?format=format_b"
)


class Visitor:
    """Somebody who reads the README and has a loop, and an account there or not."""

    def __init__(self, client: LoopClient, folder: Path, options: str) -> None:
        self.client, self.folder, self.options = client, folder, options

    def run(self, line: str, *, is_known: bool = True) -> dict[str, Any]:
        """What the loop answers to a line."""
        options = self.options if is_known else ""
        answer: dict[str, Any] = json.loads(
            shell.run(
                line,
                at=self.client.settings.base_url,
                instead_of="https://learning-loop.ai",
                folder=self.folder,
                more=options,
            )
        )
        return answer


@pytest.fixture
def visitor(loop: ClientSettings, tmp_path: Path) -> Iterator[Visitor]:
    """The project that the README names, and the model in the folder."""
    with zipfile.ZipFile(tmp_path / "my_model.zip", "w") as archive:
        archive.writestr("model.pt", b"weights of somebody")
    with LoopClient(loop) as client:
        with contextlib.suppress(Conflict):  # a loop with test routes has it
            client.send(create_project("zauberzeug", "demo", [{"name": "cat"}]))
        token = client.send(create_token("the README", ["manager"], project="zauberzeug/demo"))
        yield Visitor(client, tmp_path, f'-H "Authorization: Bearer {token.secret}"')
        client.send(revoke_token(token.id))


def test_the_lines_are_those_of_the_published_readme(version: str) -> None:
    readme = shell.readme_of(version)
    assert all(line in readme for line in (UPLOAD, LIST_A, LIST_B, UNQUOTED_LIST_B))


def test_a_model_is_uploaded_listed_and_found_by_its_format_as_the_readme_says(
    visitor: Visitor,
) -> None:
    before = visitor.run(LIST_B)
    model_id = visitor.run(UPLOAD)["id"]
    (listed,) = [model for model in visitor.run(LIST_A)["models"] if model["id"] == model_id]
    assert set(listed) >= {"id", "version", "formats", "created", "comment"}
    assert listed["formats"] == ["format_a"]
    assert listed["version"].replace(".", "").isdigit()
    assert listed["comment"].startswith("uploaded at ")
    assert visitor.run(LIST_B) == visitor.run(UNQUOTED_LIST_B) == before
    path = routes.model_file("zauberzeug", "demo", model_id, "format_a")
    archive = visitor.client.send(Call("GET", path, lambda answer: answer.content))
    with zipfile.ZipFile(io.BytesIO(archive)) as found:
        assert found.read("model.pt") == b"weights of somebody"
        described = json.loads(found.read("model.json"))
    expected = {"organization": "zauberzeug", "project": "demo", "format": "format_a"}
    assert described == described | expected
    assert (described["id"], described["version"]) == (model_id, listed["version"])


def test_without_a_token_nothing_is_stored(visitor: Visitor) -> None:
    before = visitor.run(LIST_A)
    with pytest.raises(subprocess.CalledProcessError) as refused:
        visitor.run(UPLOAD, is_known=False)
    assert json.loads(refused.value.output)["code"] == "unauthenticated"
    assert visitor.run(LIST_A) == before
