"""Accounts that are disabled; where sessions come from. Those of devices are kept no more."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add ``accounts.is_disabled``, ``sessions.address`` and ``sessions.agent``."""
    op.add_column(
        "accounts",
        sa.Column("is_disabled", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    for name in ("address", "agent"):
        op.add_column("sessions", sa.Column(name, sa.String(), nullable=False, server_default=""))
    op.execute("DELETE FROM sessions WHERE account_id IS NULL")
