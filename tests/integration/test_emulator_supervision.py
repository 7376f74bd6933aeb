"""The emulator against the real central system: what the meter said is what the database holds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Table, select

from chargepoint_emulator.emulator import Emulator
from supervision.clock import ScaledClock
from supervision.store.db import Database, across_tenants
from supervision.store.schema import charging_transactions, frames, meter_values
from tests.conftest import NOW
from tests.integration.ocpp_client import SECRET, Server, central_system, write_stations

SPEED = 1800.0
BADGE = "04A1B2C3"
BOTH = pytest.mark.parametrize(("identity", "ocpp"), [("CP16", "1.6"), ("CS201", "2.0.1")])


@pytest.fixture
async def server(sqlite_db: Database) -> AsyncIterator[Server]:
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, ScaledClock(origin=NOW, speed=SPEED)) as running:
        yield running


def emulator(server: Server, identity: str, ocpp: str) -> Emulator:
    return Emulator(
        url=server.url,
        identity=identity,
        ocpp=ocpp,
        password=SECRET,
        evses=2,
        speed=SPEED,
        meter_interval_s=300,
        register_wh=1_000,
        retry_s=(0.01, 0.1),
    )


async def rows(db: Database, table: Table) -> list[dict[str, Any]]:
    async with db.read(across_tenants("tests look at everything")) as reader:
        return [dict(row) for row in await reader.all(select(table))]


def errors_in(cp: Emulator) -> list[str]:
    """Return the CALLERRORs that went either way."""
    return [frame.text for frame in cp.frames if frame.text.startswith("[4,")]


async def quiet(cp: Emulator) -> None:
    await cp.wait_for(lambda cp: cp.online and len(cp.station.queue) == 0)


@BOTH
async def test_session_with_a_lost_line_is_stored_to_the_last_watt_hour(
    server: Server, sqlite_db: Database, identity: str, ocpp: str
) -> None:
    async with emulator(server, identity, ocpp) as cp:
        await cp.connected()
        await cp.plug(1, "zoe-52", soc=20)
        assert await cp.present(1, BADGE) == "Accepted"
        await cp.wait_for(lambda cp: cp.evses[1].energy_wh > 8_000)
        await cp.go_offline()
        await cp.wait_for(lambda cp: cp.evses[1].energy_wh > 15_000)
        await cp.go_online()
        await quiet(cp)
        assert await cp.present(1, BADGE) == "Accepted"
        await cp.unplug(1)
        await quiet(cp)
        register_wh = round(cp.evses[1].energy_wh)
        assert errors_in(cp) == []
    (stored,) = await rows(sqlite_db, charging_transactions)
    assert (stored["state"], stored["meter_start_wh"], stored["meter_stop_wh"]) == (
        "ended",
        1_000,
        register_wh,
    )
    assert (stored["energy_wh"], stored["review"]) == (register_wh - 1_000, None)
    registers = [
        row["register_wh"] for row in await rows(sqlite_db, meter_values) if row["register_wh"] is not None
    ]
    assert len(registers) >= 5
    assert max(registers) <= register_wh
    assert len(await rows(sqlite_db, frames)) > 10


@BOTH
async def test_unknown_badge_is_refused(server: Server, identity: str, ocpp: str) -> None:
    async with emulator(server, identity, ocpp) as cp:
        await cp.connected()
        await cp.plug(2, "spring-25")
        assert await cp.present(2, "FFFFFFFF") in {"Invalid", "Unknown"}
        assert cp.evses[2].charging_transaction_id is None
