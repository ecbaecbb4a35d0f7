"""What is lost is written down before it is taken out: enough to bring it back by an upload."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import select

from edgeloop import durable
from edgeloop.loop.db.tables import ImageRow, ModelFileRow, ModelRow
from edgeloop.loop.services import detections, images, projects
from edgeloop.loop.services.projects import Project
from edgeloop.loop.services.workspace import Workspace
from edgeloop.protocol.payloads.images import image_metadata_to_json
from edgeloop.types import Detections, ImageMetadata

README = """\
What 'edgeloop loop --check --repair' took out of the loop, which uses nothing here any more.

lost.json   images and models whose files are missing or damaged, and rows that belonged to nothing.
images/     the damaged files, and files that no row needed, as they were found. So are models/.
ORGANIZATION/PROJECT/ID.json
            what the loop knew of a lost image: annotations, detections, tags, state, set.

To bring an image back, find its JPEG (lost.json has the SHA-256 of its bytes), put it beside its
JSON file as ID.jpg, and upload both as somebody who may annotate:

    curl -H "Authorization: Bearer TOKEN" -F files=@ID.json -F files=@ID.jpg \\
        HOST/api/ORGANIZATION/projects/PROJECT/images

To bring a model back, upload its files (lost.json has the model's id):

    curl -H "Authorization: Bearer TOKEN" -X PUT -F files=@WEIGHTS -F files=@model.json \\
        HOST/api/ORGANIZATION/projects/PROJECT/models/MODEL_ID/FORMAT/file

When nobody misses anything, delete this folder.
"""


@dataclass(frozen=True, slots=True)
class Losses:
    """What is taken out, as JSON; ``metadata`` are files to be uploaded again, by their path."""

    images: list[Mapping[str, Any]] = field(default_factory=list)
    models: list[Mapping[str, Any]] = field(default_factory=list)
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    metadata: dict[str, Mapping[str, Any]] = field(default_factory=dict)


async def add_images(
    workspace: Workspace, losses: Losses, content_hashes: Collection[str]
) -> Sequence[str]:
    """Describe all images with these contents; returns their ids."""
    query = select(ImageRow).where(ImageRow.content_hash.in_(content_hashes))
    rows = (await workspace.session.scalars(query)).all()
    for row in rows:
        project = await projects.by_id(workspace, row.project_id)
        metadata = await _metadata_of(workspace, project, row)
        losses.metadata[f"{project.address}/{row.id}.json"] = metadata
        losses.images.append(
            {
                "id": row.id,
                "project": project.address,
                "frame_id": row.frame_id,
                "sha256": row.content_hash,
                "size_bytes": row.size_bytes,
                "received": row.received.isoformat(),
            }
        )
    return [row.id for row in rows]


async def add_models(
    workspace: Workspace, losses: Losses, storage_keys: Collection[str]
) -> Sequence[ModelFileRow]:
    """Describe all files of models that lie under these keys; returns their rows."""
    query = select(ModelFileRow, ModelRow).join(ModelRow)
    query = query.where(ModelFileRow.storage_key.in_(storage_keys))
    found = (await workspace.session.execute(query)).all()
    for file, model in found:
        project = await projects.by_id(workspace, model.project_id)
        losses.models.append(
            {
                "model_id": model.id,
                "project": project.address,
                "version": model.version,
                "format": file.format,
                "sha256": file.content_hash,
                "size_bytes": file.size_bytes,
            }
        )
    return [file for file, _ in found]


def write(losses: Losses, folder: Path) -> None:
    """Write them down in a new folder, durably. Blocking."""
    with durable.draft_of(folder) as draft:
        draft.mkdir()
        (draft / "README.txt").write_text(README)
        summary = {"images": losses.images, "models": losses.models, "rows": losses.rows}
        (draft / "lost.json").write_text(json.dumps(summary, indent=1, default=str))
        for path, document in losses.metadata.items():
            (draft / path).parent.mkdir(parents=True, exist_ok=True)
            (draft / path).write_text(json.dumps(document, indent=1))


async def _metadata_of(workspace: Workspace, project: Project, row: ImageRow) -> dict[str, Any]:
    image = await images.in_project(workspace, project, image_id=row.id)
    seen = (await detections.of_image(workspace, row.id)).values()
    record = image.record
    return image_metadata_to_json(
        ImageMetadata(
            frame_id=record.frame_id,
            detections=Detections(
                boxes=tuple(chain.from_iterable(each.boxes for each in seen)),
                points=tuple(chain.from_iterable(each.points for each in seen)),
                segmentations=tuple(chain.from_iterable(each.segmentations for each in seen)),
                classifications=tuple(chain.from_iterable(each.classifications for each in seen)),
            ),
            annotations=record.annotations,
            tags=record.tags,
            source=record.source,
            created=record.created,
            camera_id=image.camera_id,
            state=record.state,
            split=record.split,
        )
    )
