"""Commands that are due later, tried again, sent to many stations, and known by a key of their sender."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what the queue needs; commands of the past were tried once."""
    for column in (
        sa.Column("ocpp", sa.String(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("tries_allowed", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("batch_id", sa.String(), nullable=True),
        sa.Column("idempotency_key", sa.String(), nullable=True),
        sa.Column("fingerprint", sa.String(), nullable=True),
    ):
        op.add_column("commands", column)
    op.execute("UPDATE commands SET tries = 1 WHERE sent_at IS NOT NULL")
    # What was sent is judged by the version its station spoke last.
    op.execute(
        "UPDATE commands SET ocpp = (SELECT ocpp FROM charging_stations"
        " WHERE charging_stations.identity = commands.charging_station) WHERE sent_at IS NOT NULL"
    )
    keys = ["organisation_id", "charging_station", "idempotency_key"]
    op.create_index(
        op.f("ix_commands_organisation_id_charging_station_idempotency_key"), "commands", keys, unique=True
    )
    op.create_index(op.f("ix_commands_state_due_at"), "commands", ["state", "due_at"], unique=False)
    op.create_index(op.f("ix_commands_batch_id"), "commands", ["batch_id"], unique=False)
    op.create_table(
        "command_batches",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("by_person_id", sa.String(), nullable=True),
        sa.Column("idempotency_key", sa.String(), nullable=True),
        sa.Column("fingerprint", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_command_batches_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_command_batches")),
    )
    op.create_index(
        op.f("ix_command_batches_organisation_id_created_at"),
        "command_batches",
        ["organisation_id", "created_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_command_batches_organisation_id_idempotency_key"),
        "command_batches",
        ["organisation_id", "idempotency_key"],
        unique=True,
    )
