"""Trainers that are still to be told that their training is not wanted any more."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create dismissals."""
    op.create_table(
        "dismissals",
        *(
            sa.Column(name, sa.String(), primary_key=True)
            for name in ("trainer_id", "organization", "project")
        ),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
    )
