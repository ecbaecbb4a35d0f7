"""The snippets of edgeml's README run: servers in threads, as they block; clients beside them."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest

import edgeloop.compat.agentlace as edgeml
from compat import readme
from compat.material import TIMEOUT_MS
from edgeloop.compat.agentlace import inference
from streams import WAIT_S, Outcome, in_thread

PAGE = Path(__file__).parent.parent.parent / "docs" / "agentlace.md"


def begin(snippet: readme.Snippet, port: int = 0, **names: Any) -> tuple[dict[str, Any], Outcome]:
    """Run a snippet in a thread, at this port; its names, while they come, and its end."""
    code = snippet.edited.replace("6379", str(port))
    code = code.replace("TrainerConfig()", f"TrainerConfig({port})")
    code = code.replace("interval=10", "interval=0.1")  # nobody waits for so long here
    space = {"edgeml": edgeml, **names}
    return space, in_thread(lambda: exec(compile(code, "README", "exec"), space))


def run(snippet: readme.Snippet, port: int = 0, **names: Any) -> dict[str, Any]:
    """Run a snippet to its end; its names."""
    space, outcome = begin(snippet, port, **names)
    outcome.result()
    return space


def wait_for(condition: Callable[[], Any]) -> Any:
    """What a condition gives once it is true."""
    waiting = threading.Event()
    for _ in range(int(WAIT_S * 100)):
        if value := condition():
            return value
        waiting.wait(0.01)
    raise AssertionError("It did not come.")


def test_a_gpu_asks_an_edge_device() -> None:
    server, blocked = begin(readme.EDGE_SERVER)
    agent_server = wait_for(lambda: server.get("agent_server"))
    model = SimpleNamespace(predict=lambda seen: {"seen": seen["cam1"]})
    names = run(readme.GPU_CLIENT, load_model=lambda: model, agent_config=agent_server.config)
    assert names["prediction"] == {"seen": "some_value"}
    assert names["agent"].act("move", names["prediction"]) == {"status": "received"}
    assert agent_server.server.counters()["calls"] >= 200
    agent_server.stop()
    blocked.result()


def test_an_agent_asks_an_inference_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "_TIMEOUT_MS", TIMEOUT_MS)  # the machine may be busy
    server, blocked = begin(readme.INFERENCE_SERVER)
    inference_server = wait_for(lambda: server.get("inference_server"))
    client = run(readme.INFERENCE_CLIENT, inference_server.port_num)
    assert client["res"] == {"prediction": "some_value"}
    wait_for(lambda: client["client"].interfaces() == {"voice_reg", "face_reg"})
    inference_server.stop()
    blocked.result()


class Agent:
    """An agent of either side."""

    def __init__(self) -> None:
        self.weights: list[Any] = []
        self.trained: list[Any] = []

    def get_action(self, observation: Any) -> int:
        return int(observation[0] > 0)

    def update_weights(self, weights: Any) -> None:
        self.weights.append(weights)

    def train(self, data: Any) -> Any:
        self.trained.append(data)
        return {"layer": np.full(3, len(self.trained))}


def test_an_agent_is_trained_elsewhere() -> None:
    arrived, ended = threading.Event(), threading.Event()
    learning, acting = Agent(), Agent()
    names, training = begin(
        readme.TRAINER,
        AGENT=learning,
        time=SimpleNamespace(sleep=lambda seconds: arrived.wait(WAIT_S)),
        is_needed=lambda: not acting.weights,
    )
    server = wait_for(lambda: names.get("trainer_server"))
    space, playing = begin(
        readme.AGENT,
        server.config.port_number,
        gym=gymnasium,
        make_agent=lambda: acting,
        is_needed=lambda: not ended.is_set(),
    )
    wait_for(lambda: len(names.get("data_store", ())) == 2)
    arrived.set()
    weights = wait_for(lambda: acting.weights)
    assert set(weights[-1]["layer"].tolist()) <= set(range(1, 10_000))
    assert learning.trained[0]["observations"].shape == (2, 4)
    ended.set()
    playing.result()
    space["trainer_client"].stop()
    space["env"].close()
    training.result()
    server.stop()


@pytest.mark.parametrize("name", list(readme.ALL))
def test_the_page_lists_what_had_to_be_edited(name: str) -> None:
    page = PAGE.read_text()
    assert f"| {name} |" in page
    for edit in readme.ALL[name].edits:
        assert edit.why in page
