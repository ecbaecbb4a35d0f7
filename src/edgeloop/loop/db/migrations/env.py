"""Runs the migrations over the connection that Database hands in."""

from alembic import context

from edgeloop.loop.db import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.ImageRow.metadata,
)
with context.begin_transaction():
    context.run_migrations()
