"""From an event to a verified profile: the service on a real database, beside a station that obeys."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from supervision.charging import composite, ledger, store
from supervision.charging.service import ChargingService
from supervision.clock import FixedClock
from supervision.csms.commands import CommandResult, CommandState
from supervision.kernel.errors import Refused
from supervision.kernel.events import (
    BookingMade,
    BookingReturned,
    ChargingStationBooted,
    ChargingTransactionEnded,
    Event,
)
from supervision.kernel.events import ChargingTransactionEnded as Ended
from supervision.kernel.events import ChargingTransactionResumed as Resumed
from supervision.kernel.timespan import format_instant
from supervision.store import schema
from supervision.store.db import Database, Tx
from supervision.store.outbox import Delivery
from tests import factories
from tests.factories import NOW, TESTS

FIGURES = {"ChargeProfileMaxStackLevel": "3", "ChargingScheduleMaxPeriods": "24"}


class Station:
    """A charging station of 1.6 behind the command service: obeys profiles and tells what it holds."""

    def __init__(self, clock: FixedClock) -> None:
        self.clock = clock
        self.online = True
        self.refuses_above: int | None = None
        self.forgets = False
        self.sent: list[tuple[str, Mapping[str, Any]]] = []
        self.held: dict[tuple[Any, ...], Mapping[str, Any]] = {}

    async def send(
        self,
        organisation_id: str,
        identity: str,
        action: str,
        payload: Mapping[str, Any],
        *,
        timeout_s: float = 30,
        origin: str = "api",
    ) -> CommandResult | Refused:
        assert (organisation_id, origin) == ("org", "charging")
        if not self.online:
            return CommandResult(id="c0", state=CommandState.OFFLINE)
        self.sent.append((action, payload))
        response = getattr(self, f"_{action}")(payload)
        return CommandResult(id=f"c{len(self.sent)}", state=CommandState.ANSWERED, response=response)

    def _GetConfiguration(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        known = [key for key in payload["key"] if key in FIGURES]
        return {"configurationKey": [{"key": key, "readonly": True, "value": FIGURES[key]} for key in known]}

    def _SetChargingProfile(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        profile = payload["csChargingProfiles"]
        if self.refuses_above is not None and profile["stackLevel"] > self.refuses_above:
            return {"status": "Rejected"}
        if not self.forgets:
            self.held[payload["connectorId"], profile["stackLevel"]] = payload
        return {"status": "Accepted"}

    def _GetCompositeSchedule(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        steps = composite.composite(
            [composite.read_profile(held) for held in self.held.values()],
            start=self.clock.now(),
            duration=timedelta(seconds=payload["duration"]),
            unit=payload["chargingRateUnit"],
            context=composite.Context(phases=3, voltage_v=230, charging_since=self.clock.now()),
        )
        periods = [
            {
                "startPeriod": int((step.at - self.clock.now()).total_seconds()),
                "limit": 48.0 if step.limit is None else step.limit,
            }
            for step in steps
        ]
        schedule = {"chargingRateUnit": payload["chargingRateUnit"], "chargingSchedulePeriod": periods}
        start = format_instant(self.clock.now())
        return {"status": "Accepted", "scheduleStart": start, "chargingSchedule": schedule}

    def actions(self) -> list[str]:
        return [action for action, _ in self.sent]


@pytest.fixture
def station(clock: FixedClock) -> Station:
    return Station(clock)


@pytest.fixture
async def service(db: Database, clock: FixedClock, station: Station) -> ChargingService:
    async def connected(tx: Tx) -> None:
        await factories.service(tx)
        await tx.execute(
            update(schema.charging_stations).values(ocpp="1.6", connected_at=NOW, capabilities={})
        )

    await db.write(TESTS, connected)
    return ChargingService(db=db, clock=clock, commands=station)


async def happen(service: ChargingService, event: Event) -> None:
    await service.handle(Delivery(1, event, NOW, 1))


async def settle(service: ChargingService) -> None:
    """Plan and send until nothing is due: asking a station first teaches, then plans again."""
    for _ in range(6):
        await service.replan_due()
        await service.serve_stations()


def booked() -> BookingMade:
    return BookingMade(organisation_id="org", booking_id="b1", vehicle_id="car-1", station_id="st")


async def rows(db: Database, table: Any) -> list[dict[str, Any]]:
    async with db.read(TESTS) as reader:
        return await reader.all(select(table).order_by(*table.primary_key))


async def make_booking(db: Database, *, start_h: float, hours: float = 2, **values: Any) -> None:
    start = NOW + timedelta(hours=start_h)

    async def unit(tx: Tx) -> None:
        await factories.booking(tx, start_at=start, end_at=start + timedelta(hours=hours), **values)

    await db.write(TESTS, unit)


async def enter(service: ChargingService, percent: float) -> None:
    assert await service.energy.enter("org", "car-1", percent=percent, cause=f"test:{percent}") is None


async def charging(db: Database, *, at: datetime = NOW, **values: Any) -> int:
    """A charging transaction of car-1's EVSE; returns its row id."""
    row = {
        "organisation_id": "org",
        "charging_station": "CP16",
        "evse_id": 1,
        "ocpp": "1.6",
        "ocpp_transaction_id": "7",
        "natural_key": "k7",
        "state": "open",
        "started_at": at,
        "started_received_at": at,
        "meter_start_wh": 1_000,
        **values,
    }

    async def unit(tx: Tx) -> int:
        statement = insert(schema.charging_transactions).values(**row)
        return int(await tx.scalar(statement.returning(schema.charging_transactions.c.id)))

    return await db.write(TESTS, unit)


