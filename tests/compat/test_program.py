"""A program that was written for agentlace runs when its import is changed."""

import json
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).parent / "actor_learner.txt"
STEPS = 600
PATIENCE_S = 100


def started(stack: ExitStack, path: Path, *flags: str) -> subprocess.Popen[str]:
    """One side of the program, as a process that ends with the test."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(path), *flags], stdout=subprocess.PIPE, text=True
    )
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def told(process: subprocess.Popen[str]) -> Any:
    """What it printed at its end."""
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    return json.loads(output.splitlines()[-1])


def test_an_actor_and_a_learner_run_when_their_import_is_changed(tmp_path: Path) -> None:
    code = PROGRAM.read_text()
    assert code.count("from agentlace.") == 2
    path = tmp_path / "actor_learner.py"
    path.write_text(code.replace("from agentlace.", "from edgeloop.compat.agentlace."))
    port = str(free_port())
    with ExitStack() as stack:
        actor = started(stack, path, "--actor", "--port", port, "--steps", str(STEPS))
        learner = started(stack, path, "--learner", "--port", port)
        acted, learned = told(actor), told(learner)
    assert learned["rewards"] == list(range(STEPS))  # each transition once
    assert learned["stats"] >= 1
    assert acted["versions"] >= 1
    assert acted["w"] == [4]


def free_port() -> int:
    """A port that nobody listens at: both sides must be told one before either runs."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])
