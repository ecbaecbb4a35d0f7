"""A robot learns to swing up a pendulum, though one that tries it is killed on the way."""

from pathlib import Path

import pytest

from scripts import Script

EXAMPLE = "async_learner_actor.py"
PENDULUM = ("--env", "Pendulum-v1")
ENOUGH = -250
LEARNT_S = 1500


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_robot_learns_from_an_actor_that_is_killed_and_restarted(tmp_path: Path) -> None:
    curve = tmp_path / "curve.png"
    with Script(
        EXAMPLE, *PENDULUM, "--learner", "--port", 0, "--steps", 20_000, "--curve", curve
    ) as learner:
        port = learner.printed(r"learning at tcp://127\.0\.0\.1:(\d+)")[1]
        with Script(EXAMPLE, *PENDULUM, "--actor", "--port", port) as actor:
            before = learner.printed(
                r"(1[5-9]\d\d|2\d\d\d) transitions: mean return (.+)", within_s=LEARNT_S
            )
            assert actor.kill() < 0
        with Script(EXAMPLE, *PENDULUM, "--actor", "--port", port) as actor:
            came = learner.printed(
                r"(\d+) transitions, (\d+) over the wire, from 2 actors", within_s=LEARNT_S
            )
            assert actor.ended() == 0
        assert learner.ended() == 0
    last = learner.output.rpartition(": mean return ")[2]
    assert float(before[2]) < ENOUGH <= float(last.split()[0])
    assert int(came[1]) == int(came[2]) <= 20_100
    assert curve.exists()
