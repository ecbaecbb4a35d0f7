"""Models: published format by format, listed, downloaded."""

import asyncio
import io
import json
import tempfile
import zipfile
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from edgeloop.errors import NotFound, Overloaded, Unprocessable
from edgeloop.loop import LoopSettings
from edgeloop.loop.db.tables import ModelFileRow, ModelRow
from edgeloop.loop.services import models, publishing
from edgeloop.loop.services.archives import ReceivedFile, archive_of
from edgeloop.loop.services.publishing import Upload
from edgeloop.protocol import routes
from edgeloop.protocol.payloads.models import read_model_information
from edgeloop.protocol.routes import V1
from fleets import PERSON, LoopInHand, loop_in_hand, received
from loops import LOCAL, LoopInProcess, OpenLoop

Story = Callable[[LoopInHand], Awaitable[None]]
JSON = {"categories": [{"id": "c2", "name": "dog"}, {"id": "c1", "name": "cat"}]}


def run(folder: Path, story: Story) -> None:
    async def whole() -> None:
        async with loop_in_hand(folder) as loop:
            await story(loop)

    asyncio.run(whole())


async def zipped(loop: LoopInHand, model_id: str, model_format: str = "onnx") -> zipfile.ZipFile:
    """The model as it lies in the storage."""
    async with loop.workspaces.read() as workspace:
        found = await models.zip_of(
            workspace, loop.project, model_id=model_id, model_format=model_format
        )
    data = await loop.workspaces.storage.read(found.storage_key)
    assert len(data) == found.size_bytes
    return zipfile.ZipFile(io.BytesIO(data))


async def described(loop: LoopInHand, model_id: str, model_format: str = "onnx") -> dict[str, Any]:
    """The model.json as detectors get it."""
    with await zipped(loop, model_id, model_format) as archive:
        content: dict[str, Any] = json.loads(archive.read("model.json"))
        return content


async def versions(loop: LoopInHand) -> dict[str, str | None]:
    """The version of each model, by id."""
    async with loop.workspaces.read() as workspace:
        found = await models.in_project(workspace, loop.project.id)
        return {model.row.id: model.row.version for model in found}


async def publish(loop: LoopInHand, model_id: str, upload: Upload) -> str:
    """Upload to one model."""
    return await publishing.publish(
        loop.workspaces, PERSON, project=loop.project, model_id=model_id, upload=upload
    )


