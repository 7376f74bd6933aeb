"""The migrations end where the schema says, on both databases."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from supervision.clock import FixedClock
from supervision.csms.model import ReadingKind
from supervision.csms.store import digest, encode_readings
from supervision.kernel.timespan import to_millis
from supervision.store import migrate as migrations
from supervision.store.db import Database, Tx, driver_url
from supervision.store.migrate import current, head, migrate
from supervision.store.schema import (
    charging_transactions,
    energy_entries,
    metadata,
    meter_values,
    vehicles,
)
from tests import factories
from tests.factories import TESTS

BY_THE_GUARD = {"ix_bookings_holding"}  # made by booking_guard: no part of the metadata


def differences(connection: Connection) -> list[Any]:
    """Return what would have to change for the database to match the schema."""

    def wanted(_item: object, name: str | None, *_: object) -> bool:
        return name not in BY_THE_GUARD

    options = {"include_object": wanted, "compare_type": True, "compare_server_default": True}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, metadata))


async def differences_in(url: str) -> list[Any]:
    """Compare the database at `url` with the schema."""
    engine = create_async_engine(driver_url(url))
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(differences)
    finally:
        await engine.dispose()


async def test_migrated_database_matches_the_schema(bare_database_url: str) -> None:
    await migrate(bare_database_url)
    assert await differences_in(bare_database_url) == []


async def test_database_without_tables_differs(bare_database_url: str) -> None:
    assert len(await differences_in(bare_database_url)) >= len(metadata.tables)


async def test_revision_is_told_before_and_after(bare_database_url: str) -> None:
    assert await current(bare_database_url) is None
    await migrate(bare_database_url)
    assert await current(bare_database_url) == head()


async def test_migrating_twice_changes_nothing(bare_database_url: str, clock: FixedClock) -> None:
    await migrate(bare_database_url)
    async with Database.open(bare_database_url, clock=clock) as db:
        await factories.write_service(db)
    await migrate(bare_database_url)
    async with Database.open(bare_database_url, clock=clock) as db, db.read(TESTS) as reader:
        assert await reader.scalar(select(vehicles.c.id)) == "car-1"


def test_migrations_form_one_line() -> None:
    script = ScriptDirectory.from_config(migrations._config())
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1


async def test_interrupted_migration_leaves_nothing(bare_database_url: str, monkeypatch: Any) -> None:
    def failing(_dialect: str) -> tuple[str, ...]:
        return ("CREATE NONSENSE",)

    with monkeypatch.context() as patch:
        patch.setattr("supervision.store.booking_guard.statements", failing)
        with pytest.raises(Exception, match="NONSENSE"):
            await migrate(bare_database_url)
    await migrate(bare_database_url)
    assert await differences_in(bare_database_url) == []


OLD_READINGS = (
    # station, EVSE, at, received, charging transaction, measurand, phase, unit, thousandths
    ("A", 1, 1000, 1500, 7, "Energy.Active.Import.Register", "", "Wh", 3_500_400),
    ("A", 1, 1000, 1500, 7, "Power.Active.Import", "", "W", 7_359_500),
    ("A", 1, 1000, 1500, 7, "Voltage", "L1-N", "V", 231_400),
    ("A", 1, 2000, 2500, 7, "Current.Import", "L1", "A", 16_000),
    ("A", 2, 1000, 1500, None, "Power.Active.Import", "", "W", 0),
    ("B", 1, 1000, 1500, None, "SoC", "", "Percent", 80_500),
)
INSERT_OLD = """
INSERT INTO meter_values
    (organisation_id, charging_station, evse_id, at, received_at, charging_transaction_id,
     measurand, phase, unit, value_milli, location, context)
VALUES
    ('org', :station, :evse, :at, :received, :tx,
     :measurand, :phase, :unit, :milli, 'Outlet', 'Sample.Periodic')
