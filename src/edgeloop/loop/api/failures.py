"""Every failure becomes JSON: ``{"detail", "code"}``."""

import logging
import math

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from edgeloop import logs
from edgeloop.errors import EdgeloopError, RateLimited
from edgeloop.protocol.failures import FAILURES, status_of
from edgeloop.protocol.payloads.parsing import fault_said

log = logging.getLogger(__name__)

HEADER = "x-request-id"
"""The id of a request: a client may give it, the answer has it."""
_CODES = {status: code for status, code in reversed(FAILURES.values()) if code != "codec"}
_CODES[408] = "too_slow"


def install(app: FastAPI) -> None:
    """Answer all errors of the app's routes in one shape."""
    app.add_exception_handler(EdgeloopError, _said_on_purpose)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(HTTPException, _said_by_the_framework)
    app.add_exception_handler(ClientDisconnect, _hung_up)
    app.add_exception_handler(Exception, _bug)


def failure(status: int, *, detail: str, code: str) -> JSONResponse:
    """An answer that says no; if that is the loop's fault, with the request's id for its log."""
    whole = detail.encode(errors="replace").decode()  # it may quote half a character
    body = {"detail": whole, "code": code}
    if status >= 500 and logs.request_id():
        body["request_id"] = logs.request_id()
    return JSONResponse(body, status_code=status)


async def _said_on_purpose(request: Request, error: Exception) -> Response:
    assert isinstance(error, EdgeloopError)
    status, code = status_of(error)
    if status >= 500:
        log.error("%s %s failed: %s", request.method, request.url.path, error)
    answer = failure(status, detail=str(error), code=code)
    if isinstance(error, RateLimited) and error.retry_after_s:
        answer.headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    return answer


async def _not_understood(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fault = error.errors()[0]
    detail = fault_said(fault["loc"], fault["msg"])
    return failure(422, detail=detail, code="unprocessable")


async def _said_by_the_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "input")
    detail = f"{request.method} {request.url.path}: {error.detail}"
    return failure(error.status_code, detail=detail, code=code)


async def _hung_up(request: Request, _error: Exception) -> Response:
    log.info("%s %s: the client hung up.", request.method, request.url.path)
    return failure(400, detail="The request ended early: send it again.", code="input")


async def _bug(request: Request, error: Exception) -> Response:
    # The framework calls this one around all middleware, so the id is to be put back in place.
    request_id: str = request.state.request_id
    with logs.request(request_id):
        log.error("%s %s met a bug", request.method, request.url.path, exc_info=error)
        detail = "internal error: the loop's log says more; please report it."
        answer = failure(500, detail=detail, code="bug")
    answer.headers[HEADER] = request_id
    return answer
