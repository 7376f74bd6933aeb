"""What stations tell about themselves, and what they go on doing after an answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "charging_limits",
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("evse_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("grid_critical", sa.Boolean(), nullable=False),
        sa.Column("charging_schedules", sa.JSON(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_charging_limits_organisation_id")
        ),
        sa.PrimaryKeyConstraint("charging_station", "evse_id", "source", name=op.f("pk_charging_limits")),
    )
    op.create_index(
        op.f("ix_charging_limits_organisation_id_charging_station"),
        "charging_limits",
        ["organisation_id", "charging_station"],
        unique=False,
    )
    op.create_table(
        "device_files",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("charging_station", sa.String(), nullable=True),
        sa.Column("command_id", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("complete_at", sa.BigInteger(), nullable=True),
        sa.Column("by_person_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_device_files_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_files")),
    )
    op.create_index(
        op.f("ix_device_files_organisation_id_kind_made_at"),
        "device_files",
        ["organisation_id", "kind", "made_at"],
        unique=False,
    )
    op.create_table(
        "device_notices",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("evse_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("alarming", sa.Boolean(), nullable=False),
        sa.Column("cleared", sa.Boolean(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_device_notices_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_notices")),
        sa.UniqueConstraint("charging_station", "key", name=op.f("uq_device_notices_charging_station_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_device_notices_organisation_id_charging_station_id"),
        "device_notices",
        ["organisation_id", "charging_station", "id"],
        unique=False,
    )
    op.create_table(
        "errands",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("request_id", sa.BigInteger(), nullable=True),
        sa.Column("command_id", sa.String(), nullable=True),
        sa.Column("word", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_errands_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_errands")),
        sa.UniqueConstraint(
            "charging_station", "kind", "request_id", name=op.f("uq_errands_charging_station_kind_request_id")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_errands_organisation_id_charging_station_id"),
        "errands",
        ["organisation_id", "charging_station", "id"],
        unique=False,
    )
    op.create_table(
        "evse_reservations",
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("evse_reservation_id", sa.BigInteger(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("evse_id", sa.Integer(), nullable=False),
        sa.Column("token_hint", sa.String(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("state_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_evse_reservations_organisation_id")
        ),
        sa.PrimaryKeyConstraint("charging_station", "evse_reservation_id", name=op.f("pk_evse_reservations")),
    )
    op.create_index(
        op.f("ix_evse_reservations_organisation_id_charging_station"),
        "evse_reservations",
        ["organisation_id", "charging_station"],
        unique=False,
    )
    op.create_table(
        "errand_pages",
        sa.Column("errand_id", sa.BigInteger(), nullable=False),
        sa.Column("seq_no", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("last", sa.Boolean(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["errand_id"], ["errands.id"], name=op.f("fk_errand_pages_errand_id")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_errand_pages_organisation_id")
        ),
        sa.PrimaryKeyConstraint("errand_id", "seq_no", name=op.f("pk_errand_pages")),
    )
    op.create_table(
        "file_links",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("file_id", sa.String(), nullable=False),
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["file_id"], ["device_files.id"], name=op.f("fk_file_links_file_id")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_file_links_organisation_id")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_file_links")),
    )
    op.create_index(op.f("ix_file_links_file_id"), "file_links", ["file_id"], unique=False)
