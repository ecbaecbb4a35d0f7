"""The example of a learner and its actors: few steps, each flag."""

from pathlib import Path

import pytest
from PIL import Image

from edgeloop.rl import EpisodeLog
from scripts import Script

EXAMPLE = "async_learner_actor.py"
PENDULUM = ("--env", "Pendulum-v1")

pytestmark = pytest.mark.timeout(600)  # two processes load torch, on a machine that may be busy


def test_without_a_mode_both_run_in_one_process_and_render() -> None:
    with Script(EXAMPLE, *PENDULUM, "--steps", 100, "--render", SDL_VIDEODRIVER="dummy") as both:
        came = both.printed(r"(\d+) transitions, (\d+) over the wire, from 1 actors")
        assert both.ended() == 0
    assert int(came[1]) == int(came[2]) >= 100


def test_learner_and_actor_are_two_processes(tmp_path: Path) -> None:
    options = ("--steps", 450, "--use_traj_buffer", "--curve", tmp_path / "curve.png")
    with Script(EXAMPLE, *PENDULUM, "--learner", "--port", 0, *options) as learner:
        port = learner.printed(r"learning at tcp://127\.0\.0\.1:(\d+)")[1]
        with Script(
            EXAMPLE,
            *PENDULUM,
            *("--actor", "--ip", "127.0.0.1", "--port", port),
            *("--rlds_log_dir", tmp_path / "episodes"),
        ) as actor:
            came = learner.printed(r"(\d+) transitions, (\d+) over the wire, from 1 actors")
            assert actor.ended() == 0
        assert learner.ended() == 0
    assert int(came[1]) == int(came[2]) >= 450
    with EpisodeLog(tmp_path / "episodes") as log:
        assert len(log) >= 2
    with Image.open(tmp_path / "curve.png") as curve:
        assert curve.format == "PNG"


def test_a_learner_that_starts_anew_gets_what_the_actor_still_holds() -> None:
    with Script(EXAMPLE, *PENDULUM, "--learner", "--port", 0) as learner:
        port = learner.printed(r"learning at tcp://127\.0\.0\.1:(\d+)")[1]
        with Script(EXAMPLE, *PENDULUM, "--actor", "--port", port) as actor:
            before = learner.printed(r"(\d+) transitions: mean return")
            learner.kill()
            with Script(
                EXAMPLE, *PENDULUM, "--learner", "--port", port, "--steps", before[1]
            ) as another:
                came = another.printed(r"(\d+) transitions, (\d+) over the wire")
                assert another.ended() == 0
            assert actor.ended() == 0
    assert int(came[1]) == int(came[2]) >= int(before[1])


@pytest.mark.parametrize(
    ("env", "why"), [("NoSuch-v1", "doesn't exist"), ("CartPole-v1", "actions that are numbers")]
)
def test_an_environment_that_does_not_fit_is_said(env: str, why: str) -> None:
    with Script(EXAMPLE, "--env", env) as both:
        assert both.ended() == 2
    assert why in both.output
    assert "Traceback" not in both.output
