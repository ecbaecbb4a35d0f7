"""The page about trainers tells the truth."""

import re
from pathlib import Path

from edgeloop.stream import QueuedDataStore
from trainers import NAME, client_of, serve_store

PAGE = Path(__file__).parent.parent.parent.parent / "docs" / "trainers.md"


def test_the_code_on_the_page_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 3
    exec(compile("\n".join(blocks), str(PAGE), "exec"), {})


def test_the_counters_on_the_page_are_those_that_there_are() -> None:
    page = PAGE.read_text()
    with serve_store("tcp://127.0.0.1:0") as server:
        with client_of(server.url, QueuedDataStore(1)) as client:
            plain = {*server.transport.counters(), *client.transport.counters()}
            told = {*server.counters(), *client.counters()} - plain
        for name in told:
            assert name.removeprefix(f"stores/{NAME}") in page
