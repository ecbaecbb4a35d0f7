"""Detections in the order of their confidence can be tested for a category, too."""

from alembic import op

revision = "0007"
down_revision = "0006"

_NAME = "ix_detections_by_confidence"


def upgrade() -> None:
    """Make the index anew, with one column more."""
    op.drop_index(_NAME, "detections")
    columns = ["project_id", "model_version", "max_confidence", "number", "categories"]
    op.create_index(_NAME, "detections", columns)
