"""What a loop can be asked: functions that build a Call, a module per resource."""

from edgeloop.client.calls import (
    annotations,
    conversions,
    deployments,
    images,
    members,
    models,
    nodes,
    novelty,
    projects,
    tokens,
    trainings,
    users,
)

__all__ = [
    "annotations",
    "conversions",
    "deployments",
    "images",
    "members",
    "models",
    "nodes",
    "novelty",
    "projects",
    "tokens",
    "trainings",
    "users",
]
