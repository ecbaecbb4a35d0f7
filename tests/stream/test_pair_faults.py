"""What goes wrong between the two sides of a pair, and what does not."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from campaigns import until
from edgeloop.errors import (
    ConfigError,
    RemoteError,
    StreamClosed,
    StreamTimeout,
    Unauthenticated,
)
from edgeloop.stream import ActionClient, ActionServer, InferenceServer
from pairs import client_options, server_options
from stream.robot import CONFIG
from streams import WAIT_S, Way, in_thread

HERE = Path(__file__).parent
TIMEOUT_S = 0.5


class Robot:
    """`robot.py` as a process."""

    def __init__(self, url: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "robot.py"), url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self.line()

    def line(self) -> str:
        """What it says next."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """Kill it outright."""
        self.process.kill()
        self.exit_code()

    def exit_code(self) -> int:
        """Wait for its end."""
        code = self.process.wait(WAIT_S)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        return code


StartRobot = Callable[[str], Robot]


@pytest.fixture
def start() -> Iterator[StartRobot]:
    robots: list[Robot] = []

    def begin(url: str) -> Robot:
        robots.append(Robot(url))
        return robots[-1]

    yield begin
    for robot in robots:
        if robot.process.poll() is None:
            robot.kill()


def test_a_client_comes_back_to_a_robot_that_was_killed(each_way: Way, start: StartRobot) -> None:
    robot = start(each_way.url)
    with ActionClient(robot.url, CONFIG, **client_options(each_way)) as client:
        seen: list[int] = []
        client.register_obs_callback(lambda message: seen.append(len(message["joints"])))
        assert until(lambda: len(seen) == 1)
        robot.kill()
        for _ in range(2):
            with pytest.raises((StreamTimeout, StreamClosed)):
                client.obs(timeout_s=TIMEOUT_S)
        again = start(robot.url)
        assert client.obs()["joints"].sum() == np.arange(100_000).sum()
        assert until(lambda: len(seen) == 2)
        again.kill()


def test_a_call_that_a_kill_cuts_off_raises_and_is_not_repeated(
    each_way: Way, start: StartRobot
) -> None:
    robot = start(each_way.url)
    with ActionClient(robot.url, CONFIG, **client_options(each_way)) as client:
        action = in_thread(lambda: client.act("hang", timeout_s=5))
        assert robot.line() == "hanging"
        robot.kill()
        again = start(robot.url)
        with pytest.raises((StreamTimeout, StreamClosed)):
            action.result()
        assert client.act("move", {"n": 1}) == {"n": 1}
        assert again.process.poll() is None


def test_a_raising_callback_does_not_end_the_robot(each_way: Way, start: StartRobot) -> None:
    robot = start(each_way.url)
    with ActionClient(robot.url, CONFIG, **client_options(each_way)) as client:
        for _ in range(3):
            with pytest.raises(RemoteError, match="the motor is stalled"):
                client.act("fail")
        assert client.act("move", {"n": 1}) == {"n": 1}
    assert robot.process.poll() is None


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_running_server_ends_by_a_signal(start: StartRobot, how: signal.Signals) -> None:
    robot = start("tcp://127.0.0.1:0")
    with ActionClient(robot.url, CONFIG, timeout_s=WAIT_S):
        robot.process.send_signal(how)
        assert robot.line() == "ended"
    assert robot.exit_code() == 0


def test_a_running_server_ends_when_it_is_closed(near: Way) -> None:
    server = InferenceServer(**server_options(near))
    running = in_thread(server.run)
    assert near.connect(server.url).call("about", {})["interfaces"] == []
    server.close()
    running.result()


def test_without_a_robot_there_is_a_timeout(near: Way) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nowhere = f"127.0.0.1:{listener.getsockname()[1]}"
    said = f"Is the action server at tcp://{nowhere} running"
    with pytest.raises(StreamTimeout, match=said):
        ActionClient(nowhere, CONFIG, timeout_s=0.1)


def test_a_client_waits_for_a_robot_that_is_being_started(near: Way, start: StartRobot) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    making = in_thread(
        lambda: ActionClient(url, CONFIG, timeout_s=TIMEOUT_S, wait_for_server_s=WAIT_S)
    )
    start(url)
    with making.result() as client:
        assert client.act("move", {"n": 1}, timeout_s=WAIT_S) == {"n": 1}


def test_a_port_that_is_taken_is_refused(each_way: Way) -> None:
    with (
        InferenceServer(**server_options(each_way)) as server,
        pytest.raises(ConfigError, match="Cannot listen at"),
    ):
        InferenceServer(url=server.url)


def test_who_has_not_the_token_is_refused(each_way: Way) -> None:
    options = server_options(each_way, token="sesame")
    with ActionServer(CONFIG, **options) as server:
        with pytest.raises(Unauthenticated):
            ActionClient(server.url, CONFIG, **client_options(each_way, token="barley"))
        let_in = client_options(each_way, token="sesame")
        with ActionClient(server.url, CONFIG, **let_in) as client:
            assert client.counters()["calls"] == 1


@pytest.mark.parametrize("scheme", ["tcp", "grpc", "zmq"])
def test_sixty_starts_and_stops_leave_nothing_behind(scheme: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "error", str(HERE / "cycles.py"), f"{scheme}://127.0.0.1:0", "60"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Warning" not in ended.stderr
    first, last = json.loads(ended.stdout)
    assert last["memory"] == []
    assert last["files"] <= first["files"]
    assert last["threads"] == first["threads"]
    assert len(last["threads"]) <= 2  # ZeroMQ keeps one of its own
    assert [name for name in Path("/dev/shm").glob("*") if "edgeloop" in name.name] == []
