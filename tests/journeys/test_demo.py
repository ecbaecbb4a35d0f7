"""The demo as a user runs it."""

import json
from pathlib import Path

import pytest

from edgeloop.imaging import image_size
from processes import edgeloop


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_closing_the_loop_makes_a_better_model(tmp_path: Path) -> None:
    table = tmp_path / "table.json"
    ended = edgeloop(
        "demo", "--output", tmp_path / "demo", "--json", table, "--no-keep", timeout_s=1400
    )
    assert ended.returncode == 0, ended.stderr
    result = json.loads(table.read_text())
    first, second = result["models"]
    assert first["map50_start"] >= 0.95  # no straw man
    assert second["map50_field"] - first["map50_field"] >= 0.25
    assert second["map50"] > first["map50"]
    assert second["images"] == first["images"] + second["labelled"]
    assert second["uploaded"] == second["labelled"] > 0
    assert result["control"] == []
    width, height = image_size((tmp_path / "demo" / "before_after.jpg").read_bytes())
    assert width > 600
    assert height > 600
    assert "log in as admin" in ended.stdout
