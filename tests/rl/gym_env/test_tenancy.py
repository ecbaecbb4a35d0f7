"""One client at a time has the environment."""

import threading
from typing import Any

import pytest

from edgeloop.errors import Conflict, EnvironmentLost
from edgeloop.rl.gym_env.tenancy import Tenancy, Tenant
from edgeloop.rl.gym_env.thread import Turn
from rl.gym_env.environments import Counting, client_of, serve_env, until
from streams import Way, in_thread


class Clock:
    """Seconds that pass only when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def done(tenant: Tenant[int]) -> Turn[int]:
    turn = Turn(lambda: 1)
    turn.run()
    return turn


def never(tenant: Tenant[int]) -> Turn[int]:
    return Turn(lambda: 1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tenancy(clock: Clock) -> Tenancy[int]:
    return Tenancy(60.0, clock=clock)


def test_a_client_that_enters_again_keeps_its_session(tenancy: Tenancy[int]) -> None:
    session = tenancy.enter("a", takeover=False)
    assert tenancy.enter("a", takeover=False) == session
    assert tenancy.enter("a", takeover=True) == session


def test_a_second_client_is_refused_and_told_how_long(tenancy: Tenancy[int], clock: Clock) -> None:
    tenancy.enter("a", takeover=False)
    clock.advance(15)
    with pytest.raises(Conflict, match="silent for 45 s more"):
        tenancy.enter("b", takeover=False)


def test_a_client_that_was_silent_gives_way(tenancy: Tenancy[int], clock: Clock) -> None:
    session = tenancy.enter("a", takeover=False)
    clock.advance(50)
    tenancy.turn(session, 1, done)
    clock.advance(59)
    with pytest.raises(Conflict):
        tenancy.enter("b", takeover=False)
    clock.advance(1)
    tenancy.enter("b", takeover=False)
    with pytest.raises(Conflict, match="took the environment over"):
        tenancy.turn(session, 2, done)


def test_a_client_that_waits_for_its_step_is_not_silent(
    tenancy: Tenancy[int], clock: Clock
) -> None:
    tenancy.turn(tenancy.enter("a", takeover=False), 1, never)
    clock.advance(1000)
    with pytest.raises(Conflict):
        tenancy.enter("b", takeover=False)


def test_a_client_that_takes_over_is_let_in(tenancy: Tenancy[int]) -> None:
    first = tenancy.enter("a", takeover=False)
    second = tenancy.enter("b", takeover=True)
    with pytest.raises(Conflict, match="connect again"):
        tenancy.turn(first, 1, done)
    tenancy.turn(second, 1, done)
    assert tenancy.takeovers == 1


def test_a_session_that_ended_is_gone(tenancy: Tenancy[int]) -> None:
    session = tenancy.enter("a", takeover=False)
    tenancy.leave("another")
    tenancy.turn(session, 1, done)
    tenancy.leave(session)
    with pytest.raises(EnvironmentLost, match="reset"):
        tenancy.turn(session, 2, done)
    assert tenancy.enter("a", takeover=False) != session


def test_a_request_is_begun_once(tenancy: Tenancy[int]) -> None:
    session = tenancy.enter("a", takeover=False)
    turn = tenancy.turn(session, 1, done)
    assert tenancy.turn(session, 1, done) is turn
    assert tenancy.turn(session, 5, done) is not turn
    assert tenancy.repeats == 1


@pytest.mark.parametrize("sequence", [4, 0, -1])
def test_a_request_out_of_order_is_refused(tenancy: Tenancy[int], sequence: int) -> None:
    session = tenancy.enter("a", takeover=False)
    tenancy.turn(session, 5, done)
    with pytest.raises(Conflict, match=f"Request {sequence} is older than the last: 5"):
        tenancy.turn(session, sequence, done)


def test_a_request_that_could_not_begin_may_be_made_again(tenancy: Tenancy[int]) -> None:
    session = tenancy.enter("a", takeover=False)

    def refuse(tenant: Tenant[int]) -> Turn[int]:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        tenancy.turn(session, 1, refuse)
    assert tenancy.turn(session, 1, done).result() == 1


def test_a_second_client_is_refused_until_the_first_closes(each_way: Way) -> None:
    server = serve_env(each_way, Counting())
    first = client_of(each_way, server)
    first.reset()
    with pytest.raises(Conflict, match="takeover=True"):
        client_of(each_way, server)
    first.step(0)
    first.close()
    assert client_of(each_way, server).reset()[0].tolist() == [2, 1]


def test_a_client_that_was_taken_over_is_told_so(near: Way) -> None:
    server = serve_env(near, Counting())
    first = client_of(near, server)
    first.reset()
    second = client_of(near, server, takeover=True)
    second.reset()
    for call in (lambda: first.step(0), first.reset, first.render):
        with pytest.raises(Conflict, match="took the environment over"):
            call()
    assert second.step(0)[1] == 1
    assert server.counters()["takeovers"] == 1


def test_closing_a_client_that_was_taken_over_leaves_the_other_alone(near: Way) -> None:
    server = serve_env(near, Counting())
    first = client_of(near, server)
    second = client_of(near, server, takeover=True)
    first.close()
    second.reset()


def test_a_client_that_gave_way_may_come_back_when_the_other_left(near: Way) -> None:
    server = serve_env(near, Counting(), silence_s=0.0)
    first = client_of(near, server)
    first.reset()
    second = client_of(near, server)
    second.reset()
    second.close()
    with pytest.raises(EnvironmentLost):
        first.step(0)
    first.reset()
    assert first.step(0)[0].tolist() == [3, 1]


def test_who_takes_over_during_a_step_comes_after_it(near: Way) -> None:
    env = Counting()
    server = serve_env(near, env)
    first = client_of(near, server)
    first.reset()
    slow = in_thread(lambda: first.step(1))
    until(env.entered.is_set)
    second = client_of(near, server, takeover=True)
    reset = in_thread(second.reset)
    env.gate.set()
    assert slow.result()[0].tolist() == [1, 1]
    assert reset.result()[0].tolist() == [2, 1]


def test_two_threads_of_a_client_step_one_after_the_other(near: Way) -> None:
    client = client_of(near, serve_env(near, Counting()))
    client.reset()
    rewards: list[Any] = []
    threads = [
        threading.Thread(target=lambda: rewards.extend(client.step(0)[1] for _ in range(50)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(rewards) == list(range(1, 151))
