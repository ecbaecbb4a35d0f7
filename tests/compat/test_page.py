"""The page about agentlace tells the truth."""

import re
from pathlib import Path

PAGE = Path(__file__).parent.parent.parent / "docs" / "agentlace.md"


def test_the_code_on_the_page_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 1
    exec(compile("\n".join(blocks), str(PAGE), "exec"), {})
