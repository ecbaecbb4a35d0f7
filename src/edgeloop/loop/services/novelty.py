"""How novel images are, as somebody outside has found: the higher, the less like those known."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select, update

from edgeloop.loop.db.expressions import Tested
from edgeloop.loop.db.tables import ImageRow
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.workspace import Workspace

_AT_ONCE = 500


async def score(workspace: Workspace, project: Project, scores: Mapping[str, float]) -> int:
    """Keep the scores by image id; says how many of the images are in the project."""
    ids = list(scores)
    scored = 0
    for start in range(0, len(ids), _AT_ONCE):
        known = await _known(workspace, project, ids[start : start + _AT_ONCE])
        rows = [{"id": id_, "novelty": scores[id_]} for id_ in known]
        if rows:
            await workspace.session.execute(update(ImageRow), rows)
        scored += len(rows)
    return scored


async def _known(workspace: Workspace, project: Project, ids: Sequence[str]) -> Sequence[str]:
    query = select(ImageRow.id).where(
        Tested(ImageRow.project_id) == project.id, ImageRow.id.in_(ids)
    )
    return (await workspace.session.scalars(query)).all()
