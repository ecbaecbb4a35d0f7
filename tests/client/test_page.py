"""The page about the client tells the truth."""

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import SecretStr

from edgeloop.client import ClientSettings, LoopClient, calls
from edgeloop.loop import LoopSettings
from fakes import jpeg
from loops import PASSWORD, loop_served

PAGE = Path(__file__).parent.parent.parent / "docs" / "client.md"


def names_in(module: ModuleType) -> list[str]:
    """The calls of a module."""
    made_here = inspect.getmembers(module, inspect.isfunction)
    return [
        name
        for name, function in made_here
        if function.__module__ == module.__name__ and not name.startswith("_")
    ]


def told(folder: Path) -> Mapping[str, Any]:
    """Run the page's code on a new loop; what its names stand for at the end."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 12
    (folder / "photos").mkdir()
    for seed in range(3):
        (folder / "photos" / f"{seed}.jpg").write_bytes(jpeg(seed=seed))
    (folder / "model.onnx").write_bytes(b"weights")
    names: dict[str, Any] = {}
    exec(compile("\n".join(blocks), str(PAGE), "exec"), names)
    return names


def test_the_code_on_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = LoopSettings(data_folder=tmp_path / "loop", admin_password=SecretStr(PASSWORD))
    monkeypatch.chdir(tmp_path)
    with loop_served(settings) as loop:
        for name, value in (("HOST", loop.host), ("USERNAME", "admin"), ("PASSWORD", PASSWORD)):
            monkeypatch.setenv(f"LOOP_{name}", value)
        names = told(tmp_path)
        with LoopClient(ClientSettings()) as person:
            assert len(person.send(calls.users.sessions()).items) == 1
    assert names["outcome"].changed == 3
    assert len(names["found"]) == len(names["small"]) == 3
    assert (tmp_path / "down" / "image.jpg").read_bytes().startswith(b"\xff\xd8")
    assert (tmp_path / "down" / "model.zip").is_file()


def test_every_call_is_on_the_page() -> None:
    page = PAGE.read_text()
    rows = {
        name: re.search(rf"^\| `calls\.{name}` \|.*$", page, re.MULTILINE) for name in calls.__all__
    }
    assert [name for name, row in rows.items() if row is None] == []
    missing = [
        f"{name}.{call}"
        for name, row in rows.items()
        for call in names_in(getattr(calls, name))
        if row is not None and f"`{call}`" not in row[0]
    ]
    assert missing == []
