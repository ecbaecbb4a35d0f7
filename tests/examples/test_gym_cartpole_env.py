"""The example of an environment elsewhere: agent and environment as processes, each flag."""

import re

from scripts import Script

EXAMPLE = "gym_cartpole_env.py"


def episodes(output: str) -> list[str]:
    return re.findall(r"episode \d+: \d+ steps", output)


def test_without_a_mode_both_run_in_one_process_and_render() -> None:
    options = ("--port", 0, "--episodes", 1, "--render")
    with Script(EXAMPLE, *options, SDL_VIDEODRIVER="dummy") as both:
        assert both.ended() == 0
        assert episodes(both.output) == ["episode 0: 500 steps"]


def test_agents_come_one_after_the_other_to_a_server_that_stays() -> None:
    with Script(EXAMPLE, "--server", "--port", 0) as server:
        port = server.printed(r"server: tcp://127\.0\.0\.1:(\d+)")[1]
        played = []
        for _ in range(2):
            options = ("--ip", "127.0.0.1", "--port", port, "--episodes", 2)
            with Script(EXAMPLE, "--client", *options) as client:
                assert client.ended() == 0
                played.append(episodes(client.output))
        assert len(played[0]) == 2
        assert played[0] == played[1]


def test_one_process_is_told_to_be_one_side() -> None:
    with Script(EXAMPLE, "--server", "--client") as both:
        assert both.ended() == 2
    assert "not allowed with" in both.output
