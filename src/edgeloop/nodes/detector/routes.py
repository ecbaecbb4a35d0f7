"""The detector's REST routes: parse, ask pipeline or control, encode."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, get_args

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.datastructures import FormData, UploadFile
from starlette.types import Message

from edgeloop.errors import EdgeloopError, InputError, TooLarge, Unprocessable
from edgeloop.nodes.detector.control import Control
from edgeloop.nodes.detector.pipeline import EXPLICIT, Answer, Pipeline, Timings, Upload
from edgeloop.protocol.failures import status_of
from edgeloop.protocol.payloads.images import image_metadata_to_json, read_image_metadata
from edgeloop.types import Frame, ImageMetadata, UploadWish, new_frame_id

_DETECT_DOC = {
    "requestBody": {
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        }
    },
    "parameters": [
        {"in": "header", "name": name, "schema": {"type": "string"}}
        for name in ("camera-id", "tags", "source", "autoupload", "creation-date", "frame-id")
    ],
}


def create_app(
    pipeline: Pipeline, control: Control, *, max_request_bytes: int, has_backdoors: bool
) -> FastAPI:
    """The app of a detector; ``has_backdoors`` adds what only tests of a fleet want."""
    app = FastAPI(title="edgeloop detector")
    app.add_exception_handler(EdgeloopError, _answer_failure)
    app.include_router(_frame_routes(pipeline, max_request_bytes))
    app.include_router(_model_routes(control))
    app.include_router(_mode_routes(control))
    if has_backdoors:
        app.include_router(_backdoor_routes(control))
    return app


def _frame_routes(pipeline: Pipeline, max_bytes: int) -> APIRouter:
    router = APIRouter()

    @router.post("/detect", openapi_extra=_DETECT_DOC)
    async def detect(request: Request) -> Response:
        """Find things in the image of the multipart field ``file``."""
        async with _limited(request, max_bytes).form() as form:
            image = await _read_image(form)
        frame = _frame(request, image)
        return _answer(frame, await pipeline.process(frame))

    @router.post("/upload")
    async def upload(
        request: Request,
        source: Annotated[str | None, Query()] = None,
        creation_date: Annotated[str | None, Query()] = None,
        upload_priority: Annotated[bool, Query()] = False,
    ) -> JSONResponse:
        """Keep the images of the fields ``files`` for the loop, with their detections if given."""
        async with _limited(request, max_bytes).form() as form:
            uploads = await _read_uploads(form, pipeline.category_ids)
        completed = [_completed(item, source, creation_date) for item in uploads]
        await pipeline.upload(completed, priority=upload_priority)
        return JSONResponse([200, "OK"])

    return router


def _model_routes(control: Control) -> APIRouter:
    router = APIRouter()

    @router.get("/about")
    async def about() -> JSONResponse:
        """What the node is and does."""
        return JSONResponse(control.about())

    @router.get("/model_version")
    async def model_version() -> JSONResponse:
        """Which versions are in service, wanted and at hand."""
        return JSONResponse(await control.model_version())

    @router.put("/model_version")
    async def set_model_version(request: Request) -> JSONResponse:
        """Body: ``follow_loop``, ``pause`` or a version such as ``1.0``."""
        await control.set_model_version(await _text(request))
        return JSONResponse("OK")

    return router


def _mode_routes(control: Control) -> APIRouter:
    router = APIRouter()

    @router.get("/operation_mode")
    async def operation_mode() -> PlainTextResponse:
        """``startup``, ``idle`` or ``detecting``."""
        return PlainTextResponse(control.operation_mode)

    @router.put("/operation_mode")
    async def set_operation_mode(request: Request) -> JSONResponse:
        """Body: ``idle`` or ``detecting``; while detecting the model is not replaced."""
        control.set_operation_mode(await _text(request))
        return JSONResponse("OK")

    @router.get("/outbox_mode")
    async def outbox_mode() -> PlainTextResponse:
        """``continuous_upload`` or ``stopped``."""
        return PlainTextResponse(control.outbox_mode)

    @router.put("/outbox_mode")
    async def set_outbox_mode(request: Request) -> JSONResponse:
        """Body: ``continuous_upload`` or ``stopped``."""
        control.set_outbox_mode(await _text(request))
        return JSONResponse("OK")

    @router.put("/debug_logging")
    async def set_debug_logging(request: Request) -> JSONResponse:
        """Body: ``on`` or ``off``."""
        text = await _text(request)
        control.set_debug_logging(text)
        return JSONResponse(text)

    return router


def _backdoor_routes(control: Control) -> APIRouter:
    router = APIRouter()

    @router.post("/reset")
    async def reset() -> JSONResponse:
        """Forget all models and waiting frames."""
        await control.reset()
        return JSONResponse(content=True)

    return router


def _frame(request: Request, image: bytes) -> Frame:
    headers = request.headers
    return Frame(
        image=image,
        id=headers.get("frame-id") or new_frame_id(),
        camera_id=headers.get("camera-id") or headers.get("mac", ""),
        source=headers.get("source"),
        tags=tuple(tag.strip() for tag in headers.get("tags", "").split(",") if tag.strip()),
        created=headers.get("creation-date"),
        wish=_wish(headers.get("autoupload") or "filtered"),
    )


def _wish(text: str) -> UploadWish:
    for wish in get_args(UploadWish):
        if wish == text:
            return wish  # type: ignore[no-any-return]
    raise Unprocessable(f"autoupload cannot be {text!r}: send all, filtered or disabled.")


def _answer(frame: Frame, answer: Answer) -> JSONResponse:
    metadata = ImageMetadata(
        frame_id=frame.id,
        detections=answer.detections,
        tags=(*frame.tags, *answer.reasons),
        source=frame.source,
        created=frame.created,
        camera_id=frame.camera_id,
    )
    headers = {"Server-Timing": _server_timing(answer.timings)}
    return JSONResponse(image_metadata_to_json(metadata), headers=headers)


def _server_timing(timings: Timings) -> str:
    return f"decode;dur={timings.decode_ms:.2f}, detect;dur={timings.detect_ms:.2f}"


async def _read_image(form: FormData) -> bytes:
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise Unprocessable("There is no image: send it as the multipart field 'file'.")
    return await file.read()


async def _read_uploads(form: FormData, category_ids: Mapping[str, str]) -> list[Upload]:
    """Images and JSON documents belong together by their order; one of each kind at least."""
    files = [file for file in form.getlist("files") if isinstance(file, UploadFile)]
    documents = [str(text) for text in form.getlist("detections")]
    images = []
    for file in files:
        content = await file.read()
        if (file.filename or "").lower().endswith(".json"):
            documents.append(content.decode(errors="replace"))
        else:
            images.append(content)
    if not images:
        raise Unprocessable("There is no image: send at least one as the multipart field 'files'.")
    if len(documents) not in (0, len(images)):
        message = f"{len(documents)} JSON documents for {len(images)} images: send one for each."
        raise Unprocessable(message)
    texts = documents or ["{}"] * len(images)
    metadata = [_metadata(text, category_ids) for text in texts]
    return [Upload(image, item) for image, item in zip(images, metadata, strict=True)]


def _metadata(text: str, category_ids: Mapping[str, str]) -> ImageMetadata:
    try:
        content = json.loads(text)
        metadata = read_image_metadata(content, category_ids)
    except (ValueError, InputError) as error:
        raise Unprocessable(f"The detections are not readable ({error}).") from error
    if _annotation_count(content) > len(metadata.annotations or ()):
        raise Unprocessable(
            "An annotation names a category that the model in service does not know: "
            "send its category_id."
        )
    return replace(metadata, frame_id=metadata.frame_id or new_frame_id())


def _annotation_count(content: dict[str, Any]) -> int:
    lists = ("box_annotations", "point_annotations", "segmentation_annotations")
    whole = content.get("classification_annotation")
    return sum(len(content.get(name, ())) for name in lists) + (whole is not None)


def _completed(upload: Upload, source: str | None, created: str | None) -> Upload:
    metadata = upload.metadata
    tags = metadata.tags if EXPLICIT in metadata.tags else (*metadata.tags, EXPLICIT)
    return Upload(
        upload.image,
        replace(
            metadata,
            tags=tags,
            source=metadata.source or source,
            created=metadata.created or created,
        ),
    )


async def _text(request: Request) -> str:
    return (await request.body()).decode(errors="replace").strip()


def _limited(request: Request, max_bytes: int) -> Request:
    """The same request; reading more than ``max_bytes`` of its body raises TooLarge."""
    received = 0

    async def receive() -> Message:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > max_bytes:
            raise TooLarge(f"The request has more than {max_bytes} bytes: send fewer at once.")
        return message

    return Request(request.scope, receive)


async def _answer_failure(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, EdgeloopError)
    status, code = status_of(error)
    return JSONResponse({"detail": str(error), "code": code}, status_code=status)