"""
OLD_FIELDS = ("station", "evse", "at", "received", "tx", "measurand", "phase", "unit", "milli")


async def test_single_readings_become_one_row_an_instant(bare_database_url: str, clock: FixedClock) -> None:
    await migrate(bare_database_url, to="0001")
    async with Database.open(bare_database_url, clock=clock) as db:
        await db.write(TESTS, factories.organisation)

        async def old(tx: Tx) -> None:
            await tx.execute(
                text(INSERT_OLD), [dict(zip(OLD_FIELDS, row, strict=True)) for row in OLD_READINGS]
            )

        await db.write(TESTS, old)
    await migrate(bare_database_url)
    async with Database.open(bare_database_url, clock=clock) as db, db.read(TESTS) as reader:
        rows = await reader.all(select(meter_values).order_by(meter_values.c.id))
    assert [
        (row["charging_station"], row["evse_id"], to_millis(row["at"]), to_millis(row["received_at"]))
        for row in rows
    ] == [("A", 1, 1000, 1500), ("A", 2, 1000, 1500), ("A", 1, 2000, 2500), ("B", 1, 1000, 1500)]
    assert [(row["charging_transaction_id"], row["register_wh"], row["power_w"]) for row in rows] == [
        (7, 3500, 7360),
        (None, None, 0),
        (7, None, None),
        (None, None, None),
    ]
    assert rows[0]["readings"] == [
        ["Energy.Active.Import.Register", 3_500_400, "Wh", "", "Outlet", "Sample.Periodic"],
        ["Power.Active.Import", 7_359_500, "W", "", "Outlet", "Sample.Periodic"],
        ["Voltage", 231_400, "V", "L1-N", "Outlet", "Sample.Periodic"],
    ]


async def test_carried_over_sample_is_the_one_its_station_sends_again(
    bare_database_url: str, clock: FixedClock
) -> None:
    kind = ReadingKind("SoC", "Percent")
    readings = encode_readings([(kind, 80_500)])
    await migrate(bare_database_url, to="0001")
    async with Database.open(bare_database_url, clock=clock) as db:
        await db.write(TESTS, factories.organisation)

        async def old(tx: Tx) -> None:
            await tx.execute(text(INSERT_OLD), [dict(zip(OLD_FIELDS, OLD_READINGS[-1], strict=True))])

        await db.write(TESTS, old)
    await migrate(bare_database_url)
    async with Database.open(bare_database_url, clock=clock) as db, db.read(TESTS) as reader:
        assert await reader.scalar(select(meter_values.c.digest)) == digest(readings)


async def test_sqlite_commits_are_as_durable_as_promised(sqlite_db: Database, sqlite_url: str) -> None:
    """WAL with synchronous=FULL: a commit is on the disk before anybody hears of it."""
    await sqlite_db.write(TESTS, factories.organisation)

    def mode() -> str:
        connection = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
        try:
            return str(connection.execute("PRAGMA journal_mode").fetchone()[0])
        finally:
            connection.close()

    # Asked of the very connection that commits: the writer keeps it.
    full = await sqlite_db.write(TESTS, lambda tx: tx.scalar(text("PRAGMA synchronous")))
    assert await asyncio.to_thread(mode) == "wal"
    assert full == 2


OLD_CHARGE = """
INSERT INTO charging_transactions
    (id, organisation_id, charging_station, evse_id, connector_id, ocpp, ocpp_transaction_id, natural_key,
     state, started_at, started_received_at, energy_wh, start_told, stop_register_told)
VALUES (7, 'org', 'CP16', 1, 1, '1.6', '7', 'k7', 'ended', 1000, 1000, 5000, true, true)
"""
OLD_ENTRY = """
INSERT INTO energy_entries (organisation_id, vehicle_id, at, kind, cause, delta_wh, stored_wh, uncertainty_wh)
VALUES ('org', 'car-1', 1000, :kind, :cause, 4500, 30000, 100)
"""


async def test_old_charges_say_what_was_measured_and_what_was_booked(
    bare_database_url: str, clock: FixedClock
) -> None:
    await migrate(bare_database_url, to="0002")
    place = text("INSERT INTO organisations (id, name, legal, created_at) VALUES ('org', 'Org', '{}', 0)")

    async def old(tx: Tx) -> None:
        await tx.execute(place)
        await factories.community(tx)
        await factories.station(tx)
        await factories.charging_station(tx)
        await factories.vehicle(tx)
        await tx.execute(text(OLD_CHARGE))
        for kind, cause in (
            ("charging", "charging_transaction:7"),
            ("charging", "charging_transaction:8"),
            ("trip", "booking:b1"),
        ):
            await tx.execute(text(OLD_ENTRY), [{"kind": kind, "cause": cause}])

    async with Database.open(bare_database_url, clock=clock) as db:
        await db.write(TESTS, old)
    await migrate(bare_database_url)
    async with Database.open(bare_database_url, clock=clock) as db, db.read(TESTS) as reader:
        assert await reader.scalar(select(charging_transactions.c.measured_wh)) == 5000
        booked = await reader.all(select(energy_entries.c.meter_wh).order_by(energy_entries.c.id))
    assert [row["meter_wh"] for row in booked] == [5000, 0, None]
