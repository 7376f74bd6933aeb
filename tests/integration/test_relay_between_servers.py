"""Emulator -> our server -> relay -> a second server of our own: both hold the same charges, to the Wh.

The line between the servers is cut again and again, and the first server is stopped and started in between.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Table, select

from chargepoint_emulator.emulator import Emulator
from supervision.clock import FixedClock, ScaledClock
from supervision.csms.frame import Version
from supervision.csms.relay.model import Owner, Patience
from supervision.ocpp_cs import WebsocketsLink
from supervision.store.db import Database, across_tenants
from supervision.store.schema import charging_transactions, meter_values
from tests.conftest import NOW
from tests.integration.ocpp_client import SECRET, Server, central_system, write_stations
from tests.integration.rebuilt import live_and_rebuilt
from tests.integration.relaying import relaying_system

SPEED = 1800.0
BADGE = "04A1B2C3"
ALL = across_tenants("tests look at everything")
# Seconds of a clock that runs 1800 times too fast: an hour is two seconds of the world.
PATIENCE = Patience(poll_s=0.05, longest_backoff_s=60)
# Instants, and the doubts that follow from them, are left out: at this speed the emulator's clock is minutes
# ahead at times, which the server that hears a message at once corrects; who hears it later cannot tell.
CHARGE = ("evse_id", "id_token", "state", "meter_start_wh", "meter_stop_wh", "energy_wh")
READING = ("evse_id", "register_wh", "readings")


@pytest.fixture
async def there(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """The database of the second server, with the same stations."""
    path = tmp_path / "there.db"
    shutil.copyfile(sqlite_template, path)
    async with Database.open(f"sqlite:///{path}", clock=FixedClock(NOW)) as database:
        await write_stations(database)
        yield database


def emulator(url: str, identity: str, ocpp: str) -> Emulator:
    return Emulator(
        url=url,
        identity=identity,
        ocpp=ocpp,
        password=SECRET,
        evses=2,
        speed=SPEED,
        meter_interval_s=300,
        register_wh=1_000,
        retry_s=(0.01, 0.1),
    )


async def rows(db: Database, table: Table, names: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """Rows in an order that both servers share."""
    async with db.read(ALL) as reader:
        found = await reader.all(select(*[table.c[name] for name in names]))
    return sorted((tuple(row.values()) for row in found), key=repr)


async def cut(second: Server) -> None:
    """Cut every line of the second server, as a broken network does."""
    for connection in second.central.registry:
        assert isinstance(connection.link, WebsocketsLink)
        connection.link._socket.transport.abort()


async def charge(cp: Emulator, evse_id: int, more_wh: int, second: Server) -> None:
    """One charge, the line to the second server cut in its middle."""
    await cp.plug(evse_id, "zoe-52", soc=20)
    before = cp.evses[evse_id].energy_wh
    assert await cp.present(evse_id, BADGE) == "Accepted"
    await cp.wait_for(lambda cp: cp.evses[evse_id].energy_wh > before + more_wh / 2)
    await cut(second)
    await cp.wait_for(lambda cp: cp.evses[evse_id].energy_wh > before + more_wh)
    assert await cp.present(evse_id, BADGE) == "Accepted"
    await cut(second)
    await cp.unplug(evse_id)


async def quiet(cp: Emulator) -> None:
    await cp.wait_for(lambda cp: cp.online and len(cp.station.queue) == 0)


@pytest.mark.parametrize("owner", list(Owner))
@pytest.mark.parametrize(("identity", "ocpp"), [("CP16", "1.6"), ("CS201", "2.0.1")])
async def test_second_server_holds_the_same_charges_after_cuts_and_a_restart(
    sqlite_db: Database, there: Database, identity: str, ocpp: str, owner: Owner
) -> None:
    await write_stations(sqlite_db)
    clock = ScaledClock(origin=NOW, speed=SPEED)
    async with central_system(there, clock) as second, AsyncExitStack() as site:
        async with relaying_system(sqlite_db, clock, patience=PATIENCE) as first:
            await first.begin(identity, second.url, password=SECRET, owner=owner)
            port = urlsplit(first.server.url).port or 0
            cp = await site.enter_async_context(emulator(first.server.url, identity, ocpp))
            await cp.connected()
            await charge(cp, 1, 5_000, second)
            await cp.plug(2, "zoe-52", soc=20)
            assert await cp.present(2, BADGE) == "Accepted"
            await cp.wait_for(lambda cp: cp.evses[2].energy_wh > 3_000)
        # The first server is gone in the middle of a charge; the station goes on without it.
        await cp.wait_for(lambda cp: cp.evses[2].energy_wh > 6_000)
        async with relaying_system(sqlite_db, clock, patience=PATIENCE, port=port) as first:
            await cp.connected()
            await cp.wait_for(lambda cp: cp.evses[2].energy_wh > 9_000)
            await cut(second)
            assert await cp.present(2, BADGE) == "Accepted"
            await cp.unplug(2)
            await charge(cp, 1, 4_000, second)
            await quiet(cp)
            state = await first.settled(identity)
            await site.aclose()
    assert (state["refused"], state["lost"]) == (0, 0)
    here_charges = await rows(sqlite_db, charging_transactions, CHARGE)
    assert len(here_charges) == 3
    assert await rows(there, charging_transactions, CHARGE) == here_charges
    assert await rows(there, meter_values, READING) == await rows(sqlite_db, meter_values, READING)
    for journal in (sqlite_db, there):
        live, rebuilt = await live_and_rebuilt(journal, identity, Version(f"ocpp{ocpp}"))
        assert live == rebuilt
