"""Runs the migrations over the connection that Database hands in."""

from alembic import context

from edgeloop.loop.db.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
)
with context.begin_transaction():
    context.run_migrations()
