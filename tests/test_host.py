"""An app and tasks run together, and end together."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from edgeloop import host
from edgeloop.errors import ConfigError, StorageFull


def hello() -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def answer() -> str:
        return "hello"

    return app


async def forever() -> None:
    await asyncio.Event().wait()


def test_the_app_answers_while_its_tasks_run() -> None:
    answers: list[str] = []

    async def story() -> None:
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def ask() -> None:
            async with httpx.AsyncClient() as client:
                answers.append((await client.get(f"http://127.0.0.1:{await port}/")).json())

        await host.serve(
            hello(), host="127.0.0.1", port=0, tasks=[ask, forever], on_started=port.set_result
        )

    asyncio.run(story())
    assert answers == ["hello"]


def test_no_answer_waits_until_the_one_before_is_acknowledged() -> None:
    delays: list[int] = []

    async def story() -> None:
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def ask() -> None:
            async with httpx.AsyncClient() as client:
                await client.get(f"http://127.0.0.1:{await port}/")
                delays.extend(
                    accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                    for accepted in accepted_at(await port)
                )

        await host.serve(hello(), host="127.0.0.1", port=0, tasks=[ask], on_started=port.set_result)

    asyncio.run(story())
    assert delays == [1]


def accepted_at(port: int) -> Iterator[socket.socket]:
    """The connections of this process that a listener at this port has accepted."""
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(entry.name))) as found:
            is_tcp = found.family == socket.AF_INET
            if is_tcp and found.getsockname()[1] == port and found.getpeername():
                yield found


def test_a_signal_ends_everything_well() -> None:
    ended: list[str] = []

    async def task() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("task")

    host.run(
        hello(),
        host="127.0.0.1",
        port=0,
        tasks=[task],
        on_started=lambda port: signal.raise_signal(signal.SIGTERM),
    )
    assert ended == ["task"]


def test_the_app_is_served_until_it_is_drained() -> None:
    answers: list[int] = []
    ports: list[int] = []

    async def drain() -> None:
        async with httpx.AsyncClient() as client:
            answers.append((await client.get(f"http://127.0.0.1:{ports[0]}/")).status_code)

    def end(port: int) -> None:
        ports.append(port)
        signal.raise_signal(signal.SIGTERM)

    host.run(
        hello(), host="127.0.0.1", port=0, on_started=end, drain=host.Drain(drain, within_s=60)
    )
    assert answers == [200]


def test_what_takes_too_long_to_drain_is_given_up() -> None:
    def end(_port: int) -> None:
        signal.raise_signal(signal.SIGTERM)

    drain = host.Drain(forever, within_s=0.01)
    host.run(hello(), host="127.0.0.1", port=0, on_started=end, drain=drain)


def test_later_collections_pass_over_what_a_program_made_at_its_start() -> None:
    before = gc.get_freeze_count()
    made: list[dict[str, int]] = [{} for _ in range(1000)]
    try:
        host.spare_start_from_collection()
        assert gc.get_freeze_count() >= before + len(made)
    finally:
        gc.unfreeze()


def test_a_second_signal_does_not_wait_for_the_drain() -> None:
    async def drain() -> None:
        signal.raise_signal(signal.SIGTERM)
        await forever()

    def end(_port: int) -> None:
        signal.raise_signal(signal.SIGTERM)

    host.run(
        hello(), host="127.0.0.1", port=0, on_started=end, drain=host.Drain(drain, within_s=600)
    )


def test_an_error_of_a_task_ends_everything_and_is_raised() -> None:
    async def fails() -> None:
        raise StorageFull("no space")

    with pytest.raises(StorageFull, match="no space"):
        host.run(hello(), host="127.0.0.1", port=0, tasks=[fails, forever])


def test_an_error_of_the_start_up_is_raised() -> None:
    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if app.title:
            raise ConfigError("no folder")
        yield

    with pytest.raises(ConfigError, match="no folder"):
        host.run(FastAPI(lifespan=lifespan), host="127.0.0.1", port=0)


def test_a_taken_port_is_said_with_the_flag_that_helps() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"Port {port} is taken.*--port"):
            host.run(hello(), host="127.0.0.1", port=port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ConfigError, match="check --host"):
        host.run(hello(), host="192.0.2.1", port=0)


def test_a_name_that_is_no_host_is_refused() -> None:
    with pytest.raises(ConfigError, match="no address to listen on"):
        host.run(hello(), host="not a host", port=0)


def test_a_server_that_was_cancelled_takes_no_calls_of_the_next_one() -> None:
    async def ask_and_cancel() -> None:
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        serving = asyncio.ensure_future(
            host.serve(
                hello(), host="127.0.0.1", port=0, tasks=[forever], on_started=port.set_result
            )
        )
        async with httpx.AsyncClient(timeout=5) as client:
            assert (await client.get(f"http://127.0.0.1:{await port}/")).json() == "hello"
            serving.cancel()
            await asyncio.wait([serving])

    async def story() -> None:
        for _ in range(3):
            await ask_and_cancel()

    asyncio.run(story())


def test_a_script_without_logging_shows_where_it_listens() -> None:
    program = (
        "from edgeloop import host\nimport logging\n"
        "host.show_log()\nhost.show_log()\nlogging.getLogger('edgeloop.host').info('once')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stderr.count("once") == 1