async def test_a_booking_leads_to_a_plan_a_profile_and_its_proof(
    db: Database, service: ChargingService, station: Station
) -> None:
    await enter(service, 20)
    await make_booking(db, start_h=4, planned_km=150)
    await happen(service, booked())
    await settle(service)

    assert station.actions() == [
        "GetConfiguration",
        "SetChargingProfile",
        "GetCompositeSchedule",
        "SetChargingProfile",
        "GetCompositeSchedule",
    ]
    answer = await service.station_plan("org", "st")
    assert not isinstance(answer, Refused)
    assert [(need["why"], need["booking_id"]) for need in answer["needs"]][:2] == [
        ("floor", None),
        ("booking", "b1"),
    ]
    assert answer["plan"]["windows"][1]["shortfall_wh"] == 0
    used = [(p["use"], p["state"], p["verified"]) for p in answer["profiles"]]
    assert used == [("standing", "accepted", "composite"), ("plan", "accepted", "composite")]
    assert answer["profiles"][1]["profile"]["csChargingProfiles"]["stackLevel"] == 3
    assert await rows(db, schema.replan_requests) == []


async def test_a_second_look_that_changes_nothing_sends_nothing(
    db: Database, service: ChargingService, station: Station, clock: FixedClock
) -> None:
    await enter(service, 100)
    await happen(service, booked())
    await settle(service)
    sent = len(station.sent)
    clock.advance(minutes=20)
    await happen(service, booked())
    await settle(service)
    assert len(station.sent) == sent


async def test_a_station_away_is_served_when_it_is_back(
    db: Database, service: ChargingService, station: Station
) -> None:
    station.online = False
    await happen(service, booked())
    await settle(service)
    assert station.sent == []
    station.online = True
    await settle(service)
    # What was compiled before the station could be asked gave way to what knows its stack levels.
    states = [row["state"] for row in await rows(db, schema.sent_profiles)]
    assert states == ["superseded", "superseded", "accepted", "accepted"]


