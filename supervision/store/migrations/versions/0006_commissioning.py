"""Unknown stations, local lists, wished settings, held boots, probes and what they found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the new tables and columns."""
    with op.batch_alter_table("charging_stations") as table:
        table.add_column(sa.Column("boot_policy", sa.String(), nullable=True))
        table.add_column(sa.Column("registration", sa.String(), nullable=True))
        table.add_column(sa.Column("held_at", sa.BigInteger(), nullable=True))
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
    op.create_table(
        "desired_settings",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("ocpp", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("vendor", sa.String(), nullable=True),
        sa.Column("model", sa.String(), nullable=True),
        sa.Column("firmware", sa.String(), nullable=True),
        sa.Column("charging_station", sa.String(), nullable=True),
        sa.Column("by_person_id", sa.String(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["charging_station"],
            ["charging_stations.identity"],
            name=op.f("fk_desired_settings_charging_station"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_desired_settings_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desired_settings")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_desired_settings_organisation_id_ocpp_name"),
        "desired_settings",
        ["organisation_id", "ocpp", "name"],
    )
    op.create_table(
        "station_configurations",
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("checked_at", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("writes", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["charging_station"],
            ["charging_stations.identity"],
            name=op.f("fk_station_configurations_charging_station"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_station_configurations_organisation_id"),
        ),
        sa.PrimaryKeyConstraint("charging_station", name=op.f("pk_station_configurations")),
    )
    op.create_index(
        op.f("ix_station_configurations_organisation_id"), "station_configurations", ["organisation_id"]
    )
    op.create_index(op.f("ix_station_configurations_due_at"), "station_configurations", ["due_at"])
    op.create_table(
        "probes",
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("asked", sa.Boolean(), nullable=False),
        sa.Column("command_id", sa.String(), nullable=True),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("by_person_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["charging_station"], ["charging_stations.identity"], name=op.f("fk_probes_charging_station")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_probes_organisation_id")
        ),
        sa.PrimaryKeyConstraint("charging_station", name=op.f("pk_probes")),
    )
    op.create_index(op.f("ix_probes_organisation_id"), "probes", ["organisation_id"])
    op.create_table(
        "quirk_profiles",
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("vendor", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("firmware", sa.String(), nullable=False),
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("learnt_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_quirk_profiles_organisation_id")
        ),
        sa.PrimaryKeyConstraint(
            "organisation_id", "vendor", "model", "firmware", name=op.f("pk_quirk_profiles")
        ),
    )
