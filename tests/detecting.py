"""Small real detectors and their models, and a loop that misbehaves on request."""

import asyncio
import contextlib
import io
import json
import re
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from edgeloop import host
from edgeloop.client import ClientSettings
from edgeloop.nodes import Detector, DetectorNode
from edgeloop.nodes.settings import DetectorSettings
from edgeloop.types import (
    BoxDetection,
    Detections,
    ImageArray,
    LocalModel,
    ModelInformation,
)

FORMAT = "mocked"


def cup(confidence: float = 0.9, *, x: float = 10.0, category: str = "cup") -> BoxDetection:
    """A box of 20 x 20 pixels."""
    return BoxDetection(f"id of {category}", category, x, 10.0, 20.0, 20.0, confidence, "1.0")


def information(version: str = "1.0", **changes: Any) -> ModelInformation:
    """A model of the project zoo/cats; its id is made of the version."""
    fields: dict[str, Any] = {
        "id": f"model-{version}",
        "organization": "zoo",
        "project": "cats",
        "version": version,
        "format": FORMAT,
    }
    return ModelInformation(**fields | changes)


def model_json(version: str = "1.0", **changes: Any) -> bytes:
    """A model.json as the loop sends it."""
    content = {
        "id": f"model-{version}",
        "organization": "zoo",
        "project": "cats",
        "version": version,
        "format": FORMAT,
        "categories": [],
    }
    return json.dumps(content | changes).encode()


