"""Trainings by number, models by version, nodes by name: what people call them, found."""

from edgeloop.client import LoopClient, items
from edgeloop.client.calls import models, nodes, trainings
from edgeloop.client.calls.records import ModelRecord, NodeRecord, ProjectRecord, TrainingRecord
from edgeloop.errors import InputError, NotFound


def find_training(client: LoopClient, project: ProjectRecord, number: int) -> TrainingRecord:
    """The training of a project with this number; raises NotFound."""
    call = trainings.project_trainings(project.id, after=str(number + 1), limit=1)
    found = client.send(call).items
    if not found or found[0].number != number:
        raise NotFound(f"{_address(project)} has no training {number}: edgeloop training list.")
    return found[0]


def find_model(client: LoopClient, project: ProjectRecord, version: str) -> ModelRecord:
    """The model of a project with this version or id; raises NotFound."""
    found = all_models(client, project)
    named = [model for model in found if version in (model.version, model.id)]
    if not named:
        raise NotFound(f"{_address(project)} has no model {version}: edgeloop model list.")
    return named[0]


def all_models(client: LoopClient, project: ProjectRecord) -> list[ModelRecord]:
    """All models of a project that have files, newest first."""
    return list(items(client, models.project_models(project.id)))


def find_node(client: LoopClient, name: str) -> NodeRecord:
    """The node with this name or id; raises NotFound, and InputError where several have it."""
    found = [node for node in items(client, nodes.nodes()) if name in (node.id, node.name)]
    if not found:
        raise NotFound(f"No node {name} was ever heard from: edgeloop node list.")
    if len(found) > 1:
        ids = ", ".join(node.id for node in found)
        raise InputError(f"{len(found)} nodes are called {name}: name one by its id ({ids}).")
    return found[0]


def _address(project: ProjectRecord) -> str:
    return f"{project.organization}/{project.name}"
