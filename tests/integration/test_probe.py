"""The emulator is probed on a real socket, from its features to a car that sleeps and wakes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select, update

from chargepoint_emulator.emulator import Emulator
from supervision.clock import FixedClock, ScaledClock
from supervision.csms.probing import ProbeService
from supervision.kernel.errors import Refused
from supervision.store.db import Database, Tx
from supervision.store.outbox import Outbox
from supervision.store.schema import charging_stations, quirk_profiles
from tests.conftest import NOW
from tests.factories import TESTS
from tests.integration.ocpp_client import SECRET, Server, central_system, until, write_stations
from tests.serving import World

SPEED = 30.0
BADGE = "04A1B2C3"
BOTH = pytest.mark.parametrize(("identity", "ocpp"), [("CP16", "1.6"), ("CS201", "2.0.1")])
PROVED = {
    "triggers": "yes",
    "car": "yes",
    "obeys_low": "yes",
    "obeys_high": "yes",
    "pauses": "yes",
    "wakes": "yes",
    "meter": "ok",
}


@pytest.fixture
def fast() -> ScaledClock:
    return ScaledClock(origin=NOW, speed=SPEED)


@pytest.fixture
async def server(sqlite_db: Database, fast: ScaledClock) -> AsyncIterator[Server]:
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, fast) as running:
        yield running


def emulator(server: Server, identity: str, ocpp: str, personality: str = "good") -> Emulator:
    return Emulator(
        url=server.url,
        identity=identity,
        ocpp=ocpp,
        password=SECRET,
        evses=2,
        speed=SPEED,
        personality=personality,
        meter_interval_s=10,
        register_wh=1_000,
        retry_s=(0.01, 0.1),
    )


def service_of(server: Server, db: Database, clock: Any) -> ProbeService:
    return ProbeService(db=db, clock=clock, commands=server.commands, registry=server.central.registry)


async def run_to_the_end(service: ProbeService, identity: str) -> dict[str, Any]:
    """Look at the probe as the scheduler does until it is done."""
    async with asyncio.timeout(60):
        while True:
            await service.run_due()
            report = await service.report("org", identity)
            if report["state"] == "done":
                return report
            await asyncio.sleep(0.005)


async def station_row(db: Database, identity: str) -> dict[str, Any]:
    async with db.read(TESTS) as reader:
        row = await reader.first(select(charging_stations).where(charging_stations.c.identity == identity))
    assert row is not None
    return row


@BOTH
async def test_charger_with_a_car_is_known_in_ten_minutes(
    server: Server, sqlite_db: Database, fast: ScaledClock, identity: str, ocpp: str
) -> None:
    begun = fast.now()
    async with emulator(server, identity, ocpp) as cp:
        await cp.connected()
        await cp.plug(1, "zoe-52", soc=20)
        assert await cp.present(1, BADGE) == "Accepted"
        service = service_of(server, sqlite_db, fast)
        started = await service.start("org", identity, by_person_id="m1")
        assert not isinstance(started, Refused)
        assert (started["state"], started["step"]) == ("running", "features")
        # Another process takes over in the middle.
        report = await run_to_the_end(service_of(server, sqlite_db, fast), identity)
    findings = report["findings"]
    assert {name: findings[name] for name in PROVED} == PROVED
    assert "SmartCharging" in findings["features"]
    assert {"Energy.Active.Import.Register", "Power.Active.Import"} <= set(findings["measurands"])
    assert findings["evse"] == 1
    assert (fast.now() - begun).total_seconds() < 900
    row = await station_row(sqlite_db, identity)
    assert row["capabilities"]["smart_charging"]["steerable"] is True
    async with sqlite_db.read(TESTS) as reader:
        (profile,) = await reader.all(select(quirk_profiles))
    assert (profile["charging_station"], profile["findings"]) == (identity, findings)
    assert report["known"] == findings
    assert report["learnt_from"] == identity


async def test_disobedient_charger_is_told_to_the_planner_for_all_of_its_kind(
    server: Server, sqlite_db: Database, fast: ScaledClock
) -> None:
    async with emulator(server, "CP16", "1.6", "ignores_profiles") as cp:
        await cp.connected()
        await cp.plug(1, "zoe-52", soc=20)
        assert await cp.present(1, BADGE) == "Accepted"
        service = service_of(server, sqlite_db, fast)

        async def twin(tx: Tx) -> None:
            boot = await tx.scalar(
                select(charging_stations.c.boot).where(charging_stations.c.identity == "CP16")
            )
            await tx.execute(
                update(charging_stations).where(charging_stations.c.identity == "CS201").values(boot=boot)
            )

        await sqlite_db.write(TESTS, twin)
        assert not isinstance(await service.start("org", "CP16"), Refused)
        findings = (await run_to_the_end(service, "CP16"))["findings"]
        assert (findings["obeys_low"], findings["triggers"], findings["meter"]) == ("no", "yes", "ok")
        for identity in ("CP16", "CS201"):
            row = await station_row(sqlite_db, identity)
            assert row["capabilities"]["smart_charging"]["steerable"] is False
        # One of the kind that boots for the first time afterwards learns it too.
        await sqlite_db.write(TESTS, lambda tx: tx.execute(update(charging_stations).values(capabilities={})))
        await cp.reboot()
        await cp.connected()
        outbox = Outbox(sqlite_db, fast, [service.consumer()])

        async def learnt() -> bool:
            await outbox.drain()
            row = await station_row(sqlite_db, "CP16")
            return row["capabilities"].get("smart_charging", {}).get("steerable") is False

        await until(learnt)


async def test_probe_without_a_car_ends_with_what_is_known(sqlite_db: Database, clock: FixedClock) -> None:
    await write_stations(sqlite_db)
    configuration = {
        "configurationKey": [
            {"key": "SupportedFeatureProfiles", "readonly": True, "value": "Core, RemoteTrigger"},
            {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
        ]
    }
    answers: dict[str, dict[str, Any]] = {
        "GetConfiguration": configuration,
        "TriggerMessage": {"status": "NotImplemented"},
    }
    async with central_system(sqlite_db, clock) as server:
        service = service_of(server, sqlite_db, clock)
        assert await service.start("org", "CP16") == Refused("offline", {"charging_station": "CP16"})
        async with server.station(respond=lambda action, _payload: answers[action]):
            await service.start("org", "CP16")

            async def waits_for_a_car() -> bool:
                await service.run_due()
                return bool((await service.report("org", "CP16"))["step"] == "car")

            await until(waits_for_a_car)
            await service.run_due()
            clock.advance(seconds=1799)
            await service.run_due()
            assert (await service.report("org", "CP16"))["state"] == "running"
            clock.advance(seconds=1)
            await service.run_due()
    report = await service.report("org", "CP16")
    assert (report["state"], report["kind"]) == ("done", {"vendor": "V", "model": "M", "firmware": ""})
    assert report["findings"] == {
        "features": ["Core", "RemoteTrigger"],
        "keys": ["HeartbeatInterval", "SupportedFeatureProfiles"],
        "measurands": [],
        "triggers": "no",
        "clock_offset_s": None,
        "clock": "unknown",
        "car": "no",
        "meter": "missing",
    }
    row = await station_row(sqlite_db, "CP16")
    assert "steerable" not in row["capabilities"].get("smart_charging", {})


async def test_page_and_api_show_the_probe_and_refuse_an_absent_station(world: World) -> None:
    shown = await world.visit("technician", "/charging-stations/CP16/probe")
    assert shown.status == 200
    refused = await world.submit("technician", "/charging-stations/CP16/probe", {})
    assert (refused.status, "hors ligne" in refused.text) == (422, True)
    status, report = await world.api("technician").get("/charging-stations/CP16/probe")
    assert (status, report["state"], report["findings"]) == (200, "none", {})
    status, answer = await world.api("technician").post("/charging-stations/CP16/probe")
    assert (status, answer["code"]) == (422, "offline")
