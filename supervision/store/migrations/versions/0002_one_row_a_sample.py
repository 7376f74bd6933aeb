"""One row for all that a meter said at one instant, instead of one for each of its readings."""

from __future__ import annotations

import json
from hashlib import blake2b
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REGISTER, POWER = "Energy.Active.Import.Register", "Power.Active.Import"
AT_ONCE = 500


def upgrade() -> None:
    """Make the new table beside the old one, carry the readings over, drop the old one."""
    op.rename_table("meter_values", "single_readings")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX pk_meter_values RENAME TO pk_single_readings")
    op.create_table(
        "meter_values",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("charging_station", sa.String(), nullable=False),
        sa.Column("evse_id", sa.Integer(), nullable=False),
        sa.Column("charging_transaction_id", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("power_w", sa.Integer(), nullable=True),
        sa.Column("register_wh", sa.BigInteger(), nullable=True),
        sa.Column("readings", sa.JSON(), nullable=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_meter_values_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meter_values")),
        sa.UniqueConstraint(
            "charging_station",
            "at",
            "evse_id",
            "digest",
            name=op.f("uq_meter_values_charging_station_at_evse_id_digest"),
        ),
        sqlite_autoincrement=True,
    )
    _carry_over(op.get_bind())
    op.drop_table("single_readings")


def _carry_over(connection: sa.Connection) -> None:
    old = sa.Table("single_readings", sa.MetaData(), autoload_with=connection)
    new = sa.Table("meter_values", sa.MetaData(), autoload_with=connection)
    stations = sa.select(old.c.charging_station).distinct().order_by(old.c.charging_station)
    for station in connection.scalars(stations).all():
        mine = sa.select(old).where(old.c.charging_station == station)
        rows = connection.execute(mine.order_by(old.c.at, old.c.evse_id, old.c.received_at, old.c.id))
        samples = [_sample(list(group)) for _, group in groupby(rows.mappings(), key=_instant)]
        for start in range(0, len(samples), AT_ONCE):
            connection.execute(sa.insert(new), samples[start : start + AT_ONCE])


def _instant(row: Any) -> tuple[Any, ...]:
    return row["at"], row["evse_id"], row["received_at"], row["charging_transaction_id"]


def _sample(rows: list[Any]) -> dict[str, Any]:
    fields = ("measurand", "value_milli", "unit", "phase", "location", "context")
    readings = [[row[field] for field in fields] for row in rows]
    text = json.dumps(readings, separators=(",", ":"))
    same = ("organisation_id", "charging_station", "evse_id", "charging_transaction_id", "at", "received_at")
    return {
        **{name: rows[0][name] for name in same},
        "power_w": _total(readings, POWER),
        "register_wh": _total(readings, REGISTER),
        "readings": readings,
        "digest": int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) >> 1,
    }


def _total(readings: list[list[Any]], wanted: str) -> int | None:
    """The total as told, in whole units."""
    totals = [
        milli
        for name, milli, _, phase, place, _ in readings
        if (name, phase, place) == (wanted, "", "Outlet")
    ]
    return (totals[-1] + 500) // 1000 if totals else None
