"""Stations that knocked and are not registered; the local authorisation lists of those that are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the new tables."""
    op.create_table(
        "unknown_stations",
        sa.Column("identity", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("offered", sa.JSON(), nullable=False),
        sa.Column("sent_password", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("identity", name=op.f("pk_unknown_stations")),
    )
    op.create_index(op.f("ix_unknown_stations_last_seen_at"), "unknown_stations", ["last_seen_at"])
    op.create_table(
        "local_lists",
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("known", sa.JSON(), nullable=False),
        sa.Column("excluded", sa.JSON(), nullable=False),
        sa.Column("command_id", sa.String(), nullable=True),
        sa.Column("sent", sa.JSON(), nullable=True),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["charging_station"],
            ["charging_stations.identity"],
            name=op.f("fk_local_lists_charging_station"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_local_lists_organisation_id")
        ),
        sa.PrimaryKeyConstraint("charging_station", name=op.f("pk_local_lists")),
    )
    op.create_index(op.f("ix_local_lists_organisation_id"), "local_lists", ["organisation_id"])
