"""Passwords on their way, ordered security profiles, certificates of charging stations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add columns that may be empty, and the table of certificates."""
    for column in (
        sa.Column("password_rotated_at", sa.BigInteger(), nullable=True),
        sa.Column("next_password_salt", sa.LargeBinary(), nullable=True),
        sa.Column("next_password_hash", sa.LargeBinary(), nullable=True),
        sa.Column("next_password_command", sa.String(), nullable=True),
        sa.Column("next_password_after_reboot", sa.Boolean(), nullable=True),
        sa.Column("wanted_profile", sa.Integer(), nullable=True),
        sa.Column("installed_certificates", sa.JSON(), nullable=True),
    ):
        op.add_column("charging_stations", column)
    op.create_table(
        "station_certificates",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("csr", sa.Text(), nullable=False),
        sa.Column("csr_digest", sa.String(), nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=True),
        sa.Column("serial", sa.String(), nullable=True),
        sa.Column("fingerprint", sa.String(), nullable=True),
        sa.Column("not_before", sa.BigInteger(), nullable=True),
        sa.Column("not_after", sa.BigInteger(), nullable=True),
        sa.Column("command_id", sa.String(), nullable=True),
        sa.Column("installed_at", sa.BigInteger(), nullable=True),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["charging_station"],
            ["charging_stations.identity"],
            name=op.f("fk_station_certificates_charging_station"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_station_certificates_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_station_certificates")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_station_certificates_organisation_id_charging_station"),
        "station_certificates",
        ["organisation_id", "charging_station"],
    )
    op.create_index(op.f("ix_station_certificates_fingerprint"), "station_certificates", ["fingerprint"])
