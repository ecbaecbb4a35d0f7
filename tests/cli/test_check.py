"""``edgeloop loop --check``: what people and scripts see."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from audits import Data, fill
from edgeloop.cli.main import app
from edgeloop.errors import InputError
from processes import edgeloop


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """The data of a loop; files that no row needs are added by tests, and moved out again."""
    folder = tmp_path_factory.mktemp("checked") / "loop"
    asyncio.run(fill(folder))
    return Data(folder)


def check(data: Data, *flags: str) -> Result:
    arguments = ["loop", "--check", *flags, "--data-folder", str(data.folder)]
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "120"})


def add_orphans(data: Data, number: int) -> None:
    for name in range(number):
        (data.folder / "files" / f"orphan-{name}").touch()


def test_clean_data_is_said_so_and_ends_with_0(data: Data) -> None:
    said = check(data)
    assert said.exit_code == 0
    assert "1 detections, 4 images, 1 models, 4 thumbnails" in said.output
    assert "Clean: the database is whole" in said.output


def test_findings_are_a_table_with_what_to_do_and_end_with_1(data: Data) -> None:
    add_orphans(data, 1)
    said = check(data)
    assert said.exit_code == 1
    assert "orphan-0" in said.output
    assert "repair moves them aside" in said.output
    assert "Not clean: 1 findings." in said.output


def test_of_many_findings_some_are_shown_and_programs_get_all(data: Data) -> None:
    add_orphans(data, 30)
    assert "... and 10 more (--json has all). 30 of this kind" in check(data).output
    said = check(data, "--json")
    assert said.exit_code == 1
    read = json.loads(said.stdout)
    assert read["clean"] is False
    assert len(read["findings"]) == 30
    assert read["findings"][0]["kind"] == "orphan"


def test_what_was_repaired_is_said_and_ends_with_0(data: Data) -> None:
    add_orphans(data, 2)
    said = check(data, "--repair")
    assert said.exit_code == 0
    assert "files were moved to removed/" in said.output
    assert "Clean now." in said.output


def test_flags_of_the_check_are_refused_without_it(data: Data) -> None:
    said = CliRunner().invoke(app, ["loop", "--repair", "--data-folder", str(data.folder)])
    assert isinstance(said.exception, InputError)


def test_data_that_cannot_be_checked_ends_with_2(tmp_path: Path) -> None:
    ended = edgeloop("loop", "--check", "--data-folder", tmp_path)
    assert ended.returncode == 2
    assert "is no loop's data folder" in ended.stderr