def model_zip(
    version: str = "1.0",
    files: Mapping[str, bytes] | None = None,
    *,
    compression: int = zipfile.ZIP_STORED,
) -> bytes:
    """A model as the loop sends it: flat, with a model.json."""
    content = {"model.json": model_json(version), "weights.bin": version.encode()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in (content if files is None else files).items():
            archive.writestr(name, data)
    return buffer.getvalue()


def local_model(folder: Path, version: str = "1.0", **changes: Any) -> LocalModel:
    """A model on this disk."""
    path = folder / f"model-{version}.{FORMAT}"
    path.mkdir(parents=True, exist_ok=True)
    (path / "model.json").write_bytes(model_json(version, **changes))
    return LocalModel(information(version, **changes), path)


class CupDetector(Detector):
    """Sees one cup in every image; the red of the first pixel is its confidence in percent."""

    model_format = FORMAT

    def load(self) -> None:
        """Needs the folder of its model."""
        assert (self.model.path / "model.json").is_file()

    def detect(self, image: ImageArray) -> Detections:
        """One box; its name of the model is the model's version."""
        confidence = min(float(image[0, 0, 0]) / 100, 1.0)
        version = self.model.info.version
        box = BoxDetection("id of cup", "cup", 10.0, 10.0, 20.0, 20.0, confidence, version)
        return Detections(boxes=(box,))


class PickyDetector(CupDetector):
    """Cannot load any version that is listed as broken."""

    broken: ClassVar[frozenset[str]] = frozenset({"6.6"})
    loads: ClassVar[list[str]] = []

    def load(self) -> None:
        """Raises for broken versions."""
        self.loads.append(self.model.info.version)
        if self.model.info.version in self.broken:
            raise RuntimeError("these weights are cut off")


@dataclass
class UploadRequest:
    """What one upload contained: metadata in order, and the bytes of the images."""

    metadata: list[dict[str, Any]]
    images: list[bytes]

    @property
    def frame_ids(self) -> list[str]:
        """The ids of the frames, in order."""
        return [item["frame_id"] for item in self.metadata]


@dataclass
class OddLoop:
    """A server with the loop's addresses for zoo/cats that answers as the test wants.

    ``on_upload`` decides the answer to an upload; ``target`` is the deployment target; ``models``
    are zips by model id.
    """

    on_upload: Callable[[UploadRequest], Awaitable[Response | None]] | None = None
    target: dict[str, str] | None = None
    models: dict[str, bytes] = field(default_factory=dict)
    versions: list[dict[str, Any]] = field(default_factory=list)
    uploads: list[UploadRequest] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    downloads: list[str] = field(default_factory=list)
    questions: int = 0
    logins: int = 0
    refuses_logins: bool = False
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    port: int = 0

    @property
    def settings(self) -> ClientSettings:
        """How a device reaches it."""
        return ClientSettings(host=f"127.0.0.1:{self.port}", organization="zoo", project="cats")

    @property
    def stored(self) -> set[str]:
        """The ids of all frames that were ever sent."""
        return {frame_id for upload in self.uploads for frame_id in upload.frame_ids}

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a request made ``condition`` true."""
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(condition)

    async def tell(self) -> None:
        """Say that something changed."""
        async with self.changed:
            self.changed.notify_all()

    def deploy(self, version: str) -> None:
        """Make a version the target, with files."""
        self.models[f"model-{version}"] = model_zip(version)
        self.target = {"model_uuid": f"model-{version}", "version": version}

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator["OddLoop"]:
        """Answer at ``port`` until the block ends."""
        started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        done = asyncio.Event()

        async def until_done() -> None:
            await done.wait()

        async with asyncio.TaskGroup() as group:
            group.create_task(
                host.serve(
                    self._app(),
                    host="127.0.0.1",
                    port=self.port,
                    tasks=[until_done],
                    on_started=started.set_result,
                )
            )
            self.port = await started
            try:
                yield self
            finally:
                done.set()

    def _app(self) -> FastAPI:
        app = FastAPI()
        base = "/api/zoo/projects/cats"

        app.post("/api/login")(self._log_in)

        @app.post(f"{base}/images")
        async def images(request: Request) -> Response:
            upload = await _read_upload(request)
            answer = await self.on_upload(upload) if self.on_upload else None
            if answer is None or answer.status_code == 200:
                self.uploads.append(upload)
            await self.tell()
            return answer or JSONResponse({"items": []})

        @app.post(f"{base}/detectors")
        async def report(request: Request) -> Response:
            self.reports.append(await request.json())
            await self.tell()
            return JSONResponse({})

        @app.get(f"{base}/deployment/target")
        async def target() -> Response:
            self.questions += 1
            await self.tell()
            return JSONResponse(self.target or {"detail": "none"}, 200 if self.target else 404)

        @app.get(f"{base}/models")
        async def models() -> Response:
            return JSONResponse({"models": self.versions})

        @app.get(f"{base}/models/{{model_id}}/{{model_format}}/file")
        async def model(model_id: str, model_format: str) -> Response:
            self.downloads.append(f"{model_id}.{model_format}")
            await self.tell()
            content = self.models.get(model_id)
            return Response(content or b"no such model", 200 if content else 404)

        return app

    async def _log_in(self) -> Response:
        self.logins += 1
        if self.refuses_logins:
            return JSONResponse({"detail": "Wrong username or password."}, 401)
        return JSONResponse({}, headers={"set-cookie": "session=device; Path=/"})


async def _read_upload(request: Request) -> UploadRequest:
    upload = UploadRequest([], [])
    async with request.form() as form:
        for part in form.getlist("files"):
            assert not isinstance(part, str)
            content = await part.read()
            if re.fullmatch(r".*\.json", part.filename or ""):
                upload.metadata.append(json.loads(content))
            else:
                upload.images.append(content)
    return upload


@contextlib.asynccontextmanager
async def running_node(
    folder: Path,
    client_settings: ClientSettings,
    *,
    detector_class: type[Detector] = CupDetector,
    **options: Any,
) -> AsyncIterator[httpx.AsyncClient]:
    """A node on a free port, and a client that talks to it."""
    fields: dict[str, Any] = {"port": 0, "data_folder": folder, "target_interval_s": 0.05}
    settings = DetectorSettings(**fields | options)
    node = DetectorNode(detector_class, settings, client_settings=client_settings)
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    serving = asyncio.ensure_future(node.serve(on_started=started.set_result))
    try:
        waiting: list[asyncio.Future[Any]] = [serving, started]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            await serving
        base_url = f"http://127.0.0.1:{started.result()}"
        async with httpx.AsyncClient(base_url=base_url, timeout=30.0) as client:
            yield client
    finally:
        serving.cancel()
        await asyncio.wait([serving])


async def in_service(client: httpx.AsyncClient, version: str) -> None:
    """Wait until the node runs this version."""
    await until_told(client, lambda told: (told["model_info"] or {}).get("version") == version)


async def until_told(
    client: httpx.AsyncClient, condition: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """Wait until what the node tells about itself fulfils ``condition``."""
    async with asyncio.timeout(30):
        while True:
            told: dict[str, Any] = (await client.get("/about")).json()
            if condition(told):
                return told
            await asyncio.sleep(0.01)
