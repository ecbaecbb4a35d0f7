"""What ``--help`` says of the flags that are made from settings."""

import re
from typing import get_args

import pytest
from pydantic_settings import BaseSettings
from typer.testing import CliRunner, Result

from edgeloop.cli.main import app
from edgeloop.client import ClientSettings
from edgeloop.client.settings import StreamSettings
from edgeloop.loop.settings import LoopSettings
from edgeloop.nodes.settings import DetectorSettings, TrainerSettings
from edgeloop.types import CategoryType


def help_of(*command: str) -> Result:
    return CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "80"})


@pytest.mark.parametrize(
    ("command", "flag", "variable", "default"),
    [
        ("loop", "--data-folder", "EDGELOOP_DATA_FOLDER", "edgeloop/loop"),
        ("detector", "--max-uncertain-threshold", "MAX_UNCERTAIN_THRESHOLD", "0.6"),
        ("detector", "--loop", "LOOP_HOST", "localhost:8000"),
        ("trainer", "--port", "NODE_PORT", "8001"),
    ],
)
def test_a_flag_is_shown_whole_with_its_variable_and_default(
    command: str, flag: str, variable: str, default: str
) -> None:
    said = " ".join(help_of(command).output.split())
    assert re.search(rf"{flag} <.*?\[{variable}; default: \S*{default}\]", said)


@pytest.mark.parametrize(
    "kind", [LoopSettings, DetectorSettings, TrainerSettings, ClientSettings, StreamSettings]
)
def test_every_setting_says_what_it_is_for(kind: type[BaseSettings]) -> None:
    assert [name for name, field in kind.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("command", [("project", "create"), ("project", "category", "add")])
def test_all_types_of_categories_are_named(command: tuple[str, ...]) -> None:
    assert ", ".join(get_args(CategoryType)) in " ".join(help_of(*command).output.split())


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGELOOP_PORT", "")
    monkeypatch.setenv("LOOP_HOST", "")
    assert LoopSettings().port == 8000
    assert ClientSettings().host == "localhost:8000"
