"""The page about pairs tells the truth."""

import re
from pathlib import Path

from typer.testing import CliRunner

from edgeloop.cli.main import app
from edgeloop.stream import InferenceServer
from edgeloop.stream.transport import DEFAULT_TIMEOUT_S

PAGE = Path(__file__).parent.parent.parent / "docs" / "pairs.md"


def test_the_code_on_the_page_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 4
    exec(compile("\n".join(blocks), str(PAGE), "exec"), {})


def test_the_counters_of_a_models_server_are_on_the_page() -> None:
    page = PAGE.read_text()
    with InferenceServer() as server:
        own = set(server.counters()) - set(server.transport.counters())
    assert [name for name in sorted(own) if f"`{name}`" not in page] == []


def test_the_default_time_out_is_on_the_page() -> None:
    assert f"else {DEFAULT_TIMEOUT_S:.0f} seconds" in PAGE.read_text()


def test_every_command_is_on_the_page() -> None:
    said = CliRunner().invoke(app, ["stream", "--help"]).output
    commands = re.findall(r"^  (\w+)  ", said.split("Commands:")[1], re.MULTILINE)
    assert commands == ["ping", "interfaces", "call", "bench", "watch"]
    page = PAGE.read_text()
    assert [name for name in commands if f"edgeloop stream {name} " not in page] == []
