"""A node of a user's own, as a program."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from edgeloop.client import ClientSettings
from edgeloop.client.settings import child_environment

TESTS = Path(__file__).parents[1]
DETECTOR = """
from detecting import CupDetector
from edgeloop.nodes import DetectorNode
if __name__ == "__main__":
    DetectorNode(CupDetector).run()
"""
TRAINER = """
from nodes.trainer.scripted import ScriptedTrainer
from edgeloop.nodes import TrainerNode
if __name__ == "__main__":
    TrainerNode(ScriptedTrainer).run()
"""


def ended(folder: Path, program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    script = folder / "node.py"
    script.write_text(program)
    environment = child_environment(
        ClientSettings(), **{"DATA_FOLDER": str(folder), "PYTHONPATH": str(TESTS)} | variables
    )
    return subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env=environment, timeout=60
    )


@pytest.mark.parametrize("program", [DETECTOR, TRAINER])
def test_a_wrong_variable_ends_a_node_with_a_sentence(tmp_path: Path, program: str) -> None:
    node = ended(tmp_path, program, NODE_PORT="abc")
    assert node.returncode == 2
    assert node.stderr.startswith("edgeloop: NODE_PORT is wrong")
    assert "Traceback" not in node.stderr


@pytest.mark.parametrize("program", [DETECTOR, TRAINER])
def test_a_taken_port_ends_a_node_with_a_sentence_that_names_its_variable(
    tmp_path: Path, program: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        node = ended(tmp_path, program, NODE_PORT=str(port))
    assert node.returncode == 2
    assert f"edgeloop: Port {port} is taken" in node.stderr
    assert "NODE_PORT" in node.stderr
    assert "Traceback" not in node.stderr
