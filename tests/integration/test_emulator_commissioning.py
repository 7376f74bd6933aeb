"""The emulator is commissioned: its settings become the standard ones, its list holds our badges."""

from __future__ import annotations

from sqlalchemy import select

from supervision.clock import FixedClock
from supervision.csms.configuration import ConfigurationService
from supervision.csms.standard_settings import STANDARD
from supervision.store.db import Database
from supervision.store.schema import local_lists
from tests.conftest import NOW
from tests.factories import TESTS
from tests.integration.keepers import STAFF_BADGE, deliver_until, list_keeper
from tests.integration.ocpp_client import Server
from tests.integration.test_emulator_supervision import BOTH, emulator, errors_in, server

__all__ = ["server"]


@BOTH
async def test_standard_settings_are_taken_by_the_emulator(
    server: Server,
    sqlite_db: Database,
    identity: str,
    ocpp: str,
) -> None:
    clock = FixedClock(NOW)
    service = ConfigurationService(
        db=sqlite_db, clock=clock, commands=server.commands, registry=server.central.registry
    )
    async with emulator(server, identity, ocpp) as cp:
        await cp.connected()
        await service.take_standard("org")
        await service.serve_due()
        report = await service.report("org", identity)
        assert errors_in(cp) == []
        sample_s = cp.station.configuration.number("sample_s")
    assert report["state"] == "in_sync", report
    states = {item["name"]: item["state"] for item in report["items"]}
    assert set(states) == {wish.name for wish in STANDARD if wish.ocpp == ocpp}
    assert set(states.values()) <= {"ok", "partly", "unknown"}
    assert (
        states["MeterValueSampleInterval" if ocpp == "1.6" else "SampledDataCtrlr.TxUpdatedInterval"] == "ok"
    )
    assert sample_s == 60


@BOTH
async def test_list_of_the_emulator_holds_the_badges_that_need_no_booking(
    server: Server,
    sqlite_db: Database,
    identity: str,
    ocpp: str,
) -> None:
    clock = FixedClock(NOW)
    keeper = list_keeper(server, sqlite_db, clock)

    async def in_sync() -> bool:
        async with sqlite_db.read(TESTS) as reader:
            state = await reader.scalar(select(local_lists.c.state))
        return bool(state == "in_sync")

    async with emulator(server, identity, ocpp) as cp:
        await cp.connected()
        await keeper.sweep()
        await deliver_until(sqlite_db, clock, keeper.consumer(), in_sync)
        assert (cp.station.local.version, list(cp.station.local._list)) == (1, [STAFF_BADGE.casefold()])
        assert errors_in(cp) == []
