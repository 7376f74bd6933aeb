"""Second backends: whom a charging station's messages are passed on to, their ids, their answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add tables; nothing is passed on before somebody says so."""
    _relays()
    _charging_ids()
    _answers()


def _relays() -> None:
    op.create_table(
        "relays",
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("identity", sa.String(), nullable=False),
        sa.Column("password_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("after_frame", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("connected_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("error_at", sa.BigInteger(), nullable=True),
        sa.Column("delivered", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("lost", sa.BigInteger(), nullable=False),
        sa.Column("own_answers", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["charging_station"], ["charging_stations.identity"], name=op.f("fk_relays_charging_station")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_relays_organisation_id")
        ),
        sa.PrimaryKeyConstraint("charging_station", name=op.f("pk_relays")),
    )
    op.create_index(op.f("ix_relays_organisation_id"), "relays", ["organisation_id"])


def _charging_ids() -> None:
    op.create_table(
        "relay_charging_ids",
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("ours", sa.BigInteger(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("theirs", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["charging_station"],
            ["charging_stations.identity"],
            name=op.f("fk_relay_charging_ids_charging_station"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_relay_charging_ids_organisation_id")
        ),
        sa.PrimaryKeyConstraint("charging_station", "ours", name=op.f("pk_relay_charging_ids")),
    )
    op.create_index(
        op.f("ix_relay_charging_ids_charging_station_theirs"),
        "relay_charging_ids",
        ["charging_station", "theirs"],
    )


def _answers() -> None:
    op.create_table(
        "relay_answers",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("frame_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_relay_answers_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_relay_answers")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_relay_answers_charging_station_id"), "relay_answers", ["charging_station", "id"])
    op.create_index(op.f("ix_relay_answers_at"), "relay_answers", ["at"])