async def test_a_station_that_refuses_its_own_level_is_steered_at_level_1(
    db: Database, service: ChargingService, station: Station
) -> None:
    station.refuses_above = 1
    await happen(service, booked())
    await settle(service)
    levels = [
        row["profile"]["csChargingProfiles"]["stackLevel"]
        for row in await rows(db, schema.sent_profiles)
        if row["state"] == "accepted"
    ]
    assert sorted(levels) == [0, 1]


async def test_a_station_that_refuses_every_plan_is_no_longer_steered(
    db: Database, service: ChargingService, station: Station
) -> None:
    station.refuses_above = -1
    await happen(service, booked())
    await settle(service)
    (row,) = await rows(db, schema.charging_stations)
    assert row["capabilities"]["smart_charging"]["steerable"] is False
    answer = await service.station_plan("org", "st")
    assert not isinstance(answer, Refused)
    assert answer["plan"]["windows"] == []


async def test_accepted_without_effect_is_not_believed(
    db: Database, service: ChargingService, station: Station
) -> None:
    station.forgets = True
    await charging(db)
    await happen(service, booked())
    await settle(service)
    verdicts = {(row["state"], row["verified"]) for row in await rows(db, schema.sent_profiles)}
    assert ("accepted", "differs") in verdicts


async def test_a_station_that_starts_again_is_asked_and_served_again(
    db: Database, service: ChargingService, station: Station
) -> None:
    await happen(service, booked())
    await settle(service)
    station.sent.clear()
    station.held.clear()
    await happen(
        service,
        ChargingStationBooted(organisation_id="org", charging_station="CP16", station_id="st"),
    )
    await settle(service)
    assert station.actions()[0] == "GetConfiguration"
    assert station.actions().count("SetChargingProfile") == 2
    assert sorted(level for _, level in station.held) == [0, 3]


async def test_a_charge_is_added_once_however_often_it_is_told(
    db: Database, service: ChargingService
) -> None:
    await enter(service, 50)
    row_id = await charging(
        db, state="ended", stopped_at=NOW + timedelta(hours=1), meter_stop_wh=11_000, energy_wh=10_000
    )
    ended = ChargingTransactionEnded(
        organisation_id="org",
        charging_station="CP16",
        station_id="st",
        evse_id=1,
        charging_transaction_id=row_id,
    )
    await happen(service, ended)
    await happen(service, ended)
    entries = [
        (row["kind"], row["delta_wh"], row["stored_wh"]) for row in await rows(db, schema.energy_entries)
    ]
    assert entries == [("entry", 0, 26_000), ("charging", 9_000, 35_000)]


def about(kind: type[Ended] | type[Resumed], row_id: int) -> Ended | Resumed:
    place = {"organisation_id": "org", "charging_station": "CP16", "station_id": "st"}
    return kind(evse_id=1, charging_transaction_id=row_id, **place)


async def revise(db: Database, row_id: int, **values: Any) -> None:
    table = schema.charging_transactions

    async def unit(tx: Tx) -> None:
        await tx.execute(update(table).where(table.c.id == row_id).values(**values))

    await db.write(TESTS, unit)


async def ledger_of(db: Database) -> list[tuple[str, int, int]]:
    return [(row["kind"], row["delta_wh"], row["stored_wh"]) for row in await rows(db, schema.energy_entries)]


ENDED_AT = NOW + timedelta(hours=1)


async def test_a_revised_end_moves_the_balance_by_the_difference(
    db: Database, service: ChargingService
) -> None:
    await enter(service, 50)
    row_id = await charging(db, state="ended", stopped_at=ENDED_AT, energy_wh=10_000)
    await happen(service, about(Ended, row_id))
    await revise(db, row_id, energy_wh=12_000)
    await happen(service, about(Ended, row_id))
    await happen(service, about(Ended, row_id))
    await revise(db, row_id, energy_wh=None, settled="none")
    await happen(service, about(Ended, row_id))
    assert (await ledger_of(db))[1:] == [
        ("charging", 9_000, 35_000),
        ("correction", 1_800, 36_800),
        ("correction", -10_800, 26_000),
    ]


