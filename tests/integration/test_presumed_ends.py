"""Charges whose end was lost: ended on evidence, revised by whatever is told later, the same when rebuilt."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import select

from supervision.clock import FixedClock
from supervision.csms.decisions import decision_from
from supervision.csms.frame import Version
from supervision.csms.machine import ChargingTransaction
from supervision.csms.presuming import PresumingService
from supervision.csms.rebuilding import JournalDecision, JournalFrame, rebuild
from supervision.csms.store import charging_transaction_from
from supervision.kernel.timespan import format_instant
from supervision.kernel.units import watts
from supervision.store import schema
from supervision.store.db import Database
from tests import factories
from tests.integration.ocpp_client import (
    V16,
    V201,
    ChargePoint,
    Server,
    central_system,
    until,
    write_stations,
)

POWER = {1: watts(32, 3), 2: watts(32, 3)}


async def rows(db: Database, table: Any = schema.charging_transactions) -> list[Mapping[str, Any]]:
    async with db.read(factories.TESTS) as reader:
        return list(await reader.all(select(table).order_by(table.c.id)))


async def events(db: Database) -> list[str]:
    return [row["name"] for row in await rows(db, schema.outbox_events) if "Transaction" in row["name"]]


def sweep(db: Database, clock: FixedClock, server: Server) -> PresumingService:
    return PresumingService(db=db, clock=clock, registry=server.central.service.registry)


async def status(point: ChargePoint, clock: FixedClock, word: str, connector: int = 1) -> None:
    told = {
        "connectorId": connector,
        "errorCode": "NoError",
        "status": word,
        "timestamp": format_instant(clock.now()),
    }
    await point.answer("StatusNotification", told)


async def start(point: ChargePoint, clock: FixedClock, meter: int = 1000) -> int:
    told = {
        "connectorId": 1,
        "idTag": "04A1B2C3",
        "meterStart": meter,
        "timestamp": format_instant(clock.now()),
    }
    number: int = (await point.answer("StartTransaction", told))["transactionId"]
    return number


async def reading(point: ChargePoint, clock: FixedClock, number: int, wh: int) -> None:
    value = {"timestamp": format_instant(clock.now()), "sampledValue": [{"value": str(wh)}]}
    told = {"connectorId": 1, "transactionId": number, "meterValue": [value]}
    assert await point.answer("MeterValues", told) == {}


async def stop(point: ChargePoint, clock: FixedClock, number: int, meter: int) -> None:
    told = {"transactionId": number, "meterStop": meter, "timestamp": format_instant(clock.now())}
    assert await point.answer("StopTransaction", told) == {}


async def gone(server: Server) -> None:
    """Wait until the station is known to be away."""
    await until(lambda: server.central.service.registry.get("CP16") is None)
    await server.central.service.probe()  # commits after the row that says that it left


async def same_when_rebuilt(db: Database, version: Version) -> None:
    """The journals of frames and of decisions give the live rows."""
    live = {row["id"]: row for row in await rows(db)}
    journal = [
        JournalFrame(id=row["id"], at=row["at"], direction=row["direction"], text=row["frame"])
        for row in await rows(db, schema.frames)
    ]
    decisions = [
        JournalDecision(
            after_frame=row["after_frame"],
            ocpp_transaction_id=live[row["charging_transaction_id"]]["ocpp_transaction_id"],
            decision=decision_from(row),
        )
        for row in await rows(db, schema.charging_transaction_decisions)
    ]
    expected: dict[str, ChargingTransaction] = {
        row["ocpp_transaction_id"]: charging_transaction_from(row) for row in live.values()
    }
    assert rebuild(journal, version, POWER, decisions) == expected


async def test_a_free_evse_ends_the_charge_at_its_last_reading(db: Database, clock: FixedClock) -> None:
    await write_stations(db)
    async with central_system(db, clock) as server, server.station() as point:
        presuming = sweep(db, clock, server)
        number = await start(point, clock)
        clock.advance(minutes=30)
        await reading(point, clock, number, 4000)
        read_at = clock.now()
        clock.advance(minutes=10)
        await status(point, clock, "Available")
        clock.advance(minutes=14)
        assert await presuming.end_due() == 0
        clock.advance(minutes=1)
        assert await presuming.end_due() == 1
        assert await presuming.end_due() == 0
        connection = server.central.service.registry.get("CP16")
        assert connection is not None
        assert connection.open_transactions == {}
    (row,) = await rows(db)
    assert (row["state"], row["presumed"], row["stop_reason"]) == ("ended", "idle", "Presumed idle")
    assert (row["stopped_at"], row["energy_wh"]) == (read_at, 3000)
    assert row["review"] == "presumed_end,no_stop_reading"
    assert await events(db) == ["ChargingTransactionStarted", "ChargingTransactionEnded"]
    await same_when_rebuilt(db, Version.V16)


async def test_a_late_stop_revises_register_energy_and_time(sqlite_db: Database, clock: FixedClock) -> None:
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, clock) as server, server.station() as point:
        number = await start(point, clock)
        clock.advance(minutes=30)
        await status(point, clock, "Available")
        clock.advance(minutes=15)
        assert await sweep(sqlite_db, clock, server).end_due() == 1
        assert [row["presumed"] for row in await rows(sqlite_db)] == ["never_started"]
        await stop(point, clock, number, 6000)
    (row,) = await rows(sqlite_db)
    assert (row["presumed"], row["stopped_at"], row["energy_wh"]) == (None, clock.now(), 5000)
    assert (row["stop_reason"], row["review"]) == ("Local", None)
    await same_when_rebuilt(sqlite_db, Version.V16)


async def test_a_later_reading_resumes_the_charge(sqlite_db: Database, clock: FixedClock) -> None:
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, clock) as server, server.station() as point:
        number = await start(point, clock)
        clock.advance(minutes=1)
        await status(point, clock, "Available")
        clock.advance(minutes=15)
        assert await sweep(sqlite_db, clock, server).end_due() == 1
        await reading(point, clock, number, 1500)
        (row,) = await rows(sqlite_db)
        assert (row["state"], row["presumed"], row["stopped_at"], row["energy_wh"]) == (
            "open",
            None,
            None,
            None,
        )
        clock.advance(minutes=1)
        await reading(point, clock, number, 1700)
    assert [row["meter_last_wh"] for row in await rows(sqlite_db)] == [1700]
    assert (await events(sqlite_db))[1:] == ["ChargingTransactionEnded", "ChargingTransactionResumed"]
    await same_when_rebuilt(sqlite_db, Version.V16)


async def test_the_next_charge_at_the_same_evse_ends_the_one_before(db: Database, clock: FixedClock) -> None:
    await write_stations(db)
    async with central_system(db, clock) as server, server.station() as point:
        first = await start(point, clock)
        clock.advance(minutes=30)
        await reading(point, clock, first, 4000)
        clock.advance(hours=1)
        second = await start(point, clock, meter=4200)
        clock.advance(minutes=5)
        await reading(point, clock, second, 4300)
        assert await sweep(db, clock, server).end_due() == 1
    assert [(row["presumed"], row["energy_wh"]) for row in await rows(db)] == [
        ("superseded", 3000),
        (None, None),
    ]
    await same_when_rebuilt(db, Version.V16)


async def test_a_station_away_for_two_weeks_ends_its_charges(sqlite_db: Database, clock: FixedClock) -> None:
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, clock) as server:
        presuming = sweep(sqlite_db, clock, server)
        async with server.station() as point:
            number = await start(point, clock)
            clock.advance(minutes=30)
            await reading(point, clock, number, 4000)
        await gone(server)
        clock.advance(days=13, hours=23)
        assert await presuming.end_due() == 0
        clock.advance(hours=1)
        assert await presuming.end_due() == 1
        async with server.station() as point:
            await stop(point, clock, number, 9000)
    assert [(row["presumed"], row["energy_wh"]) for row in await rows(sqlite_db)] == [(None, 8000)]
    await same_when_rebuilt(sqlite_db, Version.V16)


async def test_a_charge_of_ocpp_2_ends_where_its_last_event_stood(db: Database, clock: FixedClock) -> None:
    await write_stations(db)

    def event(kind: str, seq: int, wh: int) -> dict[str, Any]:
        at = format_instant(clock.now())
        return {
            "eventType": kind,
            "timestamp": at,
            "triggerReason": "Trigger",
            "seqNo": seq,
            "transactionInfo": {"transactionId": "tx-1"},
            "evse": {"id": 1, "connectorId": 1},
            "meterValue": [{"timestamp": at, "sampledValue": [{"value": wh}]}],
        }

    async with central_system(db, clock) as server, server.station("CS201", V201) as point:
        await point.answer("TransactionEvent", event("Started", 0, 1000))
        clock.advance(minutes=20)
        await point.answer("TransactionEvent", event("Updated", 1, 2000))
        told_at = clock.now()
        clock.advance(minutes=1)
        free = {
            "timestamp": format_instant(clock.now()),
            "connectorStatus": "Available",
            "evseId": 1,
            "connectorId": 1,
        }
        await point.answer("StatusNotification", free)
        clock.advance(minutes=15)
        assert await sweep(db, clock, server).end_due() == 1
        (row,) = await rows(db)
        assert (row["presumed"], row["stopped_at"], row["energy_wh"]) == ("idle", told_at, 1000)
        await same_when_rebuilt(db, Version.V201)
        assert await point.answer("TransactionEvent", event("Ended", 2, 3000)) == {"totalCost": 0.0}
    assert [(row["presumed"], row["energy_wh"]) for row in await rows(db)] == [(None, 2000)]
    await same_when_rebuilt(db, Version.V201)


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_is_lost_and_whenever_the_sweep_runs_the_journals_give_the_rows(
    sqlite_db: Database, clock: FixedClock, seed: int
) -> None:
    draw = random.Random(seed)
    await write_stations(sqlite_db)
    presumed = 0
    async with central_system(sqlite_db, clock) as server:
        presuming = sweep(sqlite_db, clock, server)
        for n in range(10):
            async with server.station("CP16", V16, boot=n == 0) as point:
                number, wh = await start(point, clock, meter=1000 * n), 1000 * n
                steps = ["read", "read", "free", "sweep", "sweep", "stop", "none", "none"]
                for step in draw.sample(steps, k=6):
                    clock.advance(minutes=draw.randrange(25))
                    if step == "read":
                        wh += 201 + draw.randrange(200)  # less may be kWh, which no journal can tell
                        await reading(point, clock, number, wh)
                    elif step == "free":
                        await status(point, clock, "Available")
                    elif step == "stop":
                        await stop(point, clock, number, 1000 * n + 900)
                    elif step == "sweep":
                        presumed += await presuming.end_due()
        await gone(server)
        clock.advance(days=15)
        presumed += await presuming.end_due()
    assert presumed > 0
    assert {row["state"] for row in await rows(sqlite_db)} == {"ended"}
    await same_when_rebuilt(sqlite_db, Version.V16)
