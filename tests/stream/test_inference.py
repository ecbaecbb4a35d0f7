"""A model's server and its clients."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from campaigns import until
from edgeloop.errors import (
    CodecError,
    ConfigMismatch,
    InputError,
    NotFound,
    Overloaded,
    RemoteError,
    StreamClosed,
    StreamTimeout,
)
from edgeloop.stream import (
    ActionConfig,
    ActionServer,
    AsyncInferenceClient,
    InferenceClient,
    InferenceServer,
    Limits,
    Message,
)
from pairs import client_options, server_options
from streams import WAIT_S, Gate, Way, arrays, assert_same, in_thread

Story = Callable[[AsyncInferenceClient], Awaitable[Any]]


def twice(payload: Message) -> Message:
    return {"x": payload["x"] * 2}


def serve(way: Way, **interfaces: Callable[[Message], Message]) -> InferenceServer:
    server = InferenceServer(**server_options(way))
    for name, callback in interfaces.items():
        server.register_interface(name, callback)
    return way.stack.enter_context(server)


def connect(way: Way, server: InferenceServer, **options: Any) -> InferenceClient:
    client = InferenceClient(server.url, **client_options(way, **options))
    return way.stack.enter_context(client)


def in_asyncio(way: Way, server: InferenceServer, story: Story, **options: Any) -> Any:
    """What comes of a story told with a client."""

    async def tell() -> Any:
        options_ = client_options(way, **options)
        async with AsyncInferenceClient(server.url, **options_) as client, asyncio.timeout(WAIT_S):
            return await story(client)

    return asyncio.run(tell())


def fail(payload: Message) -> Message:
    raise ValueError("no such weights")


def test_a_call_is_answered_by_the_interface_of_its_name(each_way: Way) -> None:
    server = serve(each_way, twice=twice, echo=lambda payload: payload)
    client = connect(each_way, server)
    assert_same(client.call("twice", {"x": np.arange(3)}), {"x": np.array([0, 2, 4])})
    assert_same(client.call("echo", arrays()), arrays())


def test_the_interfaces_are_listed(each_way: Way) -> None:
    server = serve(each_way, twice=twice, echo=lambda payload: payload)
    assert connect(each_way, server).interfaces() == {"echo", "twice"}
    assert server.interfaces() == ["echo", "twice"]


def test_an_interface_is_added_and_replaced_while_the_server_runs(near: Way) -> None:
    server = serve(near)
    client = connect(near, server)
    assert client.interfaces() == set()
    server.register_interface("model", twice)
    assert client.call("model", {"x": 1}) == {"x": 2}
    server.register_interface("model", lambda payload: {"x": 7})
    assert client.call("model", {"x": 1}) == {"x": 7}
    assert client.interfaces() == {"model"}


def test_an_unknown_interface_is_not_found(each_way: Way) -> None:
    with pytest.raises(NotFound, match="'interface/thrice'"):
        connect(each_way, serve(each_way, twice=twice)).call("thrice", {})


@pytest.mark.parametrize("name", ["about", "counters", "ping", "", "ü/"])
def test_an_interface_may_have_any_name(near: Way, name: str) -> None:
    client = connect(near, serve(near, **{name: twice}))
    assert client.call(name, {"x": 2}) == {"x": 4}
    assert client.interfaces() == {name}


def test_a_callback_that_raises_is_told_and_the_server_lives(each_way: Way) -> None:
    client = connect(each_way, serve(each_way, fail=fail, twice=twice))
    for _ in range(2):
        with pytest.raises(RemoteError, match="no such weights") as caught:
            client.call("fail", {})
        assert caught.value.type == "ValueError"
    assert client.call("twice", {"x": 1}) == {"x": 2}


def test_a_slow_callback_keeps_no_other_call_waiting(each_way: Way) -> None:
    gate = Gate()
    server = serve(each_way, slow=lambda payload: gate("slow", payload), twice=twice)
    client, other = connect(each_way, server), connect(each_way, server)
    slow = in_thread(lambda: client.call("slow", {"n": 1}))
    assert gate.entered.wait(WAIT_S)
    assert other.call("twice", {"x": 1}) == {"x": 2}
    assert client.call("twice", {"x": 2}) == {"x": 4}
    gate.open.set()
    assert slow.result() == {"n": 1}


def test_a_call_without_an_answer_ends_at_its_deadline_and_the_next_is_answered(
    each_way: Way,
) -> None:
    gate = Gate()
    server = serve(each_way, slow=lambda payload: gate("slow", payload), twice=twice)
    client = connect(each_way, server)
    with pytest.raises(StreamTimeout):
        client.call("slow", {}, timeout_s=0.05)
    assert client.call("twice", {"x": 1}) == {"x": 2}
    gate.open.set()


def test_an_error_that_asks_to_wait_arrives_as_what_it_is(near: Way) -> None:
    def refuse(payload: Message) -> Message:
        raise Overloaded("the GPU is busy")

    with pytest.raises(Overloaded, match="the GPU is busy"):
        connect(near, serve(near, refuse=refuse)).call("refuse", {})


def test_a_server_of_another_kind_is_refused(each_way: Way) -> None:
    robot = ActionServer(ActionConfig(0, [], []), **server_options(each_way))
    with each_way.stack, robot, pytest.raises(ConfigMismatch, match="'action', not 'inference'"):
        InferenceClient(robot.url, **client_options(each_way))


def test_without_a_server_there_is_no_client_but_a_timeout(each_way: Way) -> None:
    server = serve(each_way)
    server.close()
    with pytest.raises(StreamTimeout, match="Is the inference server at"):
        connect(each_way, server, timeout_s=0.1)


# asyncio


def test_calls_are_awaited(each_way: Way) -> None:
    server = serve(each_way, twice=twice)

    async def story(client: AsyncInferenceClient) -> None:
        assert await client.interfaces() == {"twice"}
        answers = await asyncio.gather(*(client.call("twice", {"x": n}) for n in range(20)))
        assert answers == [{"x": 2 * n} for n in range(20)]
        assert_same(await client.call("twice", arrays(1, items=1) | {"x": 1}), {"x": 2})
        assert client.counters()["calls"] == 23  # one of them asked what the server is

    in_asyncio(each_way, server, story)


def test_awaited_calls_raise_what_others_do(each_way: Way) -> None:
    server = serve(each_way, fail=fail)

    async def story(client: AsyncInferenceClient) -> None:
        with pytest.raises(RemoteError, match="no such weights"):
            await client.call("fail", {})
        with pytest.raises(NotFound):
            await client.call("twice", {})
        with pytest.raises(CodecError, match="'thing'"):
            await client.call("fail", {"thing": object()})

    in_asyncio(each_way, server, story)


def test_a_cancelled_await_leaves_the_client_usable(each_way: Way) -> None:
    gate = Gate()
    server = serve(each_way, slow=lambda payload: gate("slow", payload), twice=twice)

    async def story(client: AsyncInferenceClient) -> None:
        slow = [asyncio.ensure_future(client.call("slow", {"n": n})) for n in range(8)]
        await asyncio.to_thread(gate.entered.wait, WAIT_S)
        for task in slow:
            task.cancel()
        ended = await asyncio.gather(*slow, return_exceptions=True)
        assert [type(error) for error in ended] == [asyncio.CancelledError] * 8
        assert await client.call("twice", {"x": 1}) == {"x": 2}
        gate.open.set()
        for n in range(20):
            assert await client.call("slow", {"n": n}) == {"n": n}

    in_asyncio(each_way, server, story)


def test_an_awaited_call_ends_at_its_deadline(near: Way) -> None:
    gate = Gate()
    server = serve(near, slow=lambda payload: gate("slow", payload))

    async def story(client: AsyncInferenceClient) -> None:
        with pytest.raises(StreamTimeout):
            await client.call("slow", {}, timeout_s=0.05)
        gate.open.set()
        assert await client.call("slow", {}) == {}

    in_asyncio(near, server, story)


def test_an_awaited_call_may_have_all_the_time_there_is(near: Way) -> None:
    server = serve(near, twice=twice)

    async def story(client: AsyncInferenceClient) -> None:
        assert await client.call("twice", {"x": 1}, timeout_s=math.inf) == {"x": 2}
        with pytest.raises(InputError, match="NaN"):
            await client.call("twice", {"x": 1}, timeout_s=math.nan)

    in_asyncio(near, server, story)


@pytest.mark.parametrize("limits", [Limits(connections=3), Limits(calls=3)])
def test_more_awaited_calls_than_allowed_wait_for_each_other(near: Way, limits: Limits) -> None:
    server = serve(near, twice=twice)

    async def story(client: AsyncInferenceClient) -> None:
        answers = await asyncio.gather(*(client.call("twice", {"x": n}) for n in range(50)))
        assert answers == [{"x": 2 * n} for n in range(50)]
        assert client.counters()["connections_made"] <= 3

    in_asyncio(near, server, story, limits=limits)


def test_one_client_is_used_from_several_event_loops_at_once(near: Way) -> None:
    gate = Gate()
    server = serve(near, slow=lambda payload: gate("slow", payload), twice=twice)
    client = AsyncInferenceClient(server.url, **client_options(near, limits=Limits(calls=1)))

    async def wait_in_line() -> list[Message]:
        return await asyncio.gather(*(client.call("twice", {"x": n}) for n in range(3)))

    async def hold_up() -> Message:
        return await client.call("slow", {"n": 1})

    slow = in_thread(lambda: asyncio.run(hold_up()))
    assert gate.entered.wait(WAIT_S)
    waiting = in_thread(lambda: asyncio.run(wait_in_line()))
    gate.open.set()
    assert slow.result() == {"n": 1}
    assert waiting.result() == [{"x": 2 * n} for n in range(3)]
    assert asyncio.run(wait_in_line()) == [{"x": 2 * n} for n in range(3)]
    asyncio.run(client.aclose())


def test_a_call_that_finds_no_room_ends_at_its_deadline(near: Way) -> None:
    gate = Gate()
    server = serve(near, slow=lambda payload: gate("slow", payload))

    async def story(client: AsyncInferenceClient) -> None:
        slow = asyncio.ensure_future(client.call("slow", {"n": 1}))
        await asyncio.to_thread(gate.entered.wait, WAIT_S)
        with pytest.raises(StreamTimeout, match="are waiting"):
            await client.call("slow", {}, timeout_s=0.05)
        gate.open.set()
        assert await slow == {"n": 1}

    in_asyncio(near, server, story, limits=Limits(connections=1))


def test_closing_ends_awaited_calls(near: Way) -> None:
    gate = Gate()
    server = serve(near, slow=lambda payload: gate("slow", payload))

    async def story(client: AsyncInferenceClient) -> None:
        slow = asyncio.ensure_future(client.call("slow", {}))
        await asyncio.to_thread(gate.entered.wait, WAIT_S)
        await client.aclose()
        await client.aclose()
        with pytest.raises(StreamClosed):
            await slow
        with pytest.raises(StreamClosed, match="make another"):
            await client.call("slow", {})

    in_asyncio(near, server, story)
    gate.open.set()


def test_a_loop_that_ends_before_its_call_costs_nothing(near: Way) -> None:
    gate = Gate()
    server = serve(near, slow=lambda payload: gate("slow", payload))

    async def leave() -> AsyncInferenceClient:
        client = AsyncInferenceClient(server.url, **client_options(near))
        slow = asyncio.ensure_future(client.call("slow", {}))
        await asyncio.to_thread(gate.entered.wait, WAIT_S)
        slow.cancel()
        return client

    client = asyncio.run(leave())
    gate.open.set()
    assert until(lambda: client.counters()["calls"] == 1)
    asyncio.run(client.aclose())


def test_an_async_client_of_another_kind_of_server_is_refused(near: Way) -> None:
    robot = ActionServer(ActionConfig(0, [], []), **server_options(near))
    near.stack.enter_context(robot)

    async def story() -> None:
        async with AsyncInferenceClient(robot.url, **client_options(near)):
            pass

    with pytest.raises(ConfigMismatch, match="'action', not 'inference'"):
        asyncio.run(story())