async def test_a_presumed_end_that_was_none_gives_back_what_it_added(
    db: Database, service: ChargingService
) -> None:
    await enter(service, 50)
    row_id = await charging(db, state="ended", stopped_at=ENDED_AT, energy_wh=10_000)
    await happen(service, about(Ended, row_id))
    await revise(db, row_id, state="open", stopped_at=None, energy_wh=None)
    await happen(service, about(Resumed, row_id))
    await revise(db, row_id, state="ended", stopped_at=ENDED_AT, energy_wh=10_000)
    await happen(service, about(Ended, row_id))
    assert [stored for _, _, stored in await ledger_of(db)] == [26_000, 35_000, 26_000, 35_000]


async def test_a_battery_that_was_thought_full_is_corrected_by_what_it_really_took(
    db: Database, service: ChargingService
) -> None:
    await enter(service, 90)
    row_id = await charging(db, state="ended", stopped_at=ENDED_AT, energy_wh=20_000)
    await happen(service, about(Ended, row_id))
    await revise(db, row_id, energy_wh=2_000)
    await happen(service, about(Ended, row_id))
    assert (await ledger_of(db))[1:] == [("charging", 5_200, 52_000), ("correction", -3_400, 48_600)]


async def test_a_dashboard_read_since_is_not_moved_by_a_revision(
    db: Database, service: ChargingService
) -> None:
    await enter(service, 50)
    row_id = await charging(db, state="ended", stopped_at=ENDED_AT, energy_wh=10_000)
    await happen(service, about(Ended, row_id))
    await service.energy.enter("org", "car-1", percent=70, cause="person:m1:later")
    await revise(db, row_id, energy_wh=30_000)
    await happen(service, about(Ended, row_id))
    assert [kind for kind, _, _ in await ledger_of(db)] == ["entry", "charging", "entry"]


async def test_a_trip_is_subtracted_by_its_odometer(db: Database, service: ChargingService) -> None:
    await enter(service, 50)
    await make_booking(
        db, start_h=-3, status="completed", start_km=100, return_km=140, returned_at=NOW - timedelta(hours=1)
    )
    returned = BookingReturned(organisation_id="org", booking_id="b1", vehicle_id="car-1", station_id="st")
    await happen(service, returned)
    await happen(service, returned)
    last = (await rows(db, schema.energy_entries))[-1]
    assert (last["kind"], last["cause"], last["delta_wh"]) == ("trip", "booking:b1", -6_600)


async def measured(db: Database, minutes: list[int], power_w: int) -> None:
    async def unit(tx: Tx) -> None:
        for minute in minutes:
            at = NOW + timedelta(minutes=minute)
            await tx.execute(
                insert(schema.meter_values).values(
                    organisation_id="org",
                    charging_station="CP16",
                    evse_id=1,
                    at=at,
                    received_at=at,
                    power_w=power_w,
                    readings=[],
                    digest=0,
                )
            )

    await db.write(TESTS, unit)


async def test_a_car_that_stops_by_itself_squares_the_books(
    db: Database, service: ChargingService, clock: FixedClock
) -> None:
    await enter(service, 90)
    row_id = await charging(db, charging_state="SuspendedEV", meter_last_wh=4_000)
    await measured(db, [1, 6, 12], 20)
    clock.advance(minutes=12)
    await service.sweep()
    await service.sweep()
    assert [row["kind"] for row in await rows(db, schema.energy_entries)] == ["entry", "full"]
    ended = ChargingTransactionEnded(
        organisation_id="org",
        charging_station="CP16",
        station_id="st",
        evse_id=1,
        charging_transaction_id=row_id,
    )
    await happen(service, ended)
    async with db.read("org") as reader:
        entry = await store.last_entry(reader, "org", "car-1")
    assert entry is not None
    assert (entry[0].stored_wh, entry[0].source) == (52_000, "full")


