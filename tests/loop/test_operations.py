"""Probes and figures of the loop itself."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from edgeloop.errors import Overloaded
from edgeloop.loop import LoopSettings, create_app, drain
from edgeloop.loop.db.tables import AccountRow
from edgeloop.loop.services import operations, stocktaking, tokens
from edgeloop.loop.services.nodes import ONLINE_FOR
from edgeloop.loop.services.tokens import NewToken
from edgeloop.loop.services.workspace import Caller, Workspaces
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from edgeloop.types import Scope
from loops import LOCAL, LoopInProcess, OpenLoop
from uploading import IMAGES, pair, receipts

STATES = ("inbox", "inbox", "complete")
Story = Callable[[LoopInProcess], Awaitable[None]]


def run(open_loop: OpenLoop, story: Story) -> None:
    async def whole() -> None:
        async with open_loop() as loop:
            await story(loop)

    asyncio.run(whole())


async def figures(client: httpx.AsyncClient) -> Mapping[tuple[str, frozenset[str]], float]:
    """All samples by name and values of labels."""
    answer = await client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(answer.text)
    samples = [sample for family in families for sample in family.samples]
    return {(s.name, frozenset(s.labels.values())): s.value for s in samples}


def key(name: str, *labels: str) -> tuple[str, frozenset[str]]:
    return (f"edgeloop_{name}", frozenset(labels))


@pytest.mark.parametrize("path", ["/health", "/ready", routes.STATUS])
def test_monitors_may_ask_by_head(open_loop: OpenLoop, path: str) -> None:
    async def story(loop: LoopInProcess) -> None:
        assert (await (await loop.stranger()).head(path)).status_code == 200

    run(open_loop, story)


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_anybody_may_ask_whether_the_loop_is_alive_and_ready(
    open_loop: OpenLoop, path: str
) -> None:
    async def story(loop: LoopInProcess) -> None:
        assert (await (await loop.stranger()).get(path)).status_code == 200

    run(open_loop, story)


def test_a_loop_that_can_work_says_what_it_looked_at(open_loop: OpenLoop) -> None:
    async def story(loop: LoopInProcess) -> None:
        answer = await (await loop.stranger()).get("/ready")
        checks = {"database": "ok", "migrations": "ok", "storage": "ok"}
        assert answer.json() == {"status": "ready", "checks": checks}

    run(open_loop, story)


def test_a_loop_whose_files_cannot_be_written_is_not_ready(open_loop: OpenLoop) -> None:
    async def story(loop: LoopInProcess) -> None:
        files = loop.folder / "files"
        files.rename(loop.folder / "elsewhere")
        answer = await (await loop.stranger()).get("/ready")
        assert answer.status_code == 503
        assert answer.json()["code"] == "not_ready"
        assert "No such file" in answer.json()["checks"]["storage"]

    run(open_loop, story)


def test_a_loop_whose_database_is_of_another_version_is_not_ready(open_loop: OpenLoop) -> None:
    async def story(loop: LoopInProcess) -> None:
        async with loop.workspaces.write() as workspace:
            await workspace.session.execute(text("UPDATE alembic_version SET version_num = '0'"))
        answer = await (await loop.stranger()).get("/ready")
        assert answer.status_code == 503
        assert "has version 0" in answer.json()["checks"]["migrations"]

    run(open_loop, story)


def test_a_loop_whose_database_is_damaged_is_not_ready(open_loop: OpenLoop) -> None:
    async def story(loop: LoopInProcess) -> None:
        async with loop.workspaces.write() as workspace:
            await workspace.session.execute(text("DROP TABLE alembic_version"))
        answer = await (await loop.stranger()).get("/ready")
        assert answer.status_code == 503
        assert "no such table" in answer.json()["checks"]["migrations"]

    run(open_loop, story)


def test_a_database_that_somebody_else_keeps_busy_makes_the_loop_not_ready(
    open_loop: OpenLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "CHECK_WITHIN_S", 0.05)

    async def story(loop: LoopInProcess) -> None:
        async with loop.workspaces.write():
            answer = await (await loop.stranger()).get("/ready")
        assert answer.status_code == 503
        assert "busy" in answer.json()["checks"]["database"]

    run(open_loop, story)


def test_a_loop_that_is_ending_is_alive_but_not_ready(open_loop: OpenLoop) -> None:
    async def story(loop: LoopInProcess) -> None:
        await drain(loop.app)
        stranger = await loop.stranger()
        assert (await stranger.get("/health")).status_code == 200
        answer = await stranger.get("/ready")
        assert answer.status_code == 503
        assert "ending" in answer.json()["detail"]

    run(open_loop, story)


def test_whether_the_loop_is_ready_is_found_out_once_for_many_who_ask(
    open_loop: OpenLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    real = operations.readiness

    async def counted(workspaces: Workspaces) -> Mapping[str, str]:
        asked.append(workspaces)
        return await real(workspaces)

    monkeypatch.setattr(operations, "readiness", counted)
    monkeypatch.setattr("edgeloop.loop.api.operations.READY_FOR_S", 60.0)

    async def story(loop: LoopInProcess) -> None:
        stranger = await loop.stranger()
        answers = await asyncio.gather(*(stranger.get("/ready") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}

    run(open_loop, story)
    assert len(asked) == 1


def test_figures_are_for_programs_of_the_host_and_for_admins(open_loop: OpenLoop) -> None:
    async def story(loop: LoopInProcess) -> None:
        stranger = await loop.stranger()
        device = await loop.device()
        assert (await stranger.get("/metrics")).status_code == 401
        assert (await device.get("/metrics")).status_code == 403
        assert (await (await loop.stranger(address=LOCAL)).get("/metrics")).status_code == 200
        assert (await (await loop.client()).get("/metrics")).status_code == 200

    run(open_loop, story)


@pytest.mark.parametrize(("scope", "status"), [("admin", 200), ("viewer", 403)])
def test_a_scraper_on_another_host_brings_a_token_of_an_admin(
    open_loop: OpenLoop, scope: Scope, status: int
) -> None:
    async def story(loop: LoopInProcess) -> None:
        async with loop.workspaces.read() as workspace:
            row = await workspace.session.scalar(select(AccountRow))
            assert row is not None
        admin = Caller(account_id=row.id, username=row.username, grants={"": "admin"})
        async with loop.workspaces.write(admin) as workspace:
            made = await tokens.create(workspace, NewToken("prometheus", [scope]))
        stranger = await loop.stranger()
        headers = {"Authorization": f"Bearer {made.secret}"}
        assert (await stranger.get("/metrics", headers=headers)).status_code == status

    run(open_loop, story)


def test_requests_are_counted_by_method_route_and_status(open_loop: OpenLoop) -> None:
    async def story(loop: LoopInProcess) -> None:
        client = await loop.client()
        for name in ("one", "two"):
            await client.get(f"{V1}/images/{name}")
        found = await figures(client)
        image = ("GET", f"{V1}/images/{{image_id}}")
        assert found[key("requests_total", *image, "404")] == 2
        assert found[key("request_duration_seconds_count", *image)] == 2
        assert found[key("requests_in_flight")] == 1

    run(open_loop, story)


def test_bytes_that_come_and_go_are_counted(open_loop: OpenLoop) -> None:
    async def story(loop: LoopInProcess) -> None:
        await loop.project()
        client = await loop.client()
        (receipt,) = await receipts(client, pair(1))
        image = await client.get(f"{V1}/images/{receipt['id']}/file")
        found = await figures(client)
        upload = ("POST", "/api/{organization}/projects/{name}/images")
        download = ("GET", f"{V1}/images/{{image_id}}/file")
        assert found[key("upload_bytes_total", *upload)] > len(image.content)
        assert found[key("download_bytes_total", *download)] == len(image.content)

    run(open_loop, story)


def test_what_lies_in_the_loop_is_counted(open_loop: OpenLoop) -> None:
    async def story(loop: LoopInProcess) -> None:
        project = await loop.project()
        client = await loop.client()
        data = [await receipts(client, pair(n, state=state)) for n, state in enumerate(STATES)]
        files = [await client.get(f"{V1}/images/{item[0]['id']}/file") for item in data]
        await client.post(f"{V1}/projects/{project['id']}/trainings", json={})
        found = await figures(client)
        assert found[key("images", "inbox")] == 2
        assert found[key("images", "complete")] == 1
        assert found[key("images", "review")] == 0
        assert found[key("storage_bytes", "images")] == sum(len(file.content) for file in files)
        assert found[key("trainings", "waiting")] == 1
        assert found[key("trainings", "running")] == 0
        assert found[key("nodes_online", "trainer")] == 0
        assert found[key("database_bytes")] > 100_000
        assert found[key("storage_free_bytes")] > 0

    run(open_loop, story)


def test_nodes_that_report_are_online(open_loop: OpenLoop) -> None:
    report = {"uuid": "d1", "name": "cam", "operation_mode": "idle"}

    async def story(loop: LoopInProcess) -> None:
        await loop.project()
        client = await loop.client()
        answer = await client.post(routes.detectors("zoo", "cats"), json=report)
        assert answer.status_code == 200, answer.text
        assert (await figures(client))[key("nodes_online", "detector")] == 1
        loop.clock.move(ONLINE_FOR["detector"])
        assert (await figures(client))[key("nodes_online", "detector")] == 0

    run(open_loop, story)


def test_a_scrape_soon_after_another_counts_nothing_anew(
    open_loop: OpenLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stocktaking, "REST_S", 60.0)
    counted: list[object] = []
    real = operations.stock

    async def stock(workspaces: Workspaces) -> operations.Stock:
        counted.append(workspaces)
        return await real(workspaces)

    monkeypatch.setattr(operations, "stock", stock)

    async def story(loop: LoopInProcess) -> None:
        client = await loop.client()
        for _ in range(3):
            await figures(client)

    run(open_loop, story)
    assert len(counted) == 1


def test_a_count_that_takes_long_holds_up_no_scrape(
    open_loop: OpenLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stocktaking, "PATIENCE_S", 0.01)
    done = asyncio.Event()

    async def slow(_workspaces: Workspaces) -> operations.Stock:
        await done.wait()
        return operations.Stock({"inbox": 7}, 0, 0)

    monkeypatch.setattr(operations, "stock", slow)

    async def story(loop: LoopInProcess) -> None:
        client = await loop.client()
        assert key("images", "inbox") not in await figures(client)
        done.set()
        monkeypatch.setattr(stocktaking, "PATIENCE_S", 30)
        assert (await figures(client))[key("images", "inbox")] == 7

    run(open_loop, story)


@pytest.mark.parametrize("error", [Overloaded("busy"), SQLAlchemyError("no table")])
def test_a_count_that_fails_is_said_and_the_loop_goes_on(
    open_loop: OpenLoop,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    async def failing(_workspaces: Workspaces) -> operations.Stock:
        raise error

    monkeypatch.setattr(operations, "stock", failing)

    async def story(loop: LoopInProcess) -> None:
        client = await loop.client()
        with caplog.at_level(logging.ERROR):
            assert key("requests_in_flight") in await figures(client)
        assert (await client.get(routes.STATUS)).status_code == 200

    run(open_loop, story)
    assert "could not be counted" in caplog.text


def test_the_lag_of_the_event_loop_is_measured(
    open_loop: OpenLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeloop.loop.api.operations.LAG_EVERY_S", 0.001)

    async def story(loop: LoopInProcess) -> None:
        client = await loop.client()
        while not (await figures(client))[key("event_loop_lag_seconds_count")]:
            pass

    run(open_loop, story)


def test_each_loop_of_a_process_has_figures_of_its_own(loop_settings: LoopSettings) -> None:
    async def count(number: int) -> float:
        folder = loop_settings.data_folder / str(number)
        app = create_app(loop_settings.model_copy(update={"data_folder": folder}))
        transport = httpx.ASGITransport(app, client=(LOCAL, 50000))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://loop") as client,
        ):
            await client.get(routes.STATUS)
            return (await figures(client))[key("requests_total", "GET", routes.STATUS, "200")]

    assert [asyncio.run(count(number)) for number in range(2)] == [1, 1]


def test_a_scrape_of_a_busy_loop_names_no_path_with_values(open_loop: OpenLoop) -> None:
    async def story(loop: LoopInProcess) -> None:
        client = await loop.client()
        await client.get(IMAGES.replace("zoo", "secret-name"))
        assert "secret-name" not in (await client.get("/metrics")).text

    run(open_loop, story)
