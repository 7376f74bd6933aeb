"""Ends that are presumed, energy that a person settles, signed values, groups that only stop."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NEW_COLUMNS = (
    ("organisations", "master_pass_group", sa.String),
    ("authorisation_attempts", "purpose", sa.String),
    ("charging_transactions", "measured_wh", sa.BigInteger),
    ("charging_transactions", "presumed", sa.String),
    ("charging_transactions", "settled", sa.String),
    ("charging_transactions", "settled_wh", sa.BigInteger),
    ("charging_transactions", "settled_from_wh", sa.BigInteger),
    ("energy_entries", "meter_wh", sa.BigInteger),
)


def upgrade() -> None:
    """Add columns and tables; old rows keep their meaning."""
    for table, name, kind in NEW_COLUMNS:
        op.add_column(table, sa.Column(name, kind(), nullable=True))
    op.execute("UPDATE charging_transactions SET measured_wh = energy_wh")
    op.create_index(
        op.f("ix_charging_transactions_organisation_id_review"),
        "charging_transactions",
        ["organisation_id", "review"],
    )
    _booked_so_far()
    _decisions()
    _signed_values()


def _booked_so_far() -> None:
    """Say of every old entry how much metered energy it stands for, so that a correction knows."""
    op.execute(
        "UPDATE energy_entries SET meter_wh = COALESCE((SELECT charging_transactions.energy_wh"
        " FROM charging_transactions WHERE 'charging_transaction:' || charging_transactions.id"
        " = energy_entries.cause), 0) WHERE kind = 'charging'"
    )


def _decisions() -> None:
    op.create_table(
        "charging_transaction_decisions",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("charging_transaction_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("after_frame", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("by_person_id", sa.String(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["charging_transaction_id"],
            ["charging_transactions.id"],
            name=op.f("fk_charging_transaction_decisions_charging_transaction_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_charging_transaction_decisions_organisation_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charging_transaction_decisions")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_charging_transaction_decisions_charging_transaction_id"),
        "charging_transaction_decisions",
        ["charging_transaction_id"],
    )


def _signed_values() -> None:
    op.create_table(
        "signed_meter_values",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("evse_id", sa.Integer(), nullable=False),
        sa.Column("charging_transaction_id", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("context", sa.String(), nullable=False),
        sa.Column("encoding", sa.String(), nullable=True),
        sa.Column("public_key", sa.Text(), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_signed_meter_values_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signed_meter_values")),
        sa.UniqueConstraint(
            "charging_station",
            "at",
            "evse_id",
            "digest",
            name=op.f("uq_signed_meter_values_charging_station_at_evse_id_digest"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_signed_meter_values_charging_transaction_id"),
        "signed_meter_values",
        ["charging_transaction_id"],
    )
