"""``edgeloop stream``: what people see and programs read of servers."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from edgeloop.cli import watching
from edgeloop.cli.main import app
from edgeloop.client import ClientSettings
from edgeloop.client.settings import child_environment
from edgeloop.errors import (
    ConfigError,
    ConfigMismatch,
    EdgeloopError,
    InputError,
    NotFound,
    RemoteError,
    Unauthenticated,
)
from edgeloop.stream import (
    ActionConfig,
    ActionServer,
    Client,
    InferenceServer,
    Message,
    QueuedDataStore,
    TrainerConfig,
    TrainerServer,
    connect,
    serve,
)
from fakes import jpeg
from processes import edgeloop
from streams import WAIT_S, certificates

CONFIG = ActionConfig(0, action_keys=["move"], observation_keys=["joints"])


def describe(payload: Message) -> Message:
    """What came, in a form that shows how it came."""
    return {
        name: f"{value.dtype}{value.shape}" if isinstance(value, np.ndarray) else repr(value)
        for name, value in payload.items()
    }


def fail(payload: Message) -> Message:
    raise ValueError("no such weights")


@pytest.fixture
def model() -> Iterator[InferenceServer]:
    """A model's server."""
    server = InferenceServer()
    server.register_interface("describe", describe)
    server.register_interface("echo", lambda payload: payload)
    server.register_interface("fail", fail)
    with server:
        yield server


@pytest.fixture
def robot() -> Iterator[ActionServer]:
    """A robot's server."""
    server = ActionServer(
        CONFIG,
        lambda keys: {key: np.arange(7.0) for key in keys},
        lambda key, payload: {"did": key, **payload},
    )
    with server:
        yield server


