"""Socket.IO: real clients speak with a served loop."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import socketio
from fastapi import FastAPI
from socketio.exceptions import ConnectionError as NotConnected

from edgeloop import host
from edgeloop.errors import Conflict, InputError, NotFound, Overloaded, Unprocessable
from edgeloop.loop.events import ConnectedNodes
from edgeloop.protocol import events, routes
from edgeloop.protocol.payloads.nodes import acknowledgement
from edgeloop.protocol.routes import V1
from loops import ServedLoop
from sockets import Node, connected, run

IDLE = {"id": "t1", "name": "gpu", "state": "idle"}
SPOKEN = (
    events.UPDATE_TRAINER,
    events.UPDATE_TRAINING,
    events.UPDATE_EPOCH,
    events.UPDATE_LOG,
    events.UPDATE_DETECTOR,
    events.UPDATE_ANNOTATION_NODE,
    events.UPDATE_SEGMENTATION_ANNOTATION,
)
BUSY = {**IDLE, "state": "running", "context": {"organization": "zoo", "project": "cats"}}


async def begin(client: httpx.AsyncClient) -> str:
    """Queue a training; returns its id."""
    (project,) = (await client.get(f"{V1}/projects")).json()["items"]
    answer = await client.post(f"{V1}/projects/{project['id']}/trainings", json={})
    return str(answer.json()["id"])


async def training(client: httpx.AsyncClient, training_id: str) -> dict[str, Any]:
    """The training as people see it."""
    found: dict[str, Any] = (await client.get(f"{V1}/trainings/{training_id}")).json()
    return found


async def ended(client: httpx.AsyncClient, training_id: str) -> dict[str, Any]:
    """The training, once the loop has looked at what its trainer said."""
    found = await training(client, training_id)
    while found["state"] == "running":
        found = await training(client, training_id)
    return found


@pytest.mark.parametrize("transports", [("websocket",), ("polling", "websocket")])
def test_a_trainer_may_begin_with_either_transport(
    served_loop: ServedLoop, transports: tuple[str, ...]
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with connected(client, transports=transports) as node:
            assert await node.call(events.UPDATE_TRAINER, IDLE) == acknowledgement()
            (seen,) = (await client.get(f"{V1}/nodes")).json()["items"]
            assert (seen["id"], seen["name"], seen["online"]) == ("t1", "gpu", True)

    run(served_loop, story)


@pytest.mark.parametrize("event", SPOKEN)
def test_arguments_that_an_event_does_not_have_are_no_bug(
    served_loop: ServedLoop, caplog: pytest.LogCaptureFixture, event: str
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with connected(client) as node:
            said: list[list[Any]] = [[], ["zoo", "cats", {}, "more", 5, 6], [{}, {}, {}, {}]]
            for arguments in said:
                answer = await node.call(event, *arguments)
                assert not answer["success"]
                assert "is wrong" in answer["error_msg"]
            assert "bug" not in caplog.text

    run(served_loop, story)


def test_a_status_with_more_behind_it_counts(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with connected(client) as node:
            assert await node.call(events.UPDATE_TRAINER, IDLE, "extra") == acknowledgement()
            status = {"id": "d1"}
            answer = await node.call(events.UPDATE_DETECTOR, "zoo", "cats", status, 4, 5, 6)
            assert answer == acknowledgement()

    run(served_loop, story)


@pytest.mark.parametrize("kind", ["trainer", "annotation_node", "node"])
@pytest.mark.parametrize("cookie", ["", "edgeloop_session=unknown"])
def test_nodes_without_a_session_are_refused(
    served_loop: ServedLoop, kind: str, cookie: str
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        with pytest.raises(NotConnected, match="failed to connect"):
            async with connected(client, kind=kind, cookie=cookie):
                pass

    run(served_loop, story)


def test_a_detector_is_let_in_but_may_not_speak_for_a_trainer(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with connected(client, kind="detector", cookie="") as node:
            answer = await node.call(events.UPDATE_TRAINER, IDLE)
            assert answer["success"] is False
            assert "logged in" in answer["error_msg"]
            assert (await client.get(f"{V1}/nodes")).json()["items"] == []

    run(served_loop, story)


def test_an_event_that_is_not_known_gets_an_empty_answer(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with connected(client) as node:
            assert await node.call("update_weather", "rain") is None

    run(served_loop, story)


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        (events.UPDATE_TRAINER, ()),
        (events.UPDATE_TRAINER, ({"id": "t1"},)),
        (events.UPDATE_TRAINING, ("zoo", "cats", {"trainer_id": "t1"})),
        (events.UPDATE_TRAINING, ("zoo", "dogs", {"trainer_id": "t1"})),
        (events.UPDATE_EPOCH, ("zoo", "cats", {"training_number": 7})),
        (
            events.UPDATE_EPOCH,
            ("zoo", "cats", {"training_number": 7, "epoch": {"number": 1, "of": 2}}),
        ),
        (events.UPDATE_EPOCH, ("too", "many", {}, "arguments", "here")),
    ],
)
def test_what_cannot_be_accepted_is_answered_with_a_reason(
    served_loop: ServedLoop, event: str, arguments: tuple[Any, ...]
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with connected(client) as node:
            answer = await node.call(event, *arguments)
            assert answer["success"] is False
            assert answer["error_msg"]

    run(served_loop, story)


def test_a_training_goes_from_the_queue_to_its_end(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with connected(client) as node:
            await node.call(events.UPDATE_TRAINER, IDLE)
            training_id = await begin(client)
            event, organization, project, details = await node.commands.get()
            assert (event, organization, project) == (events.BEGIN_TRAINING, "zoo", "cats")
            assert details["training_number"] == 1
            await node.call(events.UPDATE_TRAINER, {**BUSY, "progress": 0.5})
            assert (await training(client, training_id))["progress"] == 0.5
            report = {
                "training_number": 1,
                "epoch": {"number": 1, "of": 1, "metrics": {"loss": 1.5}},
            }
            assert (await node.call(events.UPDATE_EPOCH, "zoo", "cats", report))["success"]
            epochs = (await client.get(f"{V1}/trainings/{training_id}/epochs")).json()
            assert epochs["items"] == [{"number": 1, "of": 1, "metrics": {"loss": 1.5}}]
            better = {"trainer_id": "t1", "trainer_name": "gpu", "confusion_matrix": {}}
            answer = await node.call(events.UPDATE_TRAINING, "zoo", "cats", better)
            upload = routes.training_model_file("zoo", "cats", 1, "onnx")
            model_id = (await client.put(upload, files={"files": ("m.onnx", b"w")})).json()["id"]
            assert answer["payload"] == {"model_uuid": model_id}
            await node.call(events.UPDATE_TRAINER, IDLE)
            done = await ended(client, training_id)
            assert (done["state"], done["model_id"]) == ("finished", model_id)

    run(served_loop, story)


def test_a_training_that_waits_goes_to_the_trainer_that_comes(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await begin(client)
        async with connected(client) as node:
            await node.call(events.UPDATE_TRAINER, IDLE)
            assert (await node.commands.get())[0] == events.BEGIN_TRAINING

    run(served_loop, story)


def test_a_stop_reaches_the_trainer_at_once(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with connected(client) as node:
            await node.call(events.UPDATE_TRAINER, IDLE)
            training_id = await begin(client)
            await node.commands.get()
            await node.call(events.UPDATE_TRAINER, BUSY)
            answer = await client.post(f"{V1}/trainings/{training_id}/stop")
            assert answer.json()["state"] == "running"
            assert await node.commands.get() == (events.STOP_TRAINING,)
            await node.call(events.UPDATE_TRAINER, IDLE)
            assert (await ended(client, training_id))["state"] == "stopped"

    run(served_loop, story)


def test_trainers_that_cannot_abort_are_stopped(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with connected(client) as node:
            await node.call(events.UPDATE_TRAINER, IDLE)
            training_id = await begin(client)
            await node.commands.get()
            await node.call(events.UPDATE_TRAINER, BUSY)
            node.answer = None
            await client.post(f"{V1}/trainings/{training_id}/abort")
            assert [(await node.commands.get())[0] for _ in range(2)] == [
                events.ABORT_TRAINING,
                events.STOP_TRAINING,
            ]

    run(served_loop, story)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (acknowledgement(success=False, error="held", payload="refused"), "queued"),
        (acknowledgement(success=False, error="bad epochs"), "failed"),
    ],
)
def test_a_no_of_the_trainer_is_kept_with_the_training(
    served_loop: ServedLoop, answer: dict[str, Any], state: str
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with connected(client) as node:
            node.answer = answer
            await node.call(events.UPDATE_TRAINER, IDLE)
            training_id = await begin(client)
            await node.commands.get()
            found = await training(client, training_id)
            while not found["errors"]:
                found = await training(client, training_id)
            assert found["errors"] == {"begin_training": answer["error_msg"]}
            assert found["state"] == state

    run(served_loop, story)


def test_of_two_sockets_of_a_trainer_the_one_that_spoke_last_is_told(
    served_loop: ServedLoop,
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with connected(client) as old, connected(client) as new:
            await old.call(events.UPDATE_TRAINER, IDLE)
            await new.call(events.UPDATE_TRAINER, IDLE)
            await begin(client)
            assert (await new.commands.get())[0] == events.BEGIN_TRAINING
            assert old.commands.empty()

    run(served_loop, story)


def test_a_training_is_kept_while_its_trainer_is_away(served_loop: ServedLoop) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with connected(client) as node:
            await node.call(events.UPDATE_TRAINER, IDLE)
            training_id = await begin(client)
            await node.commands.get()
            await node.call(events.UPDATE_TRAINER, BUSY)
        assert (await training(client, training_id))["state"] == "running"
        async with connected(client) as node:
            await node.call(events.UPDATE_TRAINER, {**BUSY, "state": "detecting"})
        found = await training(client, training_id)
        assert (found["state"], found["trainer_state"]) == ("running", "detecting")

    run(served_loop, story)


def with_node(
    story: Callable[[ConnectedNodes, Node], Awaitable[None]], *, answer_within_s: float = 30
) -> None:
    """A story of the sockets alone, with one node ``n``."""

    async def whole() -> None:
        nodes = ConnectedNodes(answer_within_s=answer_within_s)
        app = FastAPI()
        app.mount("/ws", socketio.ASGIApp(nodes.server, socketio_path=routes.SOCKET))
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def tell() -> None:
            url = f"http://127.0.0.1:{await port}"
            async with (
                httpx.AsyncClient(base_url=url) as client,
                connected(client, cookie="none=1") as node,
            ):
                nodes.bind("n", node.socket.get_sid())
                await story(nodes, node)
            await nodes.close()

        await host.serve(app, host="127.0.0.1", port=0, tasks=[tell], on_started=port.set_result)

    asyncio.run(whole())


def test_a_node_answers_a_command() -> None:
    async def story(nodes: ConnectedNodes, node: Node) -> None:
        node.answer = acknowledgement(payload="done")
        assert await nodes.send("n", "paint", "red", {"coats": 2}) == "done"
        assert await node.commands.get() == ("paint", "red", {"coats": 2})

    with_node(story)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (acknowledgement(success=False, error="slot held", payload="refused"), Conflict),
        (acknowledgement(success=False, error="slot held"), InputError),
        (acknowledgement(success=False), InputError),
        (None, Unprocessable),
    ],
)
def test_a_no_of_a_node_is_raised(answer: Any, error: type[Exception]) -> None:
    async def story(nodes: ConnectedNodes, node: Node) -> None:
        node.answer = answer
        with pytest.raises(error, match=r"slot held|says no|does not know"):
            await nodes.send("n", "paint")

    with_node(story)


def test_a_node_that_is_not_connected_is_not_found() -> None:
    async def story(nodes: ConnectedNodes, _: Node) -> None:
        with pytest.raises(NotFound):
            await nodes.send("other", "paint")
        await nodes.close()
        with pytest.raises(NotFound):
            await nodes.send("n", "paint")

    with_node(story)


def silent(node: Node) -> asyncio.Event:
    """From now on the node hears but does not answer; the event says that it heard."""
    heard = asyncio.Event()

    async def hear(_event: str, *_arguments: Any) -> None:
        heard.set()
        await asyncio.Event().wait()

    node.socket.on("*", hear)
    return heard


def test_a_node_is_not_waited_for_for_ever() -> None:
    async def story(nodes: ConnectedNodes, node: Node) -> None:
        silent(node)
        with pytest.raises(Overloaded, match=r"no answer to paint in 0\.05 s"):
            await nodes.send("n", "paint")

    with_node(story, answer_within_s=0.05)


def test_a_node_that_goes_is_waited_for_no_longer() -> None:
    async def story(nodes: ConnectedNodes, node: Node) -> None:
        heard = silent(node)

        async def go() -> None:
            await heard.wait()
            nodes.drop(node.socket.get_sid())

        async with asyncio.TaskGroup() as group:
            group.create_task(go())
            with pytest.raises(Overloaded, match="connection is lost"):
                await nodes.send("n", "paint")
        assert not nodes.is_connected("n")

    with_node(story)


def test_a_restart_is_not_waited_for() -> None:
    async def story(nodes: ConnectedNodes, node: Node) -> None:
        heard = silent(node)
        assert await nodes.send("n", events.RESTART) is None
        await heard.wait()

    with_node(story)