def test_a_model_becomes_a_flat_zip_with_one_model_json(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.begin()
        model_id = await loop.upload(model_json=JSON, hyp_yaml=b"lr: 1")
        with await zipped(loop, model_id) as archive:
            assert sorted(archive.namelist()) == ["hyp.yaml", "model.json", "model.onnx"]
            assert archive.read("model.onnx") == b"weights"

    run(tmp_path, story)


def test_the_model_json_says_where_the_model_belongs(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.begin()
        wrong = {"id": "x", "version": "9", "project": "x", "conf_threshold": 0.4, "more": 1}
        model_id = await loop.upload(model_json={**JSON, **wrong})
        found = await described(loop, model_id)
        info = read_model_information(found)
        assert (info.id, info.version, info.format) == (model_id, "1.0", "onnx")
        assert (info.organization, info.project, info.host) == ("zoo", "cats", "http://loop")
        assert (info.conf_threshold, found["more"]) == (0.4, 1)

    run(tmp_path, story)


def test_the_clients_order_of_categories_is_kept(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.begin()
        found = await described(loop, await loop.upload(model_json=JSON))
        assert found["categories"] == JSON["categories"]

    run(tmp_path, story)


def test_without_a_model_json_the_project_says_the_categories(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.begin()
        found = await described(loop, await loop.upload())
        assert [category["name"] for category in found["categories"]] == ["cat", "dog"]

    run(tmp_path, story)


def test_the_text_of_the_format_is_what_published_clients_search_for(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.begin()
        with await zipped(loop, await loop.upload()) as archive:
            assert b'"format": "onnx"' in archive.read("model.json")

    run(tmp_path, story)


@pytest.mark.parametrize(
    ("hyperparameters", "sent", "resolution"),
    [
        ({"resolution": 320}, {}, 320),
        ({"width": 640, "height": 480.0}, {}, 640),
        ({"resolution": 320}, {"resolution": 512}, 512),
        ({"resolution": "big"}, {}, None),
        ({"resolution": float("inf"), "width": True}, {}, None),
        ({}, {}, None),
    ],
)
def test_a_missing_resolution_comes_from_the_training(
    tmp_path: Path,
    hyperparameters: Mapping[str, Any],
    sent: Mapping[str, Any],
    resolution: int | None,
) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.begin(hyperparameters=hyperparameters)
        found = await described(loop, await loop.upload(model_json=sent))
        assert found.get("resolution") == resolution

    run(tmp_path, story)


def test_a_missing_model_size_is_the_variant(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.begin(variant="s6")
        assert (await described(loop, await loop.upload()))["model_size"] == "s6"
        sent = {"model_size": "own"}
        found = await described(loop, await loop.upload(model_json=sent))
        assert found["model_size"] == "own"

    run(tmp_path, story)


def test_all_formats_of_one_upload_are_one_model(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.begin()
        ids = {await loop.upload(1, format_) for format_ in ("torch", "onnx", "torch")}
        (model_id,) = ids
        assert await versions(loop) == {model_id: "1.0"}
        async with loop.workspaces.read() as workspace:
            assert (await models.get(workspace, model_id)).formats == ("onnx", "torch")

    run(tmp_path, story)


def test_versions_count_the_models_of_a_training_that_have_files(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.begin()
        await loop.begin()
        await loop.hear("idle")
        async with loop.workspaces.write() as workspace:
            first = await models.add(workspace, await loop.training(await loop.training_id(2)))
        assert await loop.upload(2) == first.id
        async with loop.workspaces.write() as workspace:
            second = await models.add(workspace, await loop.training(await loop.training_id(2)))
        assert (await versions(loop))[second.id] is None
        assert await loop.upload(2) == second.id
        assert await versions(loop) == {first.id: "2.0", second.id: "2.1"}

    run(tmp_path, story)


def test_the_same_upload_again_changes_nothing(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.begin()
        await loop.upload(model_json=JSON)
        before = sorted((tmp_path / "files").rglob("*.zip"))
        await loop.upload(model_json=JSON)
        assert sorted((tmp_path / "files").rglob("*.zip")) == before
        assert len(before) == 1

    run(tmp_path, story)


def test_another_upload_of_a_format_replaces_it(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.begin()
        await loop.upload()
        model_id = await loop.upload(model_onnx=b"better")
        with await zipped(loop, model_id) as archive:
            assert archive.read("model.onnx") == b"better"
        assert len(list((tmp_path / "files").rglob("*.zip"))) == 1

    run(tmp_path, story)


def test_folders_of_the_sender_are_left_out_of_names(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.begin()
        model_id = await loop.upload()
        sent = [
            ReceivedFile("../../etc/model.onnx", io.BytesIO(b"1")),
            ReceivedFile("C:\\models\\labels.txt", io.BytesIO(b"2")),
        ]
        await publish(loop, model_id, Upload("own", sent, "http://loop"))
        with await zipped(loop, model_id, "own") as archive:
            assert archive.namelist() == ["labels.txt", "model.onnx", "model.json"]

    run(tmp_path, story)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["a/model.onnx", "b/model.onnx"], "two files named model.onnx"),
        ([".hidden"], "no name for a file"),
        ([""], "no name for a file"),
        (["model.json"], "no model file"),
        ([], "no model file"),
    ],
)
def test_files_that_make_no_model_leave_nothing(
    tmp_path: Path, names: list[str], reason: str
) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.begin()
        files = [ReceivedFile(name, io.BytesIO(b"{}")) for name in names]
        upload = Upload("onnx", files, "http://loop")
        with pytest.raises(Unprocessable, match=reason):
            await publishing.publish_newest(
                loop.workspaces, PERSON, project=loop.project, number=1, upload=upload
            )
        assert not list((tmp_path / "files").rglob("*.zip"))
        assert set((await versions(loop)).values()) == {None}

    run(tmp_path, story)


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"\xff", b"[" * 100_000, b" " * (16 << 20) + b"{}"]
)
def test_a_broken_model_json_is_refused(tmp_path: Path, content: bytes) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.begin()
        with pytest.raises(Unprocessable, match=r"model\.json"):
            await loop.upload(model_json=content)

    run(tmp_path, story)


def test_a_format_that_could_not_be_a_file_name_is_refused(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.begin()
        with pytest.raises(Unprocessable, match="no name for a model format"):
            await loop.upload(1, "../onnx")

    run(tmp_path, story)


def test_an_upload_to_an_unknown_training_or_model_is_not_found(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        with pytest.raises(NotFound):
            await loop.upload(0)
        with pytest.raises(NotFound):
            await publish(loop, "none", Upload("onnx", received(), "http://loop"))

    run(tmp_path, story)


def test_an_aborted_training_takes_no_more_models(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        await loop.abort(await loop.begin())
        with pytest.raises(NotFound, match="was aborted"):
            await loop.upload()

    run(tmp_path, story)


def test_a_version_that_was_given_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        training = await loop.training(await loop.begin())
        async with loop.workspaces.write() as workspace:
            model = await models.add(workspace, training)

        class Meanwhile(io.BytesIO):
            """Weights during whose reading the model gets its version elsewhere."""

            def seek(self, *_: int) -> int:
                asyncio.run_coroutine_threadsafe(give_version(), running).result()
                return super().seek(0)

        async def give_version() -> None:
            async with loop.workspaces.write() as workspace:
                (await workspace.session.get_one(ModelRow, model.id)).version = "1.7"

        running = asyncio.get_running_loop()
        upload = Upload("onnx", [ReceivedFile("model.onnx", Meanwhile(b"w"))], "http://loop")
        with pytest.raises(Overloaded, match="upload again"):
            await publish(loop, model.id, upload)
        async with loop.workspaces.read() as workspace:
            assert await workspace.session.get(ModelFileRow, (model.id, "onnx")) is None

    run(tmp_path, story)


def test_a_model_without_a_training_gets_a_version_of_its_own(tmp_path: Path) -> None:
    async def story(loop: LoopInHand) -> None:
        async with loop.workspaces.write() as workspace:
            workspace.session.add(
                ModelRow(
                    id="m",
                    project_id=loop.project.id,
                    categories=[],
                    counts={},
                    metrics={},
                    comment="",
                    created=loop.clock.now,
                )
            )
        await publish(loop, "m", Upload("onnx", received(), "http://loop"))
        assert await versions(loop) == {"m": "0.0"}

    run(tmp_path, story)


async def uploaded(
    client: httpx.AsyncClient, number: int = 1, model_format: str = "onnx"
) -> httpx.Response:
    """Upload a model as a trainer does."""
    files = [
        ("files", ("model.onnx", b"weights", "application/octet-stream")),
        ("files", ("model.json", json.dumps(JSON).encode(), "application/json")),
    ]
    path = routes.training_model_file("zoo", "cats", number, model_format)
    return await client.put(path, files=files)


async def with_model(loop: LoopInProcess, **project: Any) -> tuple[httpx.AsyncClient, str, str]:
    """A logged-in client, the id of zoo/cats, and that of its model 1.0."""
    project_id = (await loop.project(**project))["id"]
    client = await loop.client()
    await client.post(f"{V1}/projects/{project_id}/trainings", json={})
    answer = await uploaded(client)
    assert answer.status_code == 200, answer.text
    return client, project_id, answer.json()["id"]


def test_a_model_comes_back_as_it_was_uploaded_also_to_a_device(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            _, _, model_id = await with_model(loop, open_to_devices=True)
            device = await loop.stranger()
            answer = await device.get(routes.model_file("zoo", "cats", model_id, "onnx"))
            assert answer.status_code == 200
            disposition = answer.headers["content-disposition"]
            assert disposition == 'attachment; filename="zoo_cats_1.0_onnx.zip"'
            assert int(answer.headers["content-length"]) == len(answer.content)
            with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
                assert archive.read("model.onnx") == b"weights"
                assert json.loads(archive.read("model.json"))["host"] == "http://loop"

    asyncio.run(story())


def test_a_closed_project_gives_models_to_local_devices_only(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            _, _, model_id = await with_model(loop)
            path = routes.model_file("zoo", "cats", model_id, "onnx")
            listing = routes.models("zoo", "cats")
            stranger, neighbour = await loop.stranger(), await loop.stranger(address=LOCAL)
            assert [(await stranger.get(p)).status_code for p in (path, listing)] == [401, 401]
            assert [(await neighbour.get(p)).status_code for p in (path, listing)] == [200, 200]
            refused = await uploaded(neighbour)
            assert refused.status_code == 401

    asyncio.run(story())


@pytest.mark.parametrize(
    ("model_id", "model_format"),
    [("12345678-bobo", "onnx"), ("00000000-0000-0000-0000-000000000000", "onnx"), ("", "torch")],
)
def test_what_is_not_there_is_not_found(
    open_loop: OpenLoop, model_id: str, model_format: str
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, _, known = await with_model(loop)
            path = routes.model_file("zoo", "cats", model_id or known, model_format)
            assert (await client.get(path)).status_code == 404
            assert (await uploaded(client, number=0)).status_code == 404
            assert (await client.get(f"{V1}/models/none")).status_code == 404

    asyncio.run(story())


def test_files_that_the_storage_lost_are_not_found(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, _, model_id = await with_model(loop)
            (stored,) = (loop.folder / "files").rglob("*.zip")
            stored.unlink()
            answer = await client.get(routes.model_file("zoo", "cats", model_id, "onnx"))
            assert answer.status_code == 404
            assert "upload them again" in answer.json()["detail"]

    asyncio.run(story())


def test_published_clients_see_all_models_and_those_of_a_format(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, project_id, model_id = await with_model(loop)
            loop.clock.move(timedelta(seconds=1))
            training = (await client.get(f"{V1}/projects/{project_id}/trainings")).json()
            async with loop.workspaces.write() as workspace:
                row = await workspace.session.get_one(ModelRow, model_id)
                workspace.session.add(
                    ModelRow(
                        id="next",
                        project_id=row.project_id,
                        training_id=training["items"][0]["id"],
                        categories=[],
                        created=loop.clock.now,
                    )
                )
            path = routes.models("zoo", "cats")
            listed = (await client.get(path)).json()["models"]
            assert [(m["id"], m["version"], m["formats"]) for m in listed] == [
                ("next", None, []),
                (model_id, "1.0", ["onnx"]),
            ]
            of_format = (await client.get(f"{path}?format=onnx")).json()["models"]
            assert [m["id"] for m in of_format] == [model_id]
            assert (await client.get(f"{path}?format=torch")).json() == {"models": []}
            own = (await client.get(f"{V1}/projects/{project_id}/models")).json()
            assert [m["id"] for m in own["items"]] == [model_id]

    asyncio.run(story())


def test_a_model_tells_where_it_comes_from(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, project_id, model_id = await with_model(loop)
            model = (await client.get(f"{V1}/models/{model_id}")).json()
            (training,) = (await client.get(f"{V1}/projects/{project_id}/trainings")).json()[
                "items"
            ]
            assert (model["version"], model["formats"], model["deployed"]) == (
                "1.0",
                ["onnx"],
                False,
            )
            assert (model["training_id"], model["training_number"]) == (training["id"], 1)
            assert training["model_id"] == model_id

    asyncio.run(story())


def test_models_come_newest_first_and_in_pages(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, project_id, first = await with_model(loop)
            ids = [first]
            for number in (2, 3):
                loop.clock.move(timedelta(seconds=1))
                await client.post(f"{V1}/projects/{project_id}/trainings", json={})
                ids.insert(0, (await uploaded(client, number)).json()["id"])
            path = f"{V1}/projects/{project_id}/models"
            page = (await client.get(f"{path}?limit=2")).json()
            rest = (await client.get(f"{path}?limit=2&after={page['next']}")).json()
            assert [m["id"] for m in page["items"] + rest["items"]] == ids
            assert rest["next"] is None

    asyncio.run(story())


def test_a_model_is_uploaded_to_its_id_too(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, _, model_id = await with_model(loop)
            path = routes.model_file("zoo", "cats", model_id, "wts")
            answer = await client.put(path, files=[("files", ("model.wts", b"w"))])
            assert (answer.status_code, answer.json()) == (200, {"id": model_id})
            assert (await client.get(path)).status_code == 200

    asyncio.run(story())


def test_one_chart_per_training_names_its_newest_model(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, _, model_id = await with_model(loop)
            charts = (await client.get("/api/zoo/projects/cats/trainings")).json()["charts"]
            assert len(charts) == 1
            assert charts[0]["data"][0]["model_id"] == model_id

    asyncio.run(story())


@pytest.mark.parametrize("left_out", ["accept", "content-length"])
def test_an_upload_beyond_the_limit_is_refused(
    open_loop: OpenLoop, loop_settings: LoopSettings, left_out: str
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, _, model_id = await with_model(loop)
            parts: Any = loop.app.state.parts
            settings = loop_settings.model_copy(update={"max_upload_bytes": 1024})
            object.__setattr__(parts, "settings", settings)
            path = routes.model_file("zoo", "cats", model_id, "wts")
            request = client.build_request("PUT", path, files={"files": ("m.wts", bytes(4096))})
            del request.headers[left_out]
            answer = await client.send(request)
            assert answer.status_code == 413
            assert (await client.get(path)).status_code == 404

    asyncio.run(story())


def test_a_loop_that_is_killed_over_a_zip_leaves_no_file_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with archive_of(received(), {}) as archive:
        assert zipfile.ZipFile(archive.content).namelist() == ["model.onnx", "model.json"]
        assert list(tmp_path.iterdir()) == []


def test_a_page_of_models_behind_one_that_is_not_there_is_refused(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            client, project_id, _ = await with_model(loop)
            answer = await client.get(f"{V1}/projects/{project_id}/models?after=unknown")
            assert answer.status_code == 422
            assert "after" in answer.json()["detail"]

    asyncio.run(story())
