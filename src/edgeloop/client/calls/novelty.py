"""Calls about how novel images are."""

from collections.abc import Mapping

from edgeloop.client.call import Call
from edgeloop.protocol import routes


def put_novelty_scores(organization: str, project: str, scores: Mapping[str, float]) -> Call[int]:
    """Keep how novel images are, by image id; answers how many of them the project has.

    The higher, the less like what is known: lists are sorted by it (``-novelty``).
    """
    path = f"{routes.images(organization, project)}/novelty_scores"
    return Call("PUT", path, lambda answer: int(answer.json()["images"]), json=dict(scores))
