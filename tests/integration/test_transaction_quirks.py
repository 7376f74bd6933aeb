"""What real stations do to charging transactions: stored, answered as the schema wants, explained.

The numbers are those of the quirk list that the central system is held against.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from supervision.clock import FixedClock
from supervision.csms.authorising import TokenRequest
from supervision.csms.decisions import decision_from
from supervision.csms.frame import Version
from supervision.csms.model import IdTokenDecision, IdTokenStatus
from supervision.csms.presuming import PresumingService
from supervision.csms.rebuilding import JournalDecision, JournalFrame, rebuild
from supervision.csms.store import charging_transaction_from
from supervision.kernel.timespan import format_instant
from supervision.kernel.units import watts
from supervision.store import schema
from supervision.store.db import Database, Reader
from tests.factories import NOW, TESTS
from tests.integration.ocpp_client import V201, ChargePoint, Server, central_system, write_stations

POWER = {1: watts(32, 3), 2: watts(32, 3)}
BADGE = "04A1B2C3"
EMPTY: dict[str, Any] = {}


@pytest.fixture
async def any_server(db: Database, clock: FixedClock) -> AsyncIterator[Server]:
    """The central system on either database."""
    await write_stations(db)
    async with central_system(db, clock) as running:
        yield running


@pytest.fixture
async def server(sqlite_db: Database, clock: FixedClock) -> AsyncIterator[Server]:
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, clock) as running:
        yield running


def stamp(minute: float) -> str:
    return format_instant(NOW - timedelta(hours=2) + timedelta(minutes=minute))


def sampled(minute: float, *values: dict[str, Any]) -> dict[str, Any]:
    return {"timestamp": stamp(minute), "sampledValue": list(values)}


def register(wh: Any, unit: str = "Wh") -> dict[str, Any]:
    return {"value": str(wh), "measurand": "Energy.Active.Import.Register", "unit": unit}


def power(watts_: int) -> dict[str, Any]:
    return {"value": str(watts_), "measurand": "Power.Active.Import", "unit": "W"}


async def start(point: ChargePoint, **changes: Any) -> int:
    told = {"connectorId": 1, "idTag": BADGE, "meterStart": 1000, "timestamp": stamp(0), **changes}
    answer = await point.answer("StartTransaction", told)
    assert set(answer) == {"transactionId", "idTagInfo"}
    assert answer["transactionId"] > 0
    number: int = answer["transactionId"]
    return number


async def stop(point: ChargePoint, number: Any, meter: Any = 6000, minute: float = 60, **more: Any) -> None:
    told = {"transactionId": number, "meterStop": meter, "timestamp": stamp(minute), **more}
    assert await point.answer("StopTransaction", told) == EMPTY


async def stop_by_badge(point: ChargePoint, number: int = -1, meter: int = 6000, minute: float = 60) -> None:
    told = {"transactionId": number, "meterStop": meter, "timestamp": stamp(minute), "idTag": BADGE}
    assert await point.answer("StopTransaction", told) == {"idTagInfo": {"status": "Accepted"}}


async def values(point: ChargePoint, number: Any, *samples: dict[str, Any]) -> None:
    told = {"connectorId": 1, "transactionId": number, "meterValue": list(samples)}
    assert await point.answer("MeterValues", told) == EMPTY


async def rows(db: Database, table: Any = schema.charging_transactions) -> list[Mapping[str, Any]]:
    async with db.read(TESTS) as reader:
        return list(await reader.all(select(table).order_by(table.c.id)))


async def summary(db: Database) -> list[tuple[str, int | None, str | None]]:
    return [(row["state"], row["energy_wh"], row["review"]) for row in await rows(db)]


async def rebuilt_is_live(db: Database, version: Version = Version.V16) -> None:
    live = await rows(db)
    names = {row["id"]: row["ocpp_transaction_id"] for row in live}
    journal = [
        JournalFrame(id=row["id"], at=row["at"], direction=row["direction"], text=row["frame"])
        for row in await rows(db, schema.frames)
    ]
    decisions = [
        JournalDecision(
            after_frame=row["after_frame"],
            ocpp_transaction_id=names[row["charging_transaction_id"]],
            decision=decision_from(row),
        )
        for row in await rows(db, schema.charging_transaction_decisions)
    ]
    assert rebuild(journal, version, POWER, decisions) == {
        row["ocpp_transaction_id"]: charging_transaction_from(row) for row in live
    }


CLEAN = [("ended", 5000, None)]


# --- starts: 16, 17, 25, 34 -----------------------------------------------------------------------------


async def test_16_the_same_start_by_the_same_and_by_other_messages_is_one_charge(
    server: Server, sqlite_db: Database
) -> None:
    text = f'{{"connectorId":1,"idTag":"{BADGE}","meterStart":1000,"timestamp":"{stamp(0)}"}}'
    async with server.station() as point:
        answers = [
            await point.exchange(message_id, f'[2,"{message_id}","StartTransaction",{text}]')
            for message_id in ("a", "a", "b")
        ]
        assert [answer[2] for answer in answers] == [answers[0][2]] * 3
        await stop(point, answers[0][2]["transactionId"])
        again = await point.exchange("c", f'[2,"c","StartTransaction",{text}]')
        assert again[2] == answers[0][2]
    assert await summary(sqlite_db) == CLEAN
    await rebuilt_is_live(sqlite_db)


class OneCarEach:
    async def decide(self, _reader: Reader, _request: TokenRequest, _now: datetime) -> IdTokenDecision:
        return IdTokenDecision(status=IdTokenStatus.ACCEPTED)


async def test_17_a_retried_start_is_never_concurrent_with_itself(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await write_stations(sqlite_db)
    told = {"connectorId": 1, "idTag": BADGE, "meterStart": 1000}
    async with (
        central_system(sqlite_db, clock, authoriser=OneCarEach()) as server,
        server.station() as point,
    ):
        words = [
            (await point.answer("StartTransaction", {**told, **change}))["idTagInfo"]["status"]
            for change in (
                {"timestamp": stamp(0)},
                {"timestamp": stamp(0)},
                {"timestamp": stamp(5)},  # its end was lost: another charge of the same connector
                {"timestamp": stamp(6), "connectorId": 2},
            )
        ]
    assert words == ["Accepted", "Accepted", "Accepted", "ConcurrentTx"]
    assert [row["authorisation"] for row in await rows(sqlite_db)] == ["Accepted", "Accepted", "ConcurrentTx"]


@pytest.mark.parametrize("meter", [None, "absent", "", "unknown"])
async def test_34_without_its_first_register_the_counter_of_a_lifetime_is_no_bill(
    server: Server, sqlite_db: Database, meter: Any
) -> None:
    told = {"connectorId": 1, "idTag": BADGE, "timestamp": stamp(0)}
    async with server.station() as point:
        if meter != "absent":
            told["meterStart"] = meter
        number = (await point.answer("StartTransaction", told))["transactionId"]
        await values(point, number, sampled(30, register(7_781_000)))
        await stop(point, number, 7_783_000)
    assert await summary(sqlite_db) == [("ended", None, "no_start_reading,no_readings")]
    await rebuilt_is_live(sqlite_db)


async def test_34_a_first_register_of_zero_before_a_lifetime_is_held(
    server: Server, sqlite_db: Database
) -> None:
    async with server.station() as point:
        number = await start(point, meterStart=0)
        await stop(point, number, 7_783_000)
    assert await summary(sqlite_db) == [("ended", 7_783_000, "implausible_energy")]


@pytest.mark.parametrize(("begin", "end"), [(1000.4, 6000.4), ("1000", "6000"), (" 1000 ", "6000.2")])
async def test_31_registers_as_text_or_with_a_fraction_are_registers(
    server: Server, sqlite_db: Database, begin: Any, end: Any
) -> None:
    async with server.station() as point:
        await stop(point, await start(point, meterStart=begin), end)
    assert await summary(sqlite_db) == CLEAN
    await rebuilt_is_live(sqlite_db)


# --- stops: 18, 19, 20, 22, 23 --------------------------------------------------------------------------


@pytest.mark.parametrize("number", [-1, 0, None, "", -7])
async def test_18_a_stop_without_a_usable_id_ends_the_charge_it_can_be_once(
    server: Server, sqlite_db: Database, number: Any
) -> None:
    async with server.station() as point:
        await start(point)
        await stop(
            point, number, 900, minute=-30
        )  # older than the charge: another one's, whose start was lost
        assert (await rows(sqlite_db))[0]["state"] == "open"
        for _ in range(3):
            await stop(point, number)
    assert await summary(sqlite_db) == [*CLEAN, ("ended", None, "start_missing,no_readings")]
    await rebuilt_is_live(sqlite_db)


async def test_18_where_there_is_a_choice_nothing_is_guessed(any_server: Server, db: Database) -> None:
    async with any_server.station() as point:
        await start(point)
        await start(point, connectorId=2)
        await stop(point, -1)
    assert [state for state, _, _ in await summary(db)] == ["open", "open", "ended"]
    await rebuilt_is_live(db)


@pytest.mark.parametrize("number", [-1, 0, None])
async def test_18_values_without_a_usable_id_are_kept_and_move_no_charge(
    server: Server, sqlite_db: Database, number: Any
) -> None:
    """Without the id some stations send the counter of a lifetime, with it the energy of the session (33)."""
    async with server.station() as point:
        mine = await start(point)
        await values(point, number, sampled(10, register(7_783_000)))
        await values(point, mine, sampled(20, register(3000)))
        await stop(point, mine)
    assert await summary(sqlite_db) == CLEAN
    kept = await rows(sqlite_db, schema.meter_values)
    assert [(row["register_wh"], row["charging_transaction_id"]) for row in kept] == [
        (7_783_000, None),
        (3000, mine),
    ]


@pytest.mark.parametrize("number", [-1, 4711])
async def test_53_a_start_that_comes_after_its_stop_completes_the_charge(
    any_server: Server, db: Database, number: int
) -> None:
    """The same badge, the times and the counter tell; both messages may come again, and late values too."""
    async with any_server.station() as point:
        await stop_by_badge(point, number)
        mine = await start(point)
        assert await start(point) == mine
        await stop_by_badge(point, number)
        await values(point, mine, sampled(30, register(3000)))
    assert await summary(db) == CLEAN
    (row,) = await rows(db)
    assert (row["id"], row["ocpp_transaction_id"], row["evse_id"]) == (mine, str(mine), 1)
    await rebuilt_is_live(db)


async def test_53_the_register_of_its_start_ties_a_stop_without_badge_to_it(
    server: Server, sqlite_db: Database
) -> None:
    begun = sampled(0, {**register(1000), "context": "Transaction.Begin"})
    async with server.station() as point:
        await stop(point, -1, transactionData=[begun])
        assert await summary(sqlite_db) == [("ended", 5000, "start_missing")]
        await start(point, meterStart=999, timestamp=stamp(-1))  # another charge
        await start(point)
    assert await summary(sqlite_db) == [*CLEAN, ("open", None, None)]
    await rebuilt_is_live(sqlite_db)


@pytest.mark.parametrize(
    "change",
    [
        {"idTag": "D0D0D0D0"},
        {"timestamp": stamp(61)},
        {"meterStart": 6001},
        {"meterStart": None},
        {"timestamp": stamp(59)},
    ],
    ids=["badge", "began after it", "counter went back", "counter unknown", "more than power allows"],
)
async def test_53_a_start_that_does_not_fit_is_another_charge_and_the_stop_waits_for_a_person(
    server: Server, sqlite_db: Database, change: dict[str, Any]
) -> None:
    async with server.station() as point:
        await stop_by_badge(point)
        await start(point, **change)
    assert [(state, energy) for state, energy, _ in await summary(sqlite_db)] == [
        ("ended", None),
        ("open", None),
    ]
    assert (await rows(sqlite_db))[0]["review"] == "start_missing,no_readings"


async def test_53_a_stop_without_badge_or_register_of_its_start_may_be_anybodys(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    """Nobody pays for another on a guess: the stop waits at once, the start once its end is presumed."""
    async with server.station() as point:
        await stop(point, -1)
        await start(point)
        told = {"connectorId": 1, "status": "Available", "errorCode": "NoError", "timestamp": stamp(61)}
        await point.answer("StatusNotification", told)
        clock.advance(minutes=16)
        presuming = PresumingService(db=sqlite_db, clock=clock, registry=server.central.registry)
        assert await presuming.end_due() == 1
    assert await summary(sqlite_db) == [
        ("ended", None, "start_missing,no_readings"),
        ("ended", None, "presumed_end,no_stop_reading,no_readings"),
    ]


async def test_53_of_two_stops_that_a_start_fits_none_is_chosen(server: Server, sqlite_db: Database) -> None:
    async with server.station() as point:
        await stop_by_badge(point)
        await stop_by_badge(point, meter=6500, minute=90)
        await start(point)
    assert [state for state, _, _ in await summary(sqlite_db)] == ["ended", "ended", "open"]


@pytest.mark.parametrize("number", [-1, 4711])
async def test_19_a_stop_whose_start_was_lost_is_kept_for_review_once(
    server: Server, sqlite_db: Database, number: int
) -> None:
    async with server.station() as point:
        for _ in range(2):
            await stop(point, number)
    assert await summary(sqlite_db) == [("ended", None, "start_missing,no_readings")]
    await rebuilt_is_live(sqlite_db)


async def test_20_the_first_stop_counts_however_often_another_comes(
    server: Server, sqlite_db: Database
) -> None:
    async with server.station() as point:
        number = await start(point)
        await stop(point, number)
        await stop(point, number)
        await stop(point, number, 9000, minute=90, reason="PowerLoss")
    assert await summary(sqlite_db) == CLEAN
    assert [row["stop_reason"] for row in await rows(sqlite_db)] == ["Local"]
    await rebuilt_is_live(sqlite_db)


async def test_21_22_values_after_the_stop_and_values_only_in_it_change_no_energy(
    server: Server, sqlite_db: Database
) -> None:
    data = [sampled(10, register(2000)), sampled(20, register(3000))]
    async with server.station() as point:
        number = await start(point)
        for _ in range(2):
            await stop(point, number, transactionData=data)
        await values(point, number, sampled(20, register(3000)), sampled(70, register(6100)))
    assert await summary(sqlite_db) == CLEAN
    kept = await rows(sqlite_db, schema.meter_values)
    assert [row["register_wh"] for row in kept] == [2000, 3000, 6100]
    await rebuilt_is_live(sqlite_db)


async def test_23_a_word_that_is_no_reason_counts_as_none(server: Server, sqlite_db: Database) -> None:
    async with server.station() as point:
        await stop(point, await start(point), reason="CarWasHungry")
    assert [row["stop_reason"] for row in await rows(sqlite_db)] == ["Local"]


# --- clocks: 24, 25 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["1970-01-01T00:00:07Z", "2077-01-01T00:00:00Z", "", "yesterday"])
async def test_25_a_clock_that_cannot_be_right_costs_no_energy(
    server: Server, sqlite_db: Database, clock: FixedClock, when: str
) -> None:
    async with server.station() as point:
        number = await start(point, timestamp=when)
        clock.advance(hours=1)
        value = {"timestamp": when, "sampledValue": [register(4000)]}
        await values(point, number, value)
        told = {"transactionId": number, "meterStop": 6000, "timestamp": when}
        assert await point.answer("StopTransaction", told) == EMPTY
    (row,) = await rows(sqlite_db)
    assert (row["energy_wh"], row["review"]) == (5000, None)
    assert (row["started_at"], row["stopped_at"]) == (NOW, NOW + timedelta(hours=1))
    await rebuilt_is_live(sqlite_db)


async def test_25_a_queue_from_before_the_clock_was_set_is_held_not_billed(
    server: Server, sqlite_db: Database
) -> None:
    """Start and stop arrive in one second and say nothing of when: time times power allows nothing."""
    async with server.station() as point:
        number = await start(point, timestamp="1970-01-01T00:00:07Z")
        told = {"transactionId": number, "meterStop": 6000, "timestamp": "1970-01-01T01:00:07Z"}
        assert await point.answer("StopTransaction", told) == EMPTY
    assert await summary(sqlite_db) == [("ended", 5000, "implausible_energy")]


async def test_24_a_time_without_zone_is_taken_as_utc(server: Server, sqlite_db: Database) -> None:
    async with server.station() as point:
        number = await start(point, timestamp="2026-11-21T06:00:00")
        told = {"transactionId": number, "meterStop": 6000, "timestamp": "2026-11-21T08:00:00+0100"}
        assert await point.answer("StopTransaction", told) == EMPTY
    (row,) = await rows(sqlite_db)
    assert (row["started_at"], row["stopped_at"]) == (NOW - timedelta(hours=2), NOW - timedelta(hours=1))


# --- meters: 31, 32, 33, 35 -----------------------------------------------------------------------------


async def test_31_values_with_quotes_spaces_or_nothing_inside(server: Server, sqlite_db: Database) -> None:
    quoted = {"value": " 3500 ", "measurand": '"Energy.Active.Import.Register"'}
    async with server.station() as point:
        number = await start(point)
        await values(
            point, number, sampled(10, {"value": ""}), sampled(20, quoted), sampled(30, {"value": 4000})
        )
        (row,) = await rows(sqlite_db)
        assert row["meter_last_wh"] == 4000
        await stop(point, number)
    assert [row["register_wh"] for row in await rows(sqlite_db, schema.meter_values)] == [3500, 4000]


@pytest.mark.parametrize(
    ("first", "last", "energy_wh"),
    [(361, 368, 7), (361_000, 7_361_000, 7_000_000)],
    ids=["kWh labelled Wh", "Wh labelled kWh"],
)
async def test_32_a_unit_that_is_a_thousand_times_off_the_power_is_held(
    any_server: Server, db: Database, first: int, last: int, energy_wh: int
) -> None:
    async with any_server.station() as point:
        number = await start(point, meterStart=first)
        await values(point, number, *(sampled(minute, power(7000)) for minute in (5, 30, 55)))
        await stop(point, number, last)
    (row,) = await rows(db)
    assert row["energy_wh"] == energy_wh
    assert "unit_doubtful" in row["review"].split(",")


async def test_32_a_small_charge_at_small_power_is_no_doubt(server: Server, sqlite_db: Database) -> None:
    async with server.station() as point:
        number = await start(point)
        await values(point, number, sampled(5, power(7)), sampled(55, power(7)))
        await stop(point, number, 1007)
    assert await summary(sqlite_db) == [("ended", 7, None)]


async def test_32_so_little_energy_that_it_may_be_in_kwh_is_held_until_the_counter_is_known(
    any_server: Server, db: Database
) -> None:
    """No power is measured: 7 may be kWh that say Wh, or a full car. A charge of 5000 shows that it is Wh."""
    async with any_server.station() as point:
        await stop(point, await start(point, meterStart=361), 368)
        await stop(point, await start(point, timestamp=stamp(61), meterStart=368), 5368, minute=90)
        await stop(point, await start(point, timestamp=stamp(91), meterStart=5368), 5375, minute=110)
    assert await summary(db) == [("ended", 7, "too_little"), ("ended", 5000, None), ("ended", 7, None)]


@pytest.mark.parametrize(
    ("state", "review"), [("Charging", "too_little"), ("SuspendedEV", None)], ids=["charging", "full"]
)
async def test_32_what_the_station_says_of_its_state_tells_a_full_car_from_a_wrong_unit(
    any_server: Server, db: Database, state: str, review: str | None
) -> None:
    info = {"transactionInfo": {"transactionId": "tx-1", "chargingState": state}}
    badge = {"idToken": {"idToken": BADGE, "type": "ISO14443"}}
    async with any_server.station("CS201", V201) as point:
        for one in (
            event("Started", 0, 361, **badge),
            event("Updated", 1, 362, **info),
            event("Ended", 4, 368),
        ):
            await point.answer("TransactionEvent", one)
    assert await summary(db) == [("ended", 7, review)]


@pytest.mark.parametrize("only_in_the_stop", [False, True])
async def test_33_a_counter_that_began_anew_in_between_is_held(
    server: Server, sqlite_db: Database, *, only_in_the_stop: bool
) -> None:
    samples = [sampled(minute, register(wh)) for minute, wh in ((10, 4000), (20, 5000), (30, 200), (40, 900))]
    async with server.station() as point:
        number = await start(point)
        if only_in_the_stop:
            await stop(point, number, 1800, transactionData=samples)
        else:
            await values(point, number, *samples)
            await stop(point, number, 1800)
    assert await summary(sqlite_db) == [("ended", 800, "counter_reset")]


async def test_33_a_counter_that_began_anew_at_the_end_gives_no_energy(
    server: Server, sqlite_db: Database
) -> None:
    async with server.station() as point:
        await stop(point, await start(point), 400)
    assert await summary(sqlite_db) == [("ended", None, "counter_went_back")]
    await rebuilt_is_live(sqlite_db)


async def test_35_a_meter_that_says_nothing_in_between_is_billed_by_its_registers(
    server: Server, sqlite_db: Database
) -> None:
    async with server.station() as point:
        await stop(point, await start(point))
    assert await summary(sqlite_db) == CLEAN


@pytest.mark.parametrize(
    ("item", "encoding"),
    [
        ({"value": 'OCMF|{"RD":[]}|{"SD":"30"}'}, "OCMF"),
        ({"value": 'OCMF|{"RD":[]}|{"SD":"30"}', "format": "SignedData"}, "OCMF"),
        ({"value": "9" * 12, "format": "SignedData"}, None),
    ],
    ids=["OCMF without format", "OCMF", "digits"],
)
async def test_signed_text_is_kept_and_is_no_number(
    any_server: Server, db: Database, item: dict[str, str], encoding: str | None
) -> None:
    sealed = {**item, "context": "Transaction.End"}
    async with any_server.station() as point:
        number = await start(point)
        await values(point, number, sampled(30, register(3000), {**item, "context": "Transaction.Begin"}))
        (row,) = await rows(db)
        assert row["meter_last_wh"] == 3000
        await stop(point, number, transactionData=[sampled(60, sealed)])
    assert await summary(db) == CLEAN
    assert [
        (row["charging_transaction_id"], row["context"], row["encoding"], row["data"])
        for row in await rows(db, schema.signed_meter_values)
    ] == [
        (number, "Transaction.Begin", encoding, item["value"]),
        (number, "Transaction.End", encoding, item["value"]),
    ]
    await rebuilt_is_live(db)


# --- 2.0.1: 52, 53, 54 ----------------------------------------------------------------------------------


def event(kind: str, seq: int, wh: int, **more: Any) -> dict[str, Any]:
    at = stamp(10 * seq)
    return {
        "eventType": kind,
        "timestamp": at,
        "triggerReason": "Trigger",
        "seqNo": seq,
        "transactionInfo": {"transactionId": "tx-1"},
        "evse": {"id": 1},
        "meterValue": [{"timestamp": at, "sampledValue": [{"value": wh}]}],
        **more,
    }


async def test_53_an_end_before_its_updates_and_updates_after_it_are_one_charge(
    server: Server, sqlite_db: Database
) -> None:
    badge = {"idToken": {"idToken": BADGE, "type": "ISO14443"}}
    order = [
        event("Ended", 3, 6000),
        event("Updated", 2, 4000),
        event("Started", 0, 1000, **badge),
        event("Updated", 1, 2000, offline=True),
        event("Updated", 2, 4000),
    ]
    async with server.station("CS201", V201) as point:
        for one in order:
            answer = await point.answer("TransactionEvent", one)
            assert set(answer) <= {"totalCost", "idTokenInfo"}
    assert await summary(sqlite_db) == CLEAN
    kept = await rows(sqlite_db, schema.charging_transaction_events)
    assert [row["seq_no"] for row in kept] == [3, 2, 0, 1]
    await rebuilt_is_live(sqlite_db, Version.V201)


async def test_34_a_first_reading_long_after_the_start_is_held_as_in_the_other_version(
    any_server: Server, db: Database
) -> None:
    """What flowed in the first ten minutes nobody has read: no energy but what a person settles."""
    badge = {"idToken": {"idToken": BADGE, "type": "ISO14443"}}
    unread = {name: item for name, item in event("Started", 0, 0, **badge).items() if name != "meterValue"}
    async with any_server.station("CS201", V201) as point:
        for one in (event("Ended", 2, 6000), event("Updated", 1, 2000), unread):
            await point.answer("TransactionEvent", one)
    assert await summary(db) == [("ended", None, "no_start_reading,no_readings")]
    await rebuilt_is_live(db, Version.V201)


async def test_54_one_id_at_two_stations_is_two_charges(server: Server, sqlite_db: Database) -> None:
    async with server.station("CS201", V201) as one, server.station("CP16", V201) as other:
        await one.answer("TransactionEvent", event("Started", 0, 1000))
        await other.answer("TransactionEvent", event("Started", 0, 500))
        await one.answer("TransactionEvent", event("Ended", 1, 6000))
    assert [(row["charging_station"], row["state"]) for row in await rows(sqlite_db)] == [
        ("CS201", "ended"),
        ("CP16", "open"),
    ]
