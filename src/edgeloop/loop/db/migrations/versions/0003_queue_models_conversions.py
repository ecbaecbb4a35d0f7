"""The order of the queue, logs of trainings, promoted and retired models, conversions."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add columns to projects, trainings, models and deployments; two tables."""
    op.add_column("projects", sa.Column("promoted_model_id", sa.String(), nullable=True))
    op.add_column(
        "projects", sa.Column("wanted_formats", sa.JSON(), nullable=False, server_default="[]")
    )
    op.add_column("trainings", sa.Column("rank", sa.Integer(), nullable=False, server_default="0"))
    op.add_column(
        "trainings", sa.Column("model_format", sa.String(), nullable=False, server_default="")
    )
    op.execute(_RANKS)
    op.add_column("models", sa.Column("retired", sa.DateTime(timezone=True), nullable=True))
    op.add_column("deployments", sa.Column("restores", sa.Integer(), nullable=True))
    _create_tables()


_RANKS = """
UPDATE trainings SET rank = (
  SELECT count(*) FROM trainings AS other
  WHERE other.created < trainings.created
     OR (other.created = trainings.created AND other.number <= trainings.number)
)
"""
"""Those that wait keep the order in which they came."""


def _create_tables() -> None:
    op.create_table(
        "training_logs",
        sa.Column(
            "training_id", sa.String(36), _key("trainings", "training_logs"), primary_key=True
        ),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("received", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "conversions",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("model_id", sa.String(36), _key("models", "conversions"), nullable=False),
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("source_format", "target_format", "converter", "error")
        ),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("model_id", "target_format", name="uq_conversions_model_id"),
    )


def _key(table: str, of: str) -> sa.ForeignKey:
    name = f"fk_{of}_{table[:-1]}_id_{table}"
    return sa.ForeignKey(f"{table}.id", name=name, ondelete="CASCADE")
