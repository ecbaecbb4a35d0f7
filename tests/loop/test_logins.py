"""Guessing passwords is slow; logging in is not, and holds up nobody."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta
from unittest.mock import patch

import httpx
import pytest

from edgeloop.errors import Overloaded
from edgeloop.loop.services import passwords
from edgeloop.loop.services.passwords import Passwords
from edgeloop.loop.services.throttles import network_of
from edgeloop.protocol import routes
from loops import CHEAP, PASSWORD, REMOTE, LoopInProcess, OpenLoop

ANN = {"username": "ann", "password": "wrong"}
RIGHT = {"username": "admin", "password": PASSWORD}
WRONG = {"username": "admin", "password": "wrong"}
Story = Callable[[LoopInProcess], Awaitable[None]]


def run(open_loop: OpenLoop, story: Story) -> None:
    async def whole() -> None:
        async with open_loop() as loop:
            await story(loop)

    asyncio.run(whole())


async def post(client: httpx.AsyncClient, form: dict[str, str], times: int = 1) -> list[int]:
    """The answers to so many logins."""
    return [(await client.post(routes.LOGIN, data=form)).status_code for _ in range(times)]


def test_the_eleventh_wrong_password_in_ten_minutes_has_to_wait(open_loop: OpenLoop) -> None:
    async def story(loop: LoopInProcess) -> None:
        client = await loop.stranger()
        assert await post(client, WRONG, 10) == [401] * 10
        loop.clock.move(timedelta(minutes=4))
        refused = await client.post(routes.LOGIN, data=RIGHT)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert refused.headers["retry-after"] == "360"
        loop.clock.move(timedelta(minutes=6))
        assert await post(client, RIGHT) == [200]

    run(open_loop, story)


def test_a_refused_login_is_no_further_failure(open_loop: OpenLoop) -> None:
    async def story(loop: LoopInProcess) -> None:
        client = await loop.stranger()
        await post(client, WRONG, 10)
        loop.clock.move(timedelta(minutes=9))
        assert await post(client, WRONG, 5) == [429] * 5
        loop.clock.move(timedelta(minutes=1))
        assert await post(client, RIGHT) == [200]

    run(open_loop, story)


def test_a_right_password_is_never_refused_where_nothing_has_failed(open_loop: OpenLoop) -> None:
    async def story(loop: LoopInProcess) -> None:
        attacker = await loop.stranger()
        await post(attacker, WRONG, 11)
        elsewhere = await loop.stranger(address="203.0.113.10")
        assert await post(elsewhere, RIGHT, 200) == [200] * 200

    run(open_loop, story)


def test_others_at_an_address_may_log_in_while_one_name_has_to_wait(open_loop: OpenLoop) -> None:
    async def story(loop: LoopInProcess) -> None:
        client = await loop.stranger()
        await post(client, ANN, 11)
        assert await post(client, RIGHT) == [200]

    run(open_loop, story)


def test_an_address_that_tries_many_names_has_to_wait(open_loop: OpenLoop) -> None:
    async def story(loop: LoopInProcess) -> None:
        client = await loop.stranger()
        for number in range(10):
            await post(client, {"username": f"name {number}", "password": "wrong"}, 10)
        assert await post(client, RIGHT) == [429]

    run(open_loop, story)


def test_a_success_forgives_what_its_name_has_failed(open_loop: OpenLoop) -> None:
    async def story(loop: LoopInProcess) -> None:
        client = await loop.stranger()
        for _ in range(3):
            assert await post(client, WRONG, 9) == [401] * 9
            assert await post(client, RIGHT) == [200]

    run(open_loop, story)


def test_a_failed_login_is_a_line_with_name_and_address_and_no_password(
    open_loop: OpenLoop, caplog: pytest.LogCaptureFixture
) -> None:
    form = {"username": "ann\n" + "x" * 1000, "password": "mistyped"}

    async def story(loop: LoopInProcess) -> None:
        client = await loop.stranger()
        assert await post(client, form) == [401]
        assert await post(client, RIGHT) == [200]

    run(open_loop, story)
    (line,) = warnings_of(caplog)
    assert line == f"A login as 'ann\\n{'x' * 96}' from {REMOTE} failed"
    assert "mistyped" not in caplog.text


def test_the_log_says_once_that_logins_have_to_wait(
    open_loop: OpenLoop, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(loop: LoopInProcess) -> None:
        client = await loop.stranger()
        await post(client, ANN, 15)
        for number in range(9):
            await post(client, {"username": f"name {number}", "password": "wrong"}, 10)

    run(open_loop, story)
    waits = [line for line in warnings_of(caplog) if "have to wait" in line]
    assert waits[0] == f"Logins as 'ann' from {REMOTE} have to wait"
    assert waits[-1] == f"All logins from {REMOTE} have to wait"
    assert len(waits) == len(set(waits)) == 11


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the guard of logins has said."""
    ours = [r for r in caplog.records if r.name == "edgeloop.loop.services.throttles"]
    return [r.getMessage() for r in ours]


def test_guesses_at_the_same_time_are_counted_one_after_the_other(open_loop: OpenLoop) -> None:
    async def story(loop: LoopInProcess) -> None:
        client = await loop.stranger()
        answers = await asyncio.gather(*(post(client, WRONG) for _ in range(60)))
        assert 10 <= answers.count([401]) <= 10 + passwords.AT_ONCE

    run(open_loop, story)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
    ],
)
def test_the_addresses_of_one_network_count_as_one(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_storm_of_logins_holds_up_no_other_request(open_loop: OpenLoop) -> None:
    async def story(loop: LoopInProcess) -> None:
        client = await loop.stranger()
        held = threading.Event()
        with patch.object(passwords, "HASHER", _Held(held)):
            storm = [asyncio.ensure_future(post(client, RIGHT)) for _ in range(50)]
            async with asyncio.timeout(30):
                assert (await client.get(routes.STATUS)).status_code == 200
                await asyncio.to_thread(int)  # the threads that others use are free
            assert not any(login.done() for login in storm)
            held.set()
            assert await asyncio.gather(*storm) == [[200]] * 50

    run(open_loop, story)


def test_more_logins_than_can_wait_are_refused_at_once() -> None:
    async def story() -> None:
        some = Passwords(at_once=1, max_waiting=1)
        async with some.turn():
            waiting = asyncio.ensure_future(some.hash_of("mine"))
            await asyncio.sleep(0)
            with pytest.raises(Overloaded, match="Too many logins"):
                await some.hash_of("yours")
        with patch.object(passwords, "HASHER", CHEAP):
            assert await some.matches(await waiting, "mine")
        some.close()

    asyncio.run(story())


class _Held:
    """Takes its time with passwords, until it is let go."""

    def __init__(self, held: threading.Event) -> None:
        self._held = held

    def verify(self, password_hash: str, password: str) -> bool:
        """What the cheap one says, later."""
        assert self._held.wait(60)
        return CHEAP.verify(password_hash, password)
