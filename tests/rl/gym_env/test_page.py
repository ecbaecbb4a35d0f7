"""The page about environments tells the truth."""

import re
from pathlib import Path

from edgeloop.rl.gym_env import GymEnvServer
from rl.gym_env.environments import Counting

PAGE = Path(__file__).parents[3] / "docs" / "environments.md"


def test_the_code_on_the_page_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 5
    exec(compile("\n".join(blocks), str(PAGE), "exec"), {})


def test_the_counters_on_the_page_are_those_that_environments_have() -> None:
    page = PAGE.read_text()
    with GymEnvServer(Counting, url="tcp://127.0.0.1:0") as server:
        of_all = set(server.transport.counters())
        for name in set(server.counters()) - of_all:
            assert f"`{name}`" in page