async def test_a_car_that_charges_is_expected_fuller(
    db: Database, service: ChargingService, clock: FixedClock
) -> None:
    assert await service.expected_soc("org", ["car-1"], NOW) == {}
    await enter(service, 50)
    await charging(db, meter_last_wh=6_778)
    assert await service.expected_soc("org", ["car-1", "unknown"], NOW) == {"car-1": 60}


async def test_power_above_the_limit_is_told_once(
    db: Database, service: ChargingService, station: Station, clock: FixedClock
) -> None:
    await enter(service, 100)
    await charging(db)
    await happen(service, booked())
    await settle(service)
    clock.advance(minutes=5)

    async def too_much(tx: Tx) -> None:
        await tx.execute(update(schema.evses).values(power_w=22_000, power_at=clock.now()))

    await db.write(TESTS, too_much)
    assert await service.proof.check_power() == 1
    assert await service.proof.check_power() == 1
    told = [row["name"] for row in await rows(db, schema.outbox_events)]
    assert told.count("ChargingLimitDiffers") == 1
    last = (await rows(db, schema.sent_profiles))[-1]
    assert (last["verified"], last["detail"]) == ("differs", "measured 22000 W")


async def test_an_unknown_station_or_a_nonsense_percentage_is_refused(service: ChargingService) -> None:
    assert await service.station_plan("org", "nowhere") == Refused("unknown_station", {"station": "nowhere"})
    refused = await service.energy.enter("org", "car-1", percent=101, cause="x")
    assert refused == Refused("percent_out_of_range", {"percent": 101})
    unknown = await service.energy.enter("org", "car-9", percent=10, cause="x")
    assert unknown == Refused("unknown_vehicle", {"vehicle": "car-9"})


async def test_a_car_nobody_has_told_about_is_half_full(db: Database, service: ChargingService) -> None:
    await happen(service, booked())
    await settle(service)
    answer = await service.station_plan("org", "st")
    assert not isinstance(answer, Refused)
    (need,) = answer["needs"]
    assert (need["stored_wh"], need["uncertainty_wh"]) == (26_000, 26_000)
    assert ledger.FULL_DOUBT == 0.02


async def test_stations_without_a_plan_are_planned_by_the_sweep(
    db: Database, service: ChargingService, clock: FixedClock
) -> None:
    await service.sweep()
    assert [row["reason"] for row in await rows(db, schema.replan_requests)] == ["plan_expired"]
    await settle(service)
    await service.sweep()
    assert await rows(db, schema.replan_requests) == []
    clock.advance(hours=4)
    await service.sweep()
    assert len(await rows(db, schema.replan_requests)) == 1


async def test_a_car_that_got_less_than_planned_is_charged_the_rest_before_its_booking(
    db: Database, service: ChargingService, clock: FixedClock
) -> None:
    await enter(service, 40)
    await make_booking(db, start_h=4, planned_km=150)
    charge = await charging(db, meter_last_wh=1_000)
    await happen(service, booked())
    await settle(service)
    answer = await service.station_plan("org", "st")
    assert not isinstance(answer, Refused)
    window = answer["plan"]["windows"][0]
    over = max(datetime.fromisoformat(period["to"]) for period in window["periods"])
    counted = 1_000 + window["delivered_wh"] - 1_000

    async def measured(tx: Tx) -> None:
        table = schema.charging_transactions
        await tx.execute(update(table).where(table.c.id == charge).values(meter_last_wh=counted))

    await db.write(TESTS, measured)
    clock.set(over + timedelta(minutes=1))
    await service.sweep()
    assert await rows(db, schema.replan_requests) == []
    clock.set(over + timedelta(minutes=2))
    await service.sweep()
    await settle(service)
    again = await service.station_plan("org", "st")
    assert not isinstance(again, Refused)
    assert again["needs"][0]["booking_id"] == "b1"
    assert again["plan"]["windows"][0]["delivered_wh"] >= again["needs"][0]["from_grid_wh"] > 900
