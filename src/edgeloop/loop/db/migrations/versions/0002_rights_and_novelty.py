"""Roles and tokens of accounts; how novel an image is."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create memberships and tokens, add ``images.novelty``."""
    op.add_column("images", sa.Column("novelty", sa.Double(), nullable=True))
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(36), primary_key=True),
        _belongs_to("accounts", "account_id", of="tokens"),
        _belongs_to("projects", "project_id", of="tokens", nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used", sa.DateTime(timezone=True), nullable=True),
        sa.UniqueConstraint("token_hash", name="uq_tokens_token_hash"),
    )
    op.create_table(
        "memberships",
        sa.Column("id", sa.String(36), primary_key=True),
        _belongs_to("accounts", "account_id", of="memberships"),
        _belongs_to("organizations", "organization_id", of="memberships"),
        _belongs_to("projects", "project_id", of="memberships", nullable=True),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
    )
    for table, columns in (
        ("tokens", ("account_id", "project_id")),
        ("memberships", ("account_id", "organization_id", "project_id")),
    ):
        for column in columns:
            op.create_index(f"ix_{table}_{column}", table, [column])


def _belongs_to(table: str, column: str, *, of: str, nullable: bool = False) -> "sa.Column[str]":
    kind = sa.String() if table == "organizations" else sa.String(36)
    key = sa.ForeignKey(f"{table}.id", name=f"fk_{of}_{column}_{table}", ondelete="CASCADE")
    return sa.Column(column, kind, key, nullable=nullable)