def run(*arguments: str, **environment: str) -> str:
    """Run ``edgeloop stream`` and return its stdout; what it refuses is raised."""
    result = CliRunner().invoke(app, ["stream", *arguments], env={"COLUMNS": "200", **environment})
    if isinstance(result.exception, EdgeloopError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def read(*arguments: str) -> Any:
    """What programs read."""
    return json.loads(run(*arguments, "--json"))


def test_a_ping_says_what_the_server_is_and_how_calls_go(robot: ActionServer) -> None:
    said = run("ping", robot.url)
    for words in ("action", "same host", "action_keys", "move", "p50_us"):
        assert words in said
    found = read("ping", robot.url.removeprefix("tcp://"), "--count", "3")
    assert (found["kind"], found["way"]) == ("action", "same host")
    assert found["config"]["observation_keys"] == ["joints"]
    latency = found["latency"]
    assert latency["calls"] == 3
    assert 0 < latency["least_us"] <= latency["p50_us"] <= latency["most_us"]


@pytest.mark.parametrize(("scheme", "way"), [("grpc", "gRPC"), ("zmq", "ZeroMQ")])
def test_a_ping_goes_the_way_that_the_url_names(scheme: str, way: str) -> None:
    with InferenceServer(url=f"{scheme}://127.0.0.1:0") as server:
        assert read("ping", server.url, "--count", "1")["way"] == way


def test_what_can_be_called_is_listed(model: InferenceServer, robot: ActionServer) -> None:
    assert "interface" in run("interfaces", model.url)
    assert [offer["name"] for offer in read("interfaces", model.url)] == [
        "describe",
        "echo",
        "fail",
    ]
    assert read("interfaces", robot.url) == [
        {"name": "move", "is": "action"},
        {"name": "joints", "is": "observation"},
    ]


def test_a_server_without_names_says_that_it_has_none() -> None:
    with InferenceServer() as empty:
        ended = edgeloop("stream", "interfaces", empty.url)
        assert read("interfaces", empty.url) == []
    assert (ended.returncode, ended.stdout) == (0, "")
    assert ended.stderr == "This inference server has nothing that is called by a name.\n"


def test_a_trainers_requests_are_listed_and_called() -> None:
    config = TrainerConfig(0, request_types=["stats"])
    with TrainerServer(config, None, lambda kind, payload: {kind: payload}) as server:
        assert read("interfaces", server.url) == [{"name": "stats", "is": "request"}]
        assert read("call", server.url, "stats", "--payload", '{"n": 1}') == {"stats": {"n": 1}}


def test_an_interface_is_called_with_a_json_object(model: InferenceServer) -> None:
    payload = '{"x": [1, 2.5], "name": "a", "deep": {"n": null}}'
    assert read("call", model.url, "echo", "--payload", payload) == json.loads(payload)
    said = run("call", model.url, "echo", "--payload", payload)
    assert "deep.n" in said
    assert read("call", model.url, "echo") == {}


def test_lists_of_numbers_are_sent_as_arrays_where_that_is_wished(model: InferenceServer) -> None:
    payload = '{"a": [[1, 2], [3, 4]], "b": {"c": [0.5]}, "d": ["x"], "e": [[1], [2, 3]], "f": []}'
    assert read("call", model.url, "describe", "--payload", payload, "--arrays") == {
        "a": "int64(2, 2)",
        "b": "{'c': array([0.5])}",
        "d": "['x']",
        "e": "[[1], [2, 3]]",
        "f": "[]",
    }


def test_files_are_sent_as_what_they_are(model: InferenceServer, tmp_path: Path) -> None:
    np.save(tmp_path / "joints.npy", np.arange(7.0))
    np.savez(tmp_path / "both.npz", one=np.zeros(2), two=np.zeros((3, 3), np.uint8))
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    (tmp_path / "more.json").write_text('{"n": 1}')
    (tmp_path / "raw.bin").write_bytes(b"\0\1")
    files = [f"--file={tmp_path / name}" for name in ("joints.npy", "both.npz", "more.json")]
    files += [f"--file=image={tmp_path / 'photo.jpg'}", f"--file=x={tmp_path / 'raw.bin'}"]
    found = read("call", model.url, "describe", "--payload", '{"y": 2}', *files)
    image = found.pop("image")
    assert image.startswith("uint8(")
    assert image.endswith(", 3)")
    assert found == {
        "joints": "float64(7,)",
        "one": "float64(2,)",
        "two": "uint8(3, 3)",
        "n": "1",
        "x": "b'\\x00\\x01'",
        "y": "2",
    }


def test_a_robot_is_asked_to_act_and_to_observe(robot: ActionServer) -> None:
    assert read("call", robot.url, "move", "--payload", '{"to": 3}') == {"did": "move", "to": 3}
    assert read("call", robot.url, "joints") == {"joints": [0, 1, 2, 3, 4, 5, 6]}
    assert "float64 7: [0.0, 1.0" in run("call", robot.url, "joints")


def test_answers_are_described_for_people_and_whole_for_programs() -> None:
    answer = {
        "image": np.arange(100, dtype=np.uint8).reshape(10, 10),
        "names": np.array(["a"] * 20),
        "scale": np.array(2.0),
        "raw": b"\xff\0",
        "z": 1 + 2j,
        "bad": float("nan"),
        "none": {},
        "pair": (1, None),
        "score": np.float32(0.5),
    }
    server = InferenceServer()
    server.register_interface("all", lambda payload: answer)
    with server:
        said = " ".join(run("call", server.url, "all").split())
        found = read("call", server.url, "all")
    for words in ("uint8 10 x 10: 0 to 99, mean 49.5", "<U1 20", "float64 one: 2.0", "2 bytes"):
        assert words in said
    assert found.pop("image")[9][9] == 99
    assert found.pop("names") == ["a"] * 20
    assert found == {
        "scale": 2.0,
        "raw": "/wA=",
        "z": "(1+2j)",
        "bad": None,
        "none": {},
        "pair": [1, None],
        "score": 0.5,
    }


def test_a_way_is_measured(model: InferenceServer) -> None:
    short = ("--calls", "5", "--size", "1000", "--size", "200000", "--seconds", "0")
    said = run("bench", model.url, *short)
    for words in ("same host", "up MB/s", "down MB/s", "200000", "p99_us"):
        assert words in said
    found = read("bench", model.url, *short)
    assert found["way"] == "same host"
    assert found["latency"]["calls"] == 5
    assert [row["size_bytes"] for row in found["bandwidth"]] == [1000, 200_000]
    assert all(row["up_mb_per_s"] > 0 and row["down_mb_per_s"] > 0 for row in found["bandwidth"])


def test_a_server_is_watched_once(model: InferenceServer) -> None:
    said = run("watch", model.url, "--once", "--interval-s", "0.01")
    for words in (f"inference at {model.url}", "calls", "bytes_in", "MB", "batches", "curve"):
        assert words in said


def test_a_servers_rates_are_lines_of_json(model: InferenceServer) -> None:
    lines = run("watch", model.url, "--frames", "3", "--interval-s", "0.01", "--json").splitlines()
    first, *_, last = [json.loads(line) for line in lines]
    assert len(lines) == 3
    assert last["counters"]["calls"] == first["counters"]["calls"] + 2
    assert last["per_second"]["calls"] > 0
    assert last["mean_call_s"] > 0
    assert "connections" not in last["per_second"]
    assert last["trouble"] is None


class Told:
    """Answers with the figures that it was told; where there are none it ends, to start again."""

    def __init__(self, *figures: Message | None) -> None:
        self._figures = iter(figures)
        self.server = serve("tcp://127.0.0.1:0", self)
        self.server.start()

    def __call__(self, route: str, message: Message) -> Message:
        if (found := next(self._figures)) is None:
            self.server.close()
            self.server = serve(self.server.url, self)
            self.server.start()
        return found or {}


@contextlib.contextmanager
def told(*figures: Message | None) -> Iterator[Client]:
    """A client of a server that says these figures."""
    server = Told(*figures)
    with connect(server.server.url, timeout_s=WAIT_S) as client:
        yield client
    server.server.close()


def test_a_trainers_stores_and_staleness_are_watched() -> None:
    with TrainerServer(TrainerConfig(0)) as server:
        server.register_data_store("steps", QueuedDataStore(10))
        said = run("watch", server.url, "--once", "--interval-s", "0.01")
        found = read("watch", server.url, "--once", "--interval-s", "0.01")
    for name in ("stores/steps/size", "stores/steps/transitions", "staleness", "network_version"):
        assert name in said
        assert name in found["counters"]
    assert "stores/steps/transitions" in found["per_second"]
    assert not {"stores/steps/size", "staleness"} & set(found["per_second"])


def test_rates_of_a_server_that_was_started_again_are_left_out() -> None:
    before = {"calls": 100.0, "failures": 0.0, "connections": 3.0, "call_seconds_p50": 0.5}
    after = {"calls": 3.0, "failures": 2.0, "connections": 1.0, "call_seconds_p50": 0.7}
    with told(before, after) as client:
        look = next(watching.looks_at(client, 0.01))
    assert look.now == after
    assert list(look.per_second) == ["failures"]
    assert look.mean_call_s is None


def test_a_server_that_does_not_answer_once_is_asked_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    figures = {"calls": 5.0, "call_seconds": 0.0}
    with told(figures, None, figures) as client:
        watching.watch_server(client, "robot", interval_s=0.01, looks=2, as_json=True)
    lost, found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "may or may not have been answered" in lost["trouble"]
    assert lost["counters"] == {}
    assert found["counters"] == figures


def test_what_was_known_stays_to_be_seen_while_a_server_does_not_answer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with told({"calls": 5.0}, {"calls": 7000.0}, None) as client:
        watching.watch_server(client, "robot", interval_s=0.01, looks=2, as_json=False)
    said = " ".join(capsys.readouterr().out.split())
    assert "7,000" in said
    assert "may or may not have been answered" in said


def test_watching_ends_with_an_interrupt(model: InferenceServer) -> None:
    command = [sys.executable, "-m", "edgeloop", "stream", "watch", model.url, "--json"]
    environment = child_environment(ClientSettings())
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["trouble"] is None
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT_S) == 0


