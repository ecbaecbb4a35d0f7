"""What agentlace takes of TensorFlow, and gives to it, is TensorFlow's."""

import subprocess
import sysconfig
from pathlib import Path

import pytest

import edgeloop
from edgeloop.client import ClientSettings
from edgeloop.client.settings import child_environment
from environments import ROOT, python_with

PROGRAM = Path(__file__).parent / "tensorflow_program.txt"
PACKAGES = ["tensorflow-cpu", "tensorflow-datasets", "datasets", "pandas", "pillow"]
PINS = ROOT / "tests" / "rl" / "episodes" / "readers.txt"


@pytest.mark.peers
@pytest.mark.timeout(1200)
def test_a_program_with_tensorflow_runs_when_its_import_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    code = PROGRAM.read_text()
    path.write_text(code.replace("from agentlace.", "from edgeloop.compat.agentlace."))
    here = Path(edgeloop.__file__).parents[1], sysconfig.get_path("purelib")
    ended = subprocess.run(
        [python_with("readers", PACKAGES, PINS), path, tmp_path / "rlds", *here],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env=child_environment(ClientSettings(), TF_CPP_MIN_LOG_LEVEL="3"),
    )
    assert ended.stdout.splitlines()[-1:] == ["the lift works"], ended.stderr[-3000:]
