"""Which role each route of the loop takes: every route has its line here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from edgeloop.protocol.payloads.nodes import detector_status_to_json
from edgeloop.types import DetectorStatus, OperationMode, Role
from uploading import pair

Lowest = Literal["anybody", "account"] | Role | Literal["loop admin"]


@dataclass(frozen=True)
class Entry:
    """Who may: the lowest role in the project, or ``account`` where all see what is theirs.

    ``{names}`` in texts stand for ids of the loop under test. ``is_of_devices``: open projects let
    everybody do it. ``answer``: what the first who may is told; ``stranger``: what an account
    without any role is told.
    """

    lowest: Lowest
    json: Any = None
    files: Any = None
    form: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    is_of_devices: bool = False
    answer: int = 200
    stranger: int = 404


_MODEL = [("files", ("model.onnx", b"weights", "application/octet-stream"))]
REPORT = detector_status_to_json(
    DetectorStatus(
        id="d1",
        name="belt",
        model_format="onnx",
        operation_mode=OperationMode.DETECTING,
        uptime_s=1.0,
        current_model=None,
        target_model=None,
        errors={},
        node_version="0.1",
        outbox_depth=0,
    )
)
_GESTURE = {
    "frontend_id": "page-7",
    "image_id": "{image_id}",
    "category_id": "{category_id}",
    "event": "mouse_move",
    "x": 1,
    "y": 2,
}
_NEW_USER = {"username": "new", "password": "battery staple"}
_CREDENTIALS = {"username": "admin", "password": "correct horse"}
_PROJECT = "/api/{organization}/projects/{name}"

_LEASE = {"source_format": "onnx", "target_format": "engine"}

ENTRIES: Mapping[str, Entry] = {
    "GET /health": Entry("anybody"),
    "GET /ready": Entry("anybody"),
    "GET /metrics": Entry("loop admin", stranger=403),
    "GET /api/status": Entry("anybody"),
    "POST /api/login": Entry("anybody", form=_CREDENTIALS),
    "POST /api/logout": Entry("anybody"),
    "GET /api/v1/me": Entry("account"),
    "PUT /api/v1/me/password": Entry(
        "account", json={"current": "correct horse", "password": "battery staple"}
    ),
    "GET /api/v1/me/sessions": Entry("account"),
    "DELETE /api/v1/me/sessions/{session_id}": Entry("account", answer=404),
    "GET /api/v1/users": Entry("loop admin", stranger=403),
    "POST /api/v1/users": Entry("loop admin", json=_NEW_USER, stranger=403),
    "GET /api/v1/users/{user_id}": Entry("loop admin", stranger=403),
    "PATCH /api/v1/users/{user_id}": Entry("loop admin", json={"is_disabled": True}, stranger=403),
    "DELETE /api/v1/users/{user_id}": Entry("loop admin", stranger=403),
    "PUT /api/v1/users/{user_id}/password": Entry(
        "loop admin", json={"password": "battery staple"}, stranger=403
    ),
    "GET /api/v1/users/{user_id}/roles": Entry("loop admin", stranger=403),
    "PUT /api/v1/users/{user_id}/roles": Entry(
        "loop admin", json={"place": "zoo", "role": "viewer"}, stranger=403
    ),
    "GET /api/v1/organizations": Entry("account"),
    "POST /api/v1/organizations": Entry("loop admin", json={"name": "ark"}, stranger=403),
    "GET /api/v1/organizations/{organization}/members": Entry("manager"),
    "PUT /api/v1/organizations/{organization}/members/{username}": Entry(
        "admin", json={"role": "viewer"}
    ),
    "DELETE /api/v1/organizations/{organization}/members/{username}": Entry("admin"),
    "GET /api/v1/projects/{project_id}/members": Entry("viewer"),
    "PUT /api/v1/projects/{project_id}/members/{username}": Entry("admin", json={"role": "viewer"}),
    "DELETE /api/v1/projects/{project_id}/members/{username}": Entry("admin"),
    "GET /api/v1/tokens": Entry("account"),
    "POST /api/v1/tokens": Entry("account", json={"name": "mine", "scopes": ["viewer"]}),
    "DELETE /api/v1/tokens/{token_id}": Entry("account", answer=404),
    "GET /api/projects": Entry("account"),
    "GET /api/v1/projects": Entry("account"),
    "POST /api/v1/projects": Entry(
        "manager", json={"organization": "zoo", "name": "dogs"}, stranger=403
    ),
    "GET /api/v1/projects/{project_id}": Entry("viewer"),
    "PATCH /api/v1/projects/{project_id}": Entry("manager", json={"has_val_split": True}),
    "DELETE /api/v1/projects/{project_id}": Entry("admin"),
    "GET /api/v1/projects/{project_id}/images": Entry("viewer"),
    "GET /api/v1/projects/{project_id}/images/count": Entry("viewer"),
    "GET /api/v1/projects/{project_id}/images/facets": Entry("viewer"),
    "POST /api/v1/projects/{project_id}/images/change": Entry(
        "annotator", json={"ids": ["{image_id}"], "state": "review"}
    ),
    "POST /api/v1/projects/{project_id}/images/delete": Entry(
        "manager", json={"ids": ["{image_id}"]}
    ),
    "GET /api/v1/images/{image_id}": Entry("viewer"),
    "GET /api/v1/images/{image_id}/file": Entry("viewer"),
    "GET /api/v1/images/{image_id}/thumbnail": Entry("viewer"),
    "GET /api/v1/images/{image_id}/detections": Entry("viewer"),
    "GET /api/v1/images/{image_id}/annotations": Entry("viewer"),
    "GET /api/v1/images/{image_id}/annotations/history": Entry("viewer"),
    "POST /api/v1/images/{image_id}/annotations/restore": Entry("annotator", json={"version": 1}),
    "PUT /api/v1/images/{image_id}/annotations": Entry("annotator", json={"state": "review"}),
    "GET /api/v1/projects/{project_id}/trainings": Entry("viewer"),
    "POST /api/v1/projects/{project_id}/trainings": Entry("manager", json={}),
    "GET /api/v1/trainings/{training_id}": Entry("viewer"),
    "GET /api/v1/trainings/{training_id}/epochs": Entry("viewer"),
    "GET /api/v1/trainings/{training_id}/log": Entry("viewer"),
    "DELETE /api/v1/trainings/{training_id}/wish": Entry("manager", answer=409),
    "PUT /api/v1/trainings/{training_id}/place": Entry("manager", json={}),
    "GET /api/v1/queue": Entry("account", stranger=200),
    "POST /api/v1/trainings/{training_id}/stop": Entry("manager"),
    "POST /api/v1/trainings/{training_id}/abort": Entry("manager"),
    "GET /api/v1/projects/{project_id}/models": Entry("viewer"),
    "GET /api/v1/models/{model_id}": Entry("viewer"),
    "PATCH /api/v1/models/{model_id}": Entry("manager", json={"comment": "good"}),
    "GET /api/v1/models/{model_id}/lineage": Entry("viewer"),
    "GET /api/v1/models/{model_id}/evaluation": Entry("viewer", answer=409),
    "GET /api/v1/models/{model_id}/comparison/{other_id}": Entry("viewer", answer=409),
    "GET /api/v1/projects/{project_id}/deployment": Entry("viewer"),
    "PUT /api/v1/projects/{project_id}/deployment": Entry(
        "manager", json={"model_id": "{model_id}"}
    ),
    "POST /api/v1/projects/{project_id}/deployment/rollback": Entry("manager", json={}, answer=409),
    "GET /api/v1/projects/{project_id}/deployments": Entry("viewer"),
    "GET /api/v1/projects/{project_id}/conversions": Entry("viewer"),
    "POST /api/v1/conversions/lease": Entry("manager", json=_LEASE, answer=204, stranger=403),
    "POST /api/v1/conversions/{conversion_id}/renewal": Entry("manager", json={}),
    "POST /api/v1/conversions/{conversion_id}/failure": Entry("manager", json={"error": "no"}),
    "POST /api/v1/conversions/{conversion_id}/retry": Entry("manager", answer=409),
    "GET /api/v1/nodes": Entry("account"),
    "GET /api/v1/nodes/{node_id}": Entry("viewer"),
    "DELETE /api/v1/nodes/{node_id}": Entry("manager", answer=409),
    "POST /api/v1/nodes/{node_id}/restart": Entry("manager", answer=404),
    "POST /api/v1/nodes/{node_id}/user_input": Entry("annotator", json=_GESTURE, answer=404),
    "POST /api/v1/nodes/{node_id}/user_logout": Entry(
        "annotator", json={"frontend_id": "page-7"}, answer=404
    ),
    f"GET {_PROJECT}": Entry("viewer"),
    f"DELETE {_PROJECT}": Entry("admin"),
    f"GET {_PROJECT}/data": Entry("viewer"),
    f"GET {_PROJECT}/images": Entry("viewer", query="ids={image_id}"),
    f"POST {_PROJECT}/images": Entry("annotator", files=pair(7), is_of_devices=True),
    f"GET {_PROJECT}/images/{{image_id}}/main": Entry("viewer"),
    f"GET {_PROJECT}/images/{{image_id}}/thumb": Entry("viewer"),
    f"PUT {_PROJECT}/images/novelty_scores": Entry("annotator", json={"{image_id}": 0.5}),
    f"POST {_PROJECT}/detections": Entry("manager", json=[]),
    f"GET {_PROJECT}/trainings": Entry("viewer"),
    f"GET {_PROJECT}/models": Entry("viewer", is_of_devices=True),
    f"GET {_PROJECT}/models/{{model_id}}/{{model_format}}/file": Entry(
        "viewer", is_of_devices=True
    ),
    f"PUT {_PROJECT}/models/{{model_id}}/{{model_format}}/file": Entry("manager", files=_MODEL),
    f"POST {_PROJECT}/models/{{model_format}}": Entry("manager", files=_MODEL),
    f"POST {_PROJECT}/{{model_format}}": Entry("manager", files=_MODEL),
    f"PUT {_PROJECT}/trainings/{{number}}/models/latest/{{model_format}}/file": Entry(
        "manager", files=_MODEL
    ),
    f"POST {_PROJECT}/detectors": Entry("manager", json=REPORT, is_of_devices=True),
    f"GET {_PROJECT}/deployment/target": Entry("viewer", is_of_devices=True),
}
