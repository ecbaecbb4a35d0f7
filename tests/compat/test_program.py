"""A program that was written for agentlace runs when its import is changed."""

import json
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).parent / "actor_learner.txt"
MOVES = 600
PATIENCE_S = 100


def started(stack: ExitStack, path: Path, *words: str) -> subprocess.Popen[str]:
    """One side of the program, as a process that ends with the test."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(path), *words], stdout=subprocess.PIPE, text=True
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
        actor = started(stack, path, "act", port, str(MOVES))
        learner = started(stack, path, "learn", port)
        acted, learned = told(actor), told(learner)
    assert learned["serials"] == list(range(MOVES))  # each of them once
    assert learned["progress"] >= 1
    assert learned["finished"] >= 1
    assert acted["policies"] >= 1
    assert acted["axes"] == 3


def free_port() -> int:
    """A port that nobody listens at: both sides must be told one before either runs."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])
