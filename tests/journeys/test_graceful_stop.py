"""A loop that is told to end (SIGTERM) finishes what it is at, and ends well."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from edgeloop.client import LoopClient
from edgeloop.client.calls.images import image_ids
from edgeloop.client.calls.projects import create_project
from edgeloop.demo.processes import EdgeloopProcess, wait_until
from edgeloop.protocol import routes
from processes import PASSWORD, StartLoop, settings_for
from uploading import pair


def logged_in(url: str) -> dict[str, str]:
    form = {"username": "admin", "password": PASSWORD}
    with httpx.Client() as client:
        client.post(f"{url}{routes.LOGIN}", data=form)
        return dict(client.cookies)


def request_of(url: str) -> bytes:
    """An upload, as it goes over the wire."""
    cookies = "; ".join(f"{name}={value}" for name, value in logged_in(url).items())
    images = f"{url}{routes.images('o', 'p')}"
    request = httpx.Request("POST", images, files=pair(1), headers={"Cookie": cookies})
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return f"POST {routes.images('o', 'p')} HTTP/1.1\r\n{head}\r\n".encode() + request.read()


@contextmanager
def half_sent(url: str, request: bytes) -> Iterator[socket.socket]:
    """A connection over which half of a request has come in."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.settimeout(60)
        connection.sendall(request[:-100])
        in_flight = "edgeloop_requests_in_flight 2.0"  # the question for it is the other one
        wait_until(
            lambda: in_flight in httpx.get(f"{url}/metrics").text,
            what="the upload is in flight",
            timeout_s=60,
        )
        yield connection


def stop(loop: EdgeloopProcess, ended: list[int]) -> threading.Thread:
    thread = threading.Thread(target=lambda: ended.append(loop.stop(60)))
    thread.start()
    wait_until(
        lambda: httpx.get(f"{loop.url}/ready").status_code == 503,
        what="the loop is ending",
        timeout_s=60,
    )
    return thread


@pytest.mark.slow
def test_an_upload_that_is_coming_in_is_finished_while_new_requests_are_sent_away(
    start_loop: StartLoop,
) -> None:
    loop, ended = start_loop(), list[int]()
    with LoopClient(settings_for(loop.url)) as client:
        client.send(create_project("o", "p", [{"name": "bolt"}]))
    request = request_of(loop.url)
    with half_sent(loop.url, request) as connection:
        stopping = stop(loop, ended)
        refused = httpx.get(f"{loop.url}{routes.STATUS}")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        connection.sendall(request[-100:])
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        stopping.join()
    assert ended == [0]
    loop.start()
    with LoopClient(settings_for(loop.url)) as client:
        assert len(client.send(image_ids("o", "p"))) == 1


@pytest.mark.slow
def test_an_upload_that_stands_still_holds_the_end_up_no_longer_than_was_set(
    start_loop: StartLoop,
) -> None:
    loop, ended = start_loop(EDGELOOP_STOP_WITHIN_S="0.5"), list[int]()
    with LoopClient(settings_for(loop.url)) as client:
        client.send(create_project("o", "p", [{"name": "bolt"}]))
    with half_sent(loop.url, request_of(loop.url)):
        ended.append(loop.stop(60))
    assert ended == [0]
    loop.start()
    with LoopClient(settings_for(loop.url)) as client:
        assert client.send(image_ids("o", "p")) == []
