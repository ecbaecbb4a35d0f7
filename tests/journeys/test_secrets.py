"""No secret comes into the log, however much is logged."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest
import socketio

from edgeloop.client import ClientSettings
from edgeloop.client.settings import child_environment
from edgeloop.demo.processes import EdgeloopProcess
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from processes import PASSWORD
from uploading import IMAGES, image_part, metadata_part, pair

WRONG = "a wrong secret"
IN_QUERY = "a-secret-in-a-query"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "loop.log"


def busy_story(url: str) -> set[str]:
    """Do everything in which secrets travel; returns them."""
    with httpx.Client(base_url=url) as client:
        for form in (
            {"username": "admin", "password": WRONG},
            {"username": "admin", "password": PASSWORD},
        ):
            client.post(routes.LOGIN, data=form)
        cookies = set(client.cookies.values())
        assert cookies
        body = {"organization": "zoo", "name": "cats", "categories": [{"name": "cat"}]}
        assert client.post(f"{V1}/projects", json=body).status_code == 200
        assert client.post(IMAGES, files=pair(1)).status_code == 200
        refused = [metadata_part(), image_part(data=b"no JPEG")]
        assert client.post(IMAGES, files=refused).status_code == 422
        for path in ("/", "/login", "/ready", "/metrics", f"{V1}/nothing", routes.STATUS):
            client.get(path, params={"token": IN_QUERY})
            client.get(path, headers={"Authorization": f"Bearer {IN_QUERY}"})
        asyncio.run(connect(url, "; ".join(f"{k}={v}" for k, v in client.cookies.items())))
        client.post(routes.LOGOUT)
    return {PASSWORD, WRONG, IN_QUERY, *cookies}


async def connect(url: str, cookie: str) -> None:
    node = socketio.AsyncClient(reconnection=False)
    await node.connect(
        url,
        headers={"Cookie": cookie, "nodeType": "trainer"},
        auth={"password": PASSWORD},
        socketio_path="/ws/socket.io",
    )
    await node.call("update_trainer", {"password": PASSWORD})
    await node.disconnect()


@pytest.mark.slow
def test_no_password_cookie_or_token_is_in_any_line_of_a_busy_loops_log(
    tmp_path: Path, log: Path
) -> None:
    loop = EdgeloopProcess(
        "loop",
        ["--verbose", "loop", "--log-json", "--data-folder", str(tmp_path / "loop")],
        log=log,
        environment=child_environment(ClientSettings(), EDGELOOP_ADMIN_PASSWORD=PASSWORD),
    )
    try:
        url = loop.start()
        secrets = busy_story(url)
        assert loop.stop(60) == 0
    finally:
        loop.kill()
    lines = log.read_text().splitlines()
    assert [line for line in lines if any(secret in line for secret in secrets)] == []
    read = [json.loads(line) for line in lines]  # and there is nothing but JSON
    assert sum("route" in line for line in read) >= 15
    assert all(line["request_id"] for line in read if "route" in line)
