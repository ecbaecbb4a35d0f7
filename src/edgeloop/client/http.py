"""LoopClient and AsyncLoopClient: log in, send a Call, raise what the loop refuses."""

import asyncio
import contextlib
import ssl
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from edgeloop import durable
from edgeloop.client.call import Call, check, nothing, result_of
from edgeloop.client.settings import ClientSettings
from edgeloop.errors import ConfigError, Forbidden, LoopUnreachable, Unauthenticated
from edgeloop.protocol import routes

T = TypeVar("T")
_CHUNK_BYTES = 1 << 20
_LOGOUT = Call("POST", routes.LOGOUT, nothing, login=False, timeout_s=5.0)


class AsyncLoopClient:
    """Sends calls to a loop; logs in when one needs it, and again when the session has ended.

    With a token it sends that and never logs in.
    """

    def __init__(
        self, settings: ClientSettings, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.settings = settings
        options = _client_options(settings)
        self._http = httpx.AsyncClient(**options, transport=transport)
        self._login_lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; may be called twice."""
        await self._http.aclose()

    @property
    def login_headers(self) -> dict[str, str]:
        """What tells other connections of this node who asks; empty before a login."""
        cookie = _cookie_of(self._http)
        return _token_header(self.settings) or ({"Cookie": cookie} if cookie else {})

    async def log_in(self) -> None:
        """Begin a new session, if there is no token; raises Unauthenticated."""
        if _token_header(self.settings):
            return
        self._http.cookies.clear()
        call = _login(self.settings)
        with _asked_by(self.settings):
            result_of(call, await self._exchange(call))

    async def log_out(self) -> None:
        """End the session that this client has; it is no error if it has none."""
        if self._http.cookies:
            result_of(_LOGOUT, await self._exchange(_LOGOUT))
            self._http.cookies.clear()

    async def send(self, call: Call[T]) -> T:
        """Send ``call`` and return its parsed answer; raises EdgeloopError."""
        response = await self._answer_to(call)
        with _asked_by(self.settings):
            return result_of(call, response)

    async def download(self, call: Call[bytes], target: Path) -> None:
        """Store what ``call`` answers as the file ``target``, whole or not at all.

        It is written as it comes, whatever its size. Raises EdgeloopError, OSError.
        """
        response = await self._answer_to(call, stream=True)
        try:
            with _network_errors(self.settings):
                if response.is_success:
                    await _store(response, target)
                else:
                    await response.aread()
        finally:
            await response.aclose()
        with _asked_by(self.settings):
            check(response)

    async def _answer_to(self, call: Call[Any], *, stream: bool = False) -> httpx.Response:
        """What the loop says to ``call``, with a login before it where that is needed."""
        if _token_header(self.settings):
            return await self._exchange(call, stream=stream)
        if call.login and not self._http.cookies:
            await self._log_in_once(instead_of="")
        cookie = _cookie_of(self._http)
        response = await self._exchange(call, stream=stream)
        if response.status_code == httpx.codes.UNAUTHORIZED and call.login:
            await response.aclose()
            await self._log_in_once(instead_of=cookie)
            response = await self._exchange(call, stream=stream)
        return response

    async def _log_in_once(self, *, instead_of: str) -> None:
        async with self._login_lock:
            if _cookie_of(self._http) in ("", instead_of):
                await self.log_in()

    async def _exchange(self, call: Call[Any], *, stream: bool = False) -> httpx.Response:
        with _network_errors(self.settings), _open_parts(call) as options:
            request = self._http.build_request(call.method, call.path, **options)
            return await self._http.send(request, stream=stream)


class LoopClient:
    """The same for programs without an event loop."""

    def __init__(
        self, settings: ClientSettings, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.settings = settings
        self._http = httpx.Client(**_client_options(settings), transport=transport)
        self._login_lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; may be called twice."""
        self._http.close()

    def log_in(self) -> None:
        """Begin a new session, if there is no token; raises Unauthenticated."""
        if _token_header(self.settings):
            return
        self._http.cookies.clear()
        call = _login(self.settings)
        with _asked_by(self.settings):
            result_of(call, self._exchange(call))

    def log_out(self) -> None:
        """End the session that this client has; it is no error if it has none."""
        if self._http.cookies:
            result_of(_LOGOUT, self._exchange(_LOGOUT))
            self._http.cookies.clear()

    def send(self, call: Call[T]) -> T:
        """Send ``call`` and return its parsed answer; raises EdgeloopError."""
        response = self._answer_to(call)
        with _asked_by(self.settings):
            return result_of(call, response)

    def download(self, call: Call[bytes], target: Path) -> None:
        """Store what ``call`` answers as the file ``target``, whole or not at all.

        It is written as it comes, whatever its size. Raises EdgeloopError, OSError.
        """
        response = self._answer_to(call, stream=True)
        try:
            with _network_errors(self.settings):
                if response.is_success:
                    with durable.draft_of(target) as draft, draft.open("wb") as file:
                        for chunk in response.iter_bytes(_CHUNK_BYTES):
                            file.write(chunk)
                else:
                    response.read()
        finally:
            response.close()
        with _asked_by(self.settings):
            check(response)

    def _answer_to(self, call: Call[Any], *, stream: bool = False) -> httpx.Response:
        """What the loop says to ``call``, with a login before it where that is needed."""
        if _token_header(self.settings):
            return self._exchange(call, stream=stream)
        if call.login and not self._http.cookies:
            self._log_in_once(instead_of="")
        cookie = _cookie_of(self._http)
        response = self._exchange(call, stream=stream)
        if response.status_code == httpx.codes.UNAUTHORIZED and call.login:
            response.close()
            self._log_in_once(instead_of=cookie)
            response = self._exchange(call, stream=stream)
        return response

    def _log_in_once(self, *, instead_of: str) -> None:
        with self._login_lock:
            if _cookie_of(self._http) in ("", instead_of):
                self.log_in()

    def _exchange(self, call: Call[Any], *, stream: bool = False) -> httpx.Response:
        with _network_errors(self.settings), _open_parts(call) as options:
            request = self._http.build_request(call.method, call.path, **options)
            return self._http.send(request, stream=stream)


def _client_options(settings: ClientSettings) -> dict[str, Any]:
    verify: ssl.SSLContext | bool = True
    if settings.ssl_cert_path:
        try:
            verify = ssl.create_default_context(cafile=str(settings.ssl_cert_path))
        except OSError as error:
            message = f"LOOP_SSL_CERT_PATH {settings.ssl_cert_path} is no certificate ({error})."
            raise ConfigError(message) from error
    headers = _token_header(settings)
    return {"base_url": _url(settings), "verify": verify, "timeout": 60.0, "headers": headers}


def _token_header(settings: ClientSettings) -> dict[str, str]:
    token = settings.loop_token.get_secret_value()
    return {"Authorization": f"Bearer {token}"} if token else {}


def _cookie_of(http: httpx.AsyncClient | httpx.Client) -> str:
    return "; ".join(f"{name}={value}" for name, value in http.cookies.items())


def _url(settings: ClientSettings) -> httpx.URL:
    try:
        return httpx.URL(settings.base_url)
    except httpx.InvalidURL as error:
        message = f"LOOP_HOST {settings.host!r} is no address ({error}): set host or host:port."
        raise ConfigError(message) from error


def _login(settings: ClientSettings) -> Call[None]:
    password = settings.password.get_secret_value()
    form = {"username": settings.login_name, "password": password}
    return Call("POST", routes.LOGIN, nothing, form=form, login=False)


@contextlib.contextmanager
def _open_parts(call: Call[Any]) -> Iterator[dict[str, Any]]:
    options: dict[str, Any] = {"timeout": call.timeout_s}
    if call.json is not None:
        options["json"] = call.json
    if call.form:
        options["data"] = dict(call.form)
    with contextlib.ExitStack() as stack:
        if call.files:
            options["files"] = [
                (
                    "files",
                    (
                        part.name,
                        stack.enter_context(part.content.open("rb"))
                        if isinstance(part.content, Path)
                        else part.content,
                        part.content_type,
                    ),
                )
                for part in call.files
            ]
        yield options


@contextlib.contextmanager
def _network_errors(settings: ClientSettings) -> Iterator[None]:
    try:
        yield
    except (httpx.RequestError, httpx.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        message = (
            f"The loop at {settings.base_url} does not answer ({reason}): "
            "is it running there? Set LOOP_HOST or --loop where it is another one."
        )
        raise LoopUnreachable(message) from error


@contextlib.contextmanager
def _asked_by(settings: ClientSettings) -> Iterator[None]:
    try:
        yield
    except Unauthenticated as error:
        asked = f"(Asked {settings.base_url} as {settings.asker}.)"
        raise Unauthenticated(f"{error} {asked}") from error
    except Forbidden as error:
        if settings.is_known:
            raise
        raise Forbidden(f"{error} (Asked as {settings.asker}.)") from error


async def _store(response: httpx.Response, target: Path) -> None:
    draft = target.with_name(f"{durable.DRAFT_PREFIX}{uuid.uuid4().hex}")
    try:
        with durable.storage_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("wb") as file:
                async for chunk in response.aiter_bytes(_CHUNK_BYTES):
                    await asyncio.to_thread(file.write, chunk)
            await asyncio.to_thread(durable.publish, draft, target)  # a sync may take seconds
    finally:
        durable.remove(draft)