def test_an_unknown_name_is_said_with_those_that_there_are(
    model: InferenceServer, robot: ActionServer
) -> None:
    with pytest.raises(NotFound, match="has no 'nope': there is describe, echo, fail"):
        run("call", model.url, "nope")
    with pytest.raises(NotFound, match="This action server has no 'echo': there is move, joints"):
        run("call", robot.url, "echo")
    with InferenceServer() as empty, pytest.raises(NotFound, match="there is nothing"):
        run("call", empty.url, "echo")


def test_an_error_of_the_callback_is_said(model: InferenceServer) -> None:
    with pytest.raises(RemoteError, match="ValueError: no such weights"):
        run("call", model.url, "fail")


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [("{", "--payload is not JSON"), ("[1]", "--payload is no object"), ("7", "no object")],
)
def test_a_payload_that_is_no_object_is_refused(
    model: InferenceServer, payload: str, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        run("call", model.url, "echo", "--payload", payload)


@pytest.mark.parametrize("name", ["gone.npy", "broken.npy", "broken.npz", "empty.npy", "list.json"])
def test_a_file_that_cannot_be_read_is_named(
    model: InferenceServer, tmp_path: Path, name: str
) -> None:
    (tmp_path / "broken.npy").write_bytes(b"nonsense")
    (tmp_path / "broken.npz").write_bytes(b"nonsense")
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(InputError, match=name):
        run("call", model.url, "echo", "--file", str(tmp_path / name))


def test_an_array_of_objects_is_not_read(model: InferenceServer, tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"objects\.npy cannot be read"):
        run("call", model.url, "echo", "--file", str(tmp_path / "objects.npy"))


def test_a_token_is_taken_from_the_environment_or_a_flag() -> None:
    with InferenceServer(token="sesame") as server:
        with pytest.raises(Unauthenticated):
            run("ping", server.url, EDGELOOP_STREAM_TOKEN="")
        assert "inference" in run("ping", server.url, EDGELOOP_STREAM_TOKEN="sesame")
        assert "inference" in run("ping", server.url, "--token", "sesame")


def test_a_server_with_tls_is_reached_with_its_authority(tmp_path: Path) -> None:
    shown, trusted = certificates(tmp_path)
    with InferenceServer(tls=shown) as server:
        found = read("ping", server.url, "--tls-authority", str(trusted.authority))
        assert found["way"] == "TCP with TLS"


def test_a_server_of_another_program_is_said() -> None:
    def raising(route: str, message: Message) -> Message:
        raise KeyError(route)

    for handler in (raising, lambda route, message: {"kind": 1}):
        with (
            serve("tcp://127.0.0.1:0", handler) as server,
            pytest.raises(ConfigMismatch, match="another program's"),
        ):
            run("ping", server.url)


def test_a_host_without_a_port_is_refused() -> None:
    with pytest.raises(ConfigError, match="write HOST:PORT"):
        run("ping", "robot")


def test_a_server_that_is_not_there_ends_the_command_with_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nowhere = f"127.0.0.1:{listener.getsockname()[1]}"
    ended = edgeloop("stream", "ping", nowhere, "--timeout-s", "0.3")
    said = " ".join(ended.stderr.split())
    assert ended.returncode == 2
    assert f"edgeloop: No server answered at tcp://{nowhere}" in said
    assert "Is the stream server at" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("timeout_s", ["inf", "nan", "1e12", "0"])
def test_a_time_out_that_is_none_ends_the_command_with_one_sentence(timeout_s: str) -> None:
    ended = edgeloop("stream", "ping", "127.0.0.1:1", "--timeout-s", timeout_s)
    assert ended.returncode == 2
    assert "timeout_s is wrong" in ended.stderr
    assert "bug" not in ended.stderr
