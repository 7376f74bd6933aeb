"""The first schema: every table, and the booking guard."""

from __future__ import annotations

from alembic import op

from supervision.store import booking_guard
from supervision.store.schema import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, then the guard."""
    bind = op.get_bind()
    metadata.create_all(bind)
    for statement in booking_guard.statements(bind.dialect.name):
        op.execute(statement)
