"""The page about streams tells the truth."""

import re
from pathlib import Path

from edgeloop.stream import serve

PAGE = Path(__file__).parent.parent.parent.parent / "docs" / "streams.md"


def test_the_code_on_the_page_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 4
    exec(compile("\n".join(blocks), str(PAGE), "exec"), {})


def test_the_counters_on_the_page_are_those_that_there_are() -> None:
    page = PAGE.read_text()
    with serve("tcp://127.0.0.1:0", lambda route, message: message) as server:
        for name in server.counters():
            assert name.replace("call_seconds_", "_") in page
