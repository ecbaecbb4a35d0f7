"""The clients over HTTP."""

import asyncio
import threading
from pathlib import Path

import httpx
import pytest

from edgeloop import durable
from edgeloop.client import AsyncLoopClient, Call, ClientSettings, LoopClient
from edgeloop.errors import ConfigError

MODEL = Call("GET", "/model", lambda answer: answer.content, login=False)


@pytest.mark.parametrize("kind", [AsyncLoopClient, LoopClient])
def test_a_host_that_is_no_address_is_told(
    kind: type[AsyncLoopClient] | type[LoopClient],
) -> None:
    with pytest.raises(ConfigError, match="LOOP_HOST 'loop:port' is no address"):
        kind(ClientSettings(host="loop:port"))


def test_a_download_is_synced_to_the_disk_beside_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    publish = durable.publish

    def watched(draft: Path, target: Path) -> None:
        threads.append(threading.current_thread())
        publish(draft, target)

    async def story() -> None:
        transport = httpx.MockTransport(lambda _request: httpx.Response(200, content=b"model"))
        async with AsyncLoopClient(ClientSettings(), transport=transport) as client:
            await client.download(MODEL, tmp_path / "new" / "model.zip")

    monkeypatch.setattr(durable, "publish", watched)
    asyncio.run(story())
    assert (tmp_path / "new" / "model.zip").read_bytes() == b"model"
    assert threads
    assert threading.main_thread() not in threads
