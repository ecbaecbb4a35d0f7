"""What trainers offer, and whether that is what a training needs."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select

from edgeloop.loop.db.tables import ModelFileRow, NodeRow, TrainingRow
from edgeloop.loop.services.workspace import Workspace
from edgeloop.protocol.payloads.nodes import TrainerStatusPayload


@dataclass(frozen=True, slots=True)
class Need:
    """What a training needs; ``base_formats`` are those of the model that it starts from."""

    variant: str = ""
    model_format: str = ""
    base_formats: Collection[str] | None = None


async def needs(workspace: Workspace, trainings: Collection[TrainingRow]) -> dict[str, Need]:
    """What each of these trainings needs, by its id."""
    bases = {training.base_model_id for training in trainings} - {None}
    query = select(ModelFileRow.model_id, ModelFileRow.format).where(
        ModelFileRow.model_id.in_(bases)
    )
    rows = (await workspace.session.execute(query)).all()
    return {
        training.id: Need(
            training.variant,
            training.model_format,
            [format_ for model_id, format_ in rows if model_id == training.base_model_id]
            if training.base_model_id
            else None,
        )
        for training in trainings
    }


def lacks(trainer: NodeRow, need: Need, *, is_chosen: bool = False) -> str:
    """What is missing for a trainer to do it, in words; empty where nothing is.

    Published trainers do not say which formats they make: where a format is needed they get the
    training only if a person chose them.
    """
    said = TrainerStatusPayload.read(trainer.status).to_type()
    variants = [name for name, *_ in said.variants]
    formats = said.formats or (said.model_format,)
    is_known = said.model_format is not None
    if need.variant and need.variant not in variants and (variants or is_known):
        return f"the variant {need.variant}"
    if need.model_format and need.model_format not in formats and not (is_chosen and not is_known):
        return f"the format {need.model_format}"
    if need.base_formats is not None and is_known and said.model_format not in need.base_formats:
        return f"training from a model in the format {' or '.join(sorted(need.base_formats))}"
    return ""
