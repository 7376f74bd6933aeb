"""When the register was read that stands for the start of a charge."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of old rows nobody has noted it, and they keep the energy that was counted."""
    op.add_column("charging_transactions", sa.Column("meter_start_read_at", sa.BigInteger(), nullable=True))
