"""Bodies that come too slowly end with 408; early answers do not wait for ever."""

import asyncio
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from edgeloop.loop.api.limits import BoundedBodies, Pace

PACE = Pace(idle_s=60, min_bytes_per_s=1000, within_s=100, grace_s=10, linger_bytes=5000)
Message = MutableMapping[str, Any]


class Sender:
    """Sends a body; each part of it takes as long as is said."""

    def __init__(self, *parts: tuple[float, int]) -> None:
        self.now = 0.0
        self.answer: list[Message] = []
        self._parts: Iterator[tuple[float, int]] = iter(parts)
        self.taken = 0

    def clock(self) -> float:
        """What a clock at the loop shows."""
        return self.now

    async def receive(self) -> Message:
        """The next part; the last one is empty."""
        seconds, size = next(self._parts, (0.0, 0))
        self.now += seconds
        self.taken += size
        return {"type": "http.request", "body": bytes(size), "more_body": size > 0}

    async def send(self, message: Message) -> None:
        """Note the answer."""
        self.answer.append(message)

    @property
    def status(self) -> int:
        """What was answered."""
        status: int = self.answer[0]["status"]
        return status

    @property
    def headers(self) -> dict[bytes, bytes]:
        """Those of the answer."""
        return dict(self.answer[0]["headers"])


async def read_all(_scope: Scope, receive: Receive, send: Send) -> None:
    """An app that answers when it has read the body, or why it has not."""
    status = 200
    try:
        while (await receive())["more_body"]:
            pass
    except HTTPException as error:
        status = error.status_code
    await answer(send, status)


async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
    """An app that reads nothing."""
    await answer(send, 403)


async def answer(send: Send, status: int) -> None:
    """An empty answer."""
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b"no"})


def ask(app: Any, sender: Sender, *, length: int | None = None) -> Sender:
    """Let the sender send."""
    header = (b"transfer-encoding", b"chunked")
    if length is not None:
        header = (b"content-length", str(length).encode())
    scope = {"type": "http", "path": "/api/o/projects/p/images", "headers": [header]}
    bounded = BoundedBodies(app, PACE, clock=sender.clock)
    asyncio.run(bounded(scope, sender.receive, sender.send))
    return sender


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([(1.0, 1)] * 9, 200),
        ([(1.0, 1)] * 12, 408),
        ([(1.0, 1000)] * 90, 200),
        ([(1.0, 1000)] * 110, 408),
        ([(9.0, 20_000), (0.0, 1)] * 5, 200),
        ([(11.0, 20_000)] + [(5.0, 1)] * 3, 408),
    ],
    ids=["short", "trickle", "steady", "endless", "large", "large, then a trickle"],
)
def test_a_body_must_come_at_a_pace_and_end_in_time(
    parts: list[tuple[float, int]], status: int
) -> None:
    sender = ask(read_all, Sender(*parts))
    assert sender.status == status
    assert (sender.headers.get(b"connection") == b"close") is (status == 408)


def test_the_rest_of_a_body_that_was_refused_early_is_read_and_the_connection_ends() -> None:
    sender = ask(refuse, Sender(*[(0.1, 1000)] * 3))
    assert (sender.status, sender.taken) == (403, 3000)
    assert sender.headers[b"connection"] == b"close"
    assert [message.get("more_body", False) for message in sender.answer[1:]] == [True, False]


def test_not_more_is_read_after_an_early_answer_than_a_bound() -> None:
    sender = ask(refuse, Sender(*[(0.0, 1000)] * 1000))
    assert sender.taken == PACE.linger_bytes


def test_a_slow_sender_is_not_waited_for_after_an_early_answer() -> None:
    sender = ask(refuse, Sender(*[(30.0, 10)] * 100))
    assert sender.taken < 1000


def test_a_small_body_is_read_before_an_early_answer_and_the_connection_lives() -> None:
    sender = ask(refuse, Sender((0.0, 100)), length=100)
    assert (sender.status, sender.taken) == (403, 100)
    assert b"connection" not in sender.headers


def test_without_a_body_nothing_is_waited_for() -> None:
    sender = ask(refuse, Sender((0.0, 100)), length=0)
    assert (sender.taken, b"connection" in sender.headers) == (0, False)
