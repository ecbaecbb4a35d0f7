"""200 detectors and 20 trainers that report as often as the published ones do."""

import json
import time
from collections.abc import Sequence

from stream.processes import Process
from stream.rows import Row

from loop.http import Connection
from loop.ingest import create_project
from loop.site import ORGANIZATION, PROJECT, Server, Site

DETECTORS, TRAINERS = 200, 20
GENERATIONS = {
    "sockets": "0.10 to 0.15: each reports over its socket, every 5 s",
    "polls": "0.16 to 0.27: each asks for its target every 5 s, reports every 30 s",
}
PERIOD_S = 5.0
"""Nobody reports less often, but for the reports of ``polls``."""
GOAL_PERCENT = 15.0
_FORM = "multipart/form-data; boundary=x"


def measure(site: Site) -> Sequence[Row]:
    """The CPU time of the loop in percent of one core, and of a server that only says yes."""
    with site.loop() as server:
        connection = server.connect()
        deploy(connection, create_project(connection))
        used = {name: _percent(server, connection.cookie, name, site) for name in GENERATIONS}
    with site.bare(64) as server:
        allowed = {name: _percent(server, "", name, site) for name in GENERATIONS}
    return [
        Row(
            f"{DETECTORS} detectors ({about}), {TRAINERS} trainers: CPU",
            "% of a core",
            used[name],
            limit=allowed[name],
            goal=GOAL_PERCENT,
        )
        for name, about in GENERATIONS.items()
    ]


def deploy(connection: Connection, project_id: str) -> None:
    """A model of the project becomes the target of its detectors."""
    head = '--x\r\nContent-Disposition: form-data; name="files"; filename="model.onnx"\r\n\r\n'
    body = f"{head}weights\r\n--x--\r\n".encode()
    path = f"/api/{ORGANIZATION}/projects/{PROJECT}/models/onnx"
    model_id = json.loads(connection.send(connection.request("POST", path, body, kind=_FORM)))["id"]
    target = json.dumps({"model_id": model_id}).encode()
    path = f"/api/v1/projects/{project_id}/deployment"
    connection.send(connection.request("PUT", path, target))


def _percent(server: Server, cookie: str, generation: str, site: Site) -> float:
    """The CPU time of a server while the fleet reports, over whole periods."""
    arguments = (str(server.port), cookie, generation, str(DETECTORS), str(TRAINERS))
    seconds = max(2, round(site.seconds / PERIOD_S)) * PERIOD_S
    with Process("loop.reporting", *arguments) as fleet:
        time.sleep(PERIOD_S)  # what is only done for new nodes is over
        said, before = int(fleet.ask("reports")), server.cpu_s()
        time.sleep(seconds)
        cpu_s, said = server.cpu_s() - before, int(fleet.ask("reports")) - said
    wanted = (DETECTORS + TRAINERS) * seconds / PERIOD_S
    if said < 0.9 * wanted:
        raise RuntimeError(f"{said} of {wanted:g} were answered: the machine is too busy")
    return cpu_s / seconds * 100
