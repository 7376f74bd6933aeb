"""The first schema: every table, the booking guard and the invoice guard."""

from __future__ import annotations

from alembic import op

from supervision.store import booking_guard, invoice_guard
from supervision.store.schema import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, then the guards."""
    bind = op.get_bind()
    metadata.create_all(bind)
    guards = (booking_guard, invoice_guard)
    for statement in (text for guard in guards for text in guard.statements(bind.dialect.name)):
        op.execute(statement)
