"""Every route takes the right that the table says, of everybody."""

import asyncio
import json
import re
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from edgeloop.loop import LoopSettings, create_app
from edgeloop.protocol import routes
from edgeloop.protocol.routes import V1
from edgeloop.types import ROLES, Role
from loops import LoopInProcess, OpenLoop
from rights import ENTRIES, REPORT, Entry
from uploading import pair, receipts

PEOPLE = ("stranger", *ROLES, "loop admin")
"""Everybody with an account, the weakest first."""
CALLERS = ("nobody", "device", *PEOPLE)
_MODEL = [("files", ("model.onnx", b"weights", "application/octet-stream"))]

_BOX = {"category_name": "cat", "x": 1, "y": 2, "width": 10, "height": 10}


@dataclass
class Zoo:
    """A loop with zoo/cats, which has one of everything, and a client for each caller."""

    loop: LoopInProcess
    ids: Mapping[str, str]
    clients: Mapping[str, httpx.AsyncClient]

    async def ask(self, caller: str, route: str) -> httpx.Response:
        """Send what the table says."""
        method, path = route.split(" ")
        entry = ENTRIES[route]
        url = f"{self._filled(path)}?{self._filled(entry.query)}"
        body = json.loads(self._filled(json.dumps(entry.json)))
        options = {"data": dict(entry.form)} if entry.form else {"json": body}
        if entry.files:
            options = {"files": entry.files}
        return await self.clients[caller].request(method, url, **options)

    def _filled(self, text: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda found: self.ids[found[1]], text)


async def zoo_in(loop: LoopInProcess, callers: Collection[str]) -> Zoo:
    """Fill the loop."""
    project = await loop.project()
    root = await loop.client()
    (image,) = await receipts(root, pair(1, state="complete", box_annotations=[_BOX]))
    training = (await root.post(f"{V1}/projects/{project['id']}/trainings", json={})).json()
    path = routes.training_model_file("zoo", "cats", 1, "onnx")
    model_id = (await root.put(path, files=_MODEL)).json()["id"]
    body = {"model_id": model_id}
    await root.put(f"{V1}/projects/{project['id']}/deployment", json=body)
    await root.patch(f"{V1}/projects/{project['id']}", json={"wanted_formats": ["engine"]})
    wanted = {"source_format": "onnx", "target_format": "engine"}
    leased = (await root.post(f"{V1}/conversions/lease", json=wanted)).json()
    reported = await root.post(routes.detectors("zoo", "cats"), json=REPORT)
    assert reported.status_code == 200, reported.text
    ids = {
        "node_id": str(REPORT["uuid"]),
        "category_id": project["categories"][0]["id"],
        "organization": "zoo",
        "name": "cats",
        "project_id": project["id"],
        "session_id": "0123456789abcdef",
        "token_id": "00000000-0000-0000-0000-000000000000",
        **await _subject(loop),
        "image_id": image["id"],
        "training_id": training["id"],
        "number": "1",
        "model_id": model_id,
        "other_id": model_id,
        "model_format": "onnx",
        "conversion_id": leased["id"],
    }
    clients = {caller: await client_of(loop, caller) for caller in callers}
    return Zoo(loop, ids, clients)


async def _subject(loop: LoopInProcess) -> dict[str, str]:
    """An account that others do something with; it has roles that can be taken away."""
    roles: dict[str, Role] = {"zoo": "viewer", "zoo/cats": "viewer"}
    client = await loop.person("subject", roles)
    subject = (await client.get(f"{V1}/me")).json()
    return {"username": "subject", "user_id": subject["id"]}


async def client_of(loop: LoopInProcess, caller: str) -> httpx.AsyncClient:
    """A client of one of ``CALLERS``; the lower roles are in the project, the others above it."""
    others = {"nobody": loop.stranger, "device": loop.device, "loop admin": loop.client}
    if caller in others:
        return await others[caller]()
    roles: Mapping[str, dict[str, Role]] = {
        "viewer": {"zoo/cats": "viewer"},
        "annotator": {"zoo/cats": "annotator"},
        "manager": {"zoo": "manager"},
        "admin": {"zoo": "admin"},
    }
    return await loop.person(f"the {caller}", roles.get(caller, {}))


def test_every_route_is_in_the_table(tmp_path: Path) -> None:
    paths = create_app(LoopSettings(data_folder=tmp_path)).openapi()["paths"]
    served = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert served - set(ENTRIES) == set(), "say in rights.py which role the route takes"
    assert set(ENTRIES) - served == set(), "there is no such route any more"


