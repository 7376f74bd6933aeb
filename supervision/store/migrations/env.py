"""Alembic's entry point; `supervision.store.migrate` hands over a connection."""

from __future__ import annotations

from alembic import context

from supervision.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
