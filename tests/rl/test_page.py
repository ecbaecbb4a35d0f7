"""The page about learning tells the truth."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "learning.md"


@pytest.mark.timeout(300)  # it loads torch, on a machine that may be busy
def test_the_code_on_the_page_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 3
    exec(compile("\n".join(blocks), str(PAGE), "exec"), {})


def test_every_flag_of_the_example_is_on_the_page() -> None:
    code = (ROOT / "examples" / "async_learner_actor.py").read_text()
    flags = re.findall(r'"(--\w+)"', code)
    page = PAGE.read_text()
    assert len(flags) > 10
    assert [flag for flag in flags if f"`{flag}`" not in page] == []