def test_who_lacks_the_right_is_refused(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            zoo = await zoo_in(loop, CALLERS)
            expected = {
                f"{caller}: {route}": status
                for route, entry in ENTRIES.items()
                for caller, status in refused(entry).items()
            }
            found = {
                f"{caller}: {route}": (await zoo.ask(caller, route)).status_code
                for route, entry in ENTRIES.items()
                for caller in refused(entry)
            }
            assert found == expected

    asyncio.run(story())


def test_who_has_the_right_to_read_may(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            zoo = await zoo_in(loop, CALLERS)
            reading = {r: entry for r, entry in ENTRIES.items() if r.startswith("GET ")}
            found = {
                f"{caller}: {route}": (await zoo.ask(caller, route)).status_code
                for route, entry in reading.items()
                for caller in admitted(entry)
            }
            assert found == {f"{c}: {r}": e.answer for r, e in reading.items() for c in admitted(e)}

    asyncio.run(story())


@pytest.mark.parametrize("route", [route for route in ENTRIES if not route.startswith("GET ")])
def test_who_has_the_right_to_change_may(open_loop: OpenLoop, route: str) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            entry = ENTRIES[route]
            weakest, strongest = admitted(entry)[0], "loop admin"
            zoo = await zoo_in(loop, {weakest, strongest})
            answer = await zoo.ask(weakest, route)
            assert answer.status_code == entry.answer, answer.text
            assert (await zoo.ask(strongest, route)).status_code not in (401, 403)

    asyncio.run(story())


def test_to_an_admin_of_another_project_this_one_is_as_if_it_were_not(
    open_loop: OpenLoop,
) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            zoo = await zoo_in(loop, ())
            await loop.project(name="dogs")
            client = await loop.person("neighbour", {"zoo/dogs": "admin"})
            there = replace(zoo, clients={"neighbour": client})
            nowhere = replace(there, ids=dict(zip(zoo.ids, _other_ids(zoo), strict=True)))
            inside = [route for route in ENTRIES if _is_inside(route)]
            found = {route: await said(there, route) for route in inside}
            assert found == {route: await said(nowhere, route) for route in inside}
            assert {status for status, _ in found.values()} == {404}

    asyncio.run(story())


def _is_inside(route: str) -> bool:
    """Whether a route is about something in a project, and names it in its path."""
    named = {"{project_id}", "{image_id}", "{training_id}", "{model_id}", "{conversion_id}"}
    return "/{organization}/projects/" in route or any(name in route for name in named)


def _other_ids(zoo: Zoo) -> Iterator[str]:
    for name, value in zoo.ids.items():
        if name == "name":
            yield "birds"
        else:
            yield str(uuid.uuid4()) if re.fullmatch(r"[0-9a-f-]{36}", value) else value


async def said(zoo: Zoo, route: str) -> tuple[int, str]:
    """How the neighbour is answered, with the ids left out."""
    answer = await zoo.ask("neighbour", route)
    detail: str = answer.json()["detail"]
    for name in ("name", "project_id", "image_id", "training_id", "model_id", "conversion_id"):
        detail = detail.replace(zoo.ids[name], "...")
    return answer.status_code, detail


def test_what_devices_do_is_everybodys_in_an_open_project(open_loop: OpenLoop) -> None:
    async def story() -> None:
        async with open_loop() as loop:
            zoo = await zoo_in(loop, CALLERS)
            path = f"{V1}/projects/{zoo.ids['project_id']}"
            await zoo.clients["admin"].patch(path, json={"open_to_devices": True})
            found = {
                f"{caller}: {route}": (await zoo.ask(caller, route)).status_code
                for route, entry in ENTRIES.items()
                for caller in CALLERS
                if entry.is_of_devices
            }
            assert {key: status for key, status in found.items() if status != 200} == {}

    asyncio.run(story())


def refused(entry: Entry) -> Mapping[str, int]:
    """Who is refused, and how."""
    if entry.lowest == "anybody":
        return {}
    if entry.lowest == "account":
        return {"nobody": 401, "device": 403}
    lower = PEOPLE[1 : PEOPLE.index(entry.lowest)]
    forbidden = dict.fromkeys(lower, 403)
    return {"nobody": 401, "device": 403, "stranger": entry.stranger, **forbidden}


def admitted(entry: Entry) -> Sequence[str]:
    """Who is let in, the weakest first."""
    return [caller for caller in CALLERS if caller not in refused(entry)]
