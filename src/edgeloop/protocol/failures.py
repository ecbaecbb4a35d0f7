"""Which error class is which HTTP status and code, for both directions."""

from edgeloop.errors import (
    CodecError,
    ConfigError,
    Conflict,
    EdgeloopError,
    Forbidden,
    ImageError,
    InputError,
    LoopRejected,
    LoopUnreachable,
    ModelError,
    ModelUnavailable,
    NotFound,
    Overloaded,
    RateLimited,
    StorageFull,
    TooLarge,
    Unauthenticated,
    Unprocessable,
)

FAILURES: dict[type[EdgeloopError], tuple[int, str]] = {
    CodecError: (400, "codec"),
    InputError: (400, "input"),
    Unauthenticated: (401, "unauthenticated"),
    Forbidden: (403, "forbidden"),
    NotFound: (404, "not_found"),
    Conflict: (409, "conflict"),
    TooLarge: (413, "too_large"),
    Unprocessable: (422, "unprocessable"),
    ImageError: (422, "image"),
    RateLimited: (429, "rate_limited"),
    ConfigError: (500, "config"),
    ModelError: (500, "model"),
    LoopRejected: (502, "loop_rejected"),
    LoopUnreachable: (502, "loop_unreachable"),
    Overloaded: (503, "overloaded"),
    ModelUnavailable: (503, "model_unavailable"),
    StorageFull: (507, "storage_full"),
}
_BY_CODE = {code: error for error, (_, code) in FAILURES.items()}
_BY_STATUS: dict[int, type[EdgeloopError]] = {
    400: InputError,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: Unprocessable,
    429: RateLimited,
    507: StorageFull,
}


def status_of(error: EdgeloopError) -> tuple[int, str]:
    """The (HTTP status, code) of an error, by its nearest listed class; 500 for the rest."""
    for cls in type(error).__mro__:
        if cls in FAILURES:
            return FAILURES[cls]
    return 500, "error"


def error_of(status: int, code: str | None, detail: str) -> EdgeloopError:
    """The error that an HTTP answer stands for; servers that fail (5xx) count as unreachable."""
    if code in _BY_CODE:
        return _BY_CODE[code](detail)
    if status in _BY_STATUS:
        return _BY_STATUS[status](detail)
    if status >= 500 or status == 408:
        return LoopUnreachable(f"The server failed with status {status}: {detail}")
    return LoopRejected(f"The server refused with status {status}: {detail}")
