"""Bookings in the database, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import DBAPIError

from supervision.accounts import store as accounts
from supervision.accounts.model import Identity
from supervision.booking import rules
from supervision.booking.model import Booking, BookingRequest, BookingStatus, ReturnEvidence, Usage
from supervision.booking.rules import Automatic
from supervision.booking.service import BookingService
from supervision.clock import FixedClock
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import Timespan
from supervision.store import schema
from supervision.store.db import Database, Tx
from tests import factories
from tests.factories import NOW, TESTS

# NOW is 21 November 2026, 9:00 in Paris.
WELL = ReturnEvidence(key_returned=True, plugged=True, charging=True)


def ids() -> Callable[[], str]:
    """Return ids that count."""
    numbers = itertools.count(1)
    return lambda: f"b{next(numbers)}"


@pytest.fixture
async def service(db: Database, clock: FixedClock) -> BookingService:
    await factories.write_service(db)
    return BookingService(db, clock, ids())


async def identity(db: Database, person_id: str = "d1") -> Identity:
    async with db.read(TESTS) as reader:
        person = await accounts.person(reader, person_id)
    assert person is not None
    return Identity(person=person)


def wanted(start_h: float, end_h: float, **changes: Any) -> BookingRequest:
    """A request from and until so many hours after NOW."""
    values: dict[str, Any] = {"vehicle_id": "car-1", "driver_id": "d1", **changes}
    return BookingRequest(start_at=at(start_h), end_at=at(end_h), **values)


def at(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


async def booked(service: BookingService, who: Identity, start_h: float, end_h: float) -> Booking:
    result = await service.book(who, wanted(start_h, end_h, driver_id=who.person.id))
    assert isinstance(result, Booking)
    return result


async def events(db: Database) -> list[tuple[str, str]]:
    statement = select(schema.outbox_events).order_by(schema.outbox_events.c.id)
    async with db.read(TESTS) as reader:
        return [(row["name"], row["payload"]["booking_id"]) for row in await reader.all(statement)]


async def stored(db: Database, booking_id: str) -> dict[str, Any]:
    async with db.read(TESTS) as reader:
        row = await reader.first(select(schema.bookings).where(schema.bookings.c.id == booking_id))
    assert row is not None
    return row


async def test_booking_is_stored_told_and_read_back(db: Database, service: BookingService) -> None:
    me = await identity(db)
    request = wanted(2, 4, planned_km=40, usage=Usage.STAFF, purpose="council", quoted_cents=1300)
    with db.changes.subscribe() as topics:
        made = await service.book(me, request)
        assert await topics.take() == {"station:st", "booking:b1", "driver:d1"}
    assert isinstance(made, Booking)
    assert (made.quoted_cents, made.tariff_id, made.usage) == (1300, "t1", Usage.STAFF)
    assert await service.get(me, "b1") == made
    assert await events(db) == [("BookingMade", "b1")]


async def test_whole_life_of_a_booking(db: Database, service: BookingService, clock: FixedClock) -> None:
    me = await identity(db)
    await booked(service, me, 1, 2)
    assert isinstance(await service.extend(me, "b1", at(3)), Booking)
    assert isinstance(await service.shorten(me, "b1", at(2.5)), Booking)
    clock.set(at(0.9))
    started = await service.start(me, "b1", odometer_km=1000)
    clock.set(at(2.4))
    returned = await service.give_back(me, "b1", WELL, odometer_km=1042)
    assert isinstance(started, Booking)
    assert isinstance(returned, Booking)
    assert (started.status, returned.status) == (BookingStatus.ACTIVE, BookingStatus.COMPLETED)
    assert (returned.started_at, returned.returned_at) == (at(0.9), at(2.4))
    assert (returned.start_km, returned.return_km, returned.return_evidence) == (1000, 1042, WELL)
    assert await service.get(me, "b1") == returned
    names = ["BookingMade", "BookingMoved", "BookingMoved", "BookingStarted", "BookingReturned"]
    assert await events(db) == [(name, "b1") for name in names]
    async with db.read(TESTS) as reader:
        odometer = await reader.scalar(
            select(schema.vehicles.c.odometer_km).where(schema.vehicles.c.id == "car-1")
        )
    assert odometer == 1042


async def test_second_start_cancel_and_return_answer_the_same(
    db: Database, service: BookingService, clock: FixedClock
) -> None:
    me = await identity(db)
    await booked(service, me, 1, 2)
    clock.set(at(1))
    assert await service.start(me, "b1") == await service.start(me, "b1")
    assert await service.give_back(me, "b1", WELL) == await service.give_back(me, "b1", WELL)
    await booked(service, me, 5, 6)
    assert await service.cancel(me, "b2") == await service.cancel(me, "b2")
    assert len(await events(db)) == 5


async def test_C38_200_attempts_on_one_slot_have_one_winner(db: Database, service: BookingService) -> None:
    def crowd(tx: Tx) -> Any:
        return add_drivers(tx, 200)

    await db.write(TESTS, crowd)
    people = [await identity(db, f"x{number}") for number in range(200)]
    results = await asyncio.gather(
        *(service.book(who, wanted(2, 4, driver_id=who.person.id)) for who in people)
    )
    winners = [result for result in results if isinstance(result, Booking)]
    refusals = [result.code for result in results if isinstance(result, Refused)]
    assert (len(winners), refusals) == (1, ["overlap"] * 199)
    async with db.read(TESTS) as reader:
        assert await reader.scalar(select(func.count()).select_from(schema.bookings)) == 1
        assert await reader.scalar(select(func.count()).select_from(schema.missed_searches)) == 199


async def add_drivers(tx: Tx, count: int) -> None:
    for number in range(count):
        await factories.driver(tx, id=f"x{number}", phone=None)


async def test_C38_two_processes_on_one_slot_have_one_winner(
    db: Database, service: BookingService, database_url: str, clock: FixedClock
) -> None:
    """Two writers that know nothing of each other: the schema decides, the loser hears `overlap`."""
    await db.write(TESTS, lambda tx: add_drivers(tx, 40))
    people = [await identity(db, f"x{number}") for number in range(40)]
    async with Database.open(database_url, clock=clock) as other_db:
        other = BookingService(other_db, clock, lambda: f"other-{next(numbers)}")
        numbers = itertools.count(1)
        results = await asyncio.gather(
            *(
                (service if number % 2 else other).book(who, wanted(2, 4, driver_id=who.person.id))
                for number, who in enumerate(people)
            )
        )
    assert sum(isinstance(result, Booking) for result in results) == 1
    assert {result.code for result in results if isinstance(result, Refused)} == {"overlap"}


async def test_C21_three_upcoming_bookings_hold_under_concurrency(
    db: Database, service: BookingService
) -> None:
    me = await identity(db)
    results = await asyncio.gather(*(service.book(me, wanted(24 * n, 24 * n + 1)) for n in range(1, 11)))
    codes = sorted(result.code if isinstance(result, Refused) else "accepted" for result in results)
    assert codes == ["accepted"] * 3 + ["too_many_upcoming"] * 7


@pytest.mark.parametrize(("start_h", "end_h"), [(1, 1.6), (4.25, 6), (2, 4), (0, 9), (2.5, 3)])
async def test_C38_guard_refuses_a_raw_insert(db: Database, start_h: float, end_h: float) -> None:
    await factories.write_service(db)
    await db.write(TESTS, lambda tx: factories.booking(tx, start_at=at(2), end_at=at(4)))
    with pytest.raises(DBAPIError, match="overlap"):
        await db.write(
            TESTS, lambda tx: factories.booking(tx, id="b2", start_at=at(start_h), end_at=at(end_h))
        )


@pytest.mark.parametrize(
    "values",
    [
        {"start_at": at(3)},
        {"end_at": at(6), "blocked_until": at(6.5), "start_at": at(1)},
        {"vehicle_id": "car-1", "status": "active", "blocked_until": at(30), "start_at": at(3.9)},
    ],
)
async def test_C38_guard_refuses_a_raw_update(db: Database, values: dict[str, Any]) -> None:
    await factories.write_service(db)
    await db.write(TESTS, lambda tx: factories.booking(tx, start_at=at(2), end_at=at(4)))
    await db.write(TESTS, lambda tx: factories.booking(tx, id="b2", start_at=at(6), end_at=at(8)))
    statement = update(schema.bookings).where(schema.bookings.c.id == "b2").values(**values)
    with pytest.raises(DBAPIError, match="overlap"):
        await db.write(TESTS, lambda tx: tx.execute(statement))


async def test_C38_guard_refuses_to_revive_a_cancelled_booking(db: Database) -> None:
    await factories.write_service(db)
    await db.write(TESTS, lambda tx: factories.booking(tx, status="cancelled"))
    await db.write(TESTS, lambda tx: factories.booking(tx, id="b2"))
    statement = update(schema.bookings).where(schema.bookings.c.id == "b1").values(status="booked")
    with pytest.raises(DBAPIError, match="overlap"):
        await db.write(TESTS, lambda tx: tx.execute(statement))


async def test_C6_guard_refuses_a_booking_in_a_block(db: Database) -> None:
    await factories.write_service(db)
    block = insert(schema.vehicle_blocks).values(
        id="k", organisation_id="org", vehicle_id="car-1", start_at=at(2), end_at=at(4), reason="cleaning"
    )
    await db.write(TESTS, lambda tx: tx.execute(block))
    with pytest.raises(DBAPIError, match="overlap"):
        await db.write(TESTS, lambda tx: factories.booking(tx, start_at=at(3), end_at=at(5)))


async def test_what_the_guard_refuses_the_service_calls_overlap(
    db: Database, service: BookingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when another process was faster: the rule sees an empty calendar, the schema does not."""
    me = await identity(db)
    await db.write(TESTS, lambda tx: factories.driver(tx, id="d2"))
    await booked(service, await identity(db, "d2"), 2, 4)
    monkeypatch.setattr(rules, "_free", lambda *_args, **_named: None)
    refused = await service.book(me, wanted(3, 5))
    mine = await booked(service, me, 0.5, 1)
    extended = await service.extend(me, mine.id, at(3))
    assert isinstance(refused, Refused)
    assert refused.code == "overlap"
    assert extended == Refused("overlap", {"vehicle": "car-1"})


async def test_overlap_proposes_the_nearest_time_and_other_cars(
    db: Database, service: BookingService
) -> None:
    async def more(tx: Tx) -> None:
        await factories.driver(tx, id="d2")
        await factories.station(tx, id="far", name="Far")
        await factories.vehicle(tx, id="car-far", station_id="far", charging_station=None, evse_id=None)
        await factories.vehicle(tx, id="car-here", charging_station=None, evse_id=None)
        await factories.vehicle(tx, id="car-gone", charging_station=None, evse_id=None, withdrawn_at=NOW)

    await db.write(TESTS, more)
    me = await identity(db)
    await booked(service, await identity(db, "d2"), 2, 4)
    refused = await service.book(me, wanted(3, 4))
    assert refused == Refused(
        "overlap",
        {
            "vehicle": "car-1",
            "proposals": [
                {"vehicle": "car-1", "start_at": "2026-11-21T12:30:00Z", "end_at": "2026-11-21T13:30:00Z"},
                {"vehicle": "car-here", "start_at": "2026-11-21T11:00:00Z", "end_at": "2026-11-21T12:00:00Z"},
                {"vehicle": "car-far", "start_at": "2026-11-21T11:00:00Z", "end_at": "2026-11-21T12:00:00Z"},
            ],
        },
    )


async def test_C25_closed_hours_propose_the_opening(db: Database, service: BookingService) -> None:
    refused = await service.book(await identity(db), wanted(18, 22))  # from 3:00 until 7:00 in Paris
    assert isinstance(refused, Refused)
    assert refused.code == "start_closed"
    assert refused.params["proposals"] == [
        {"vehicle": "car-1", "start_at": "2026-11-22T04:00:00Z", "end_at": "2026-11-22T08:00:00Z"}
    ]


async def test_C44_refused_extension_says_how_far_it_may_go(db: Database, service: BookingService) -> None:
    await db.write(TESTS, lambda tx: factories.driver(tx, id="d2"))
    me = await identity(db)
    await booked(service, me, 1, 2)
    await booked(service, await identity(db, "d2"), 5, 6)
    assert await service.extend(me, "b1", at(4.6)) == Refused(
        "overlap", {"vehicle": "car-1", "latest_end": "2026-11-21T12:30:00Z"}
    )
    assert await service.latest_end(me, "b1") == at(4.5)
    assert isinstance(await service.extend(me, "b1", at(4.5)), Booking)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("0001-01-03", "9999-12-30", "in_the_past"),
        ("2026-11-22", "9999-12-31", "too_long"),
        ("9999-12-30", "9999-12-31", "too_far_ahead"),
        ("9999-12-31", "0001-01-01", "ends_before_start"),
    ],
)
async def test_absurd_times_are_refused_with_their_figures(
    db: Database, service: BookingService, start: str, end: str, expected: str
) -> None:
    me = await identity(db)
    first, last = (datetime.fromisoformat(f"{day}T12:00+00:00") for day in (start, end))
    refused = await service.book(me, replace(wanted(0, 1), start_at=first, end_at=last))
    assert isinstance(refused, Refused)
    assert refused.code == expected
    await booked(service, me, 1, 2)
    too_far = await service.extend(me, "b2", datetime.fromisoformat("9999-12-31T12:00+00:00"))
    too_early = await service.shorten(me, "b2", datetime.fromisoformat("0001-01-01T12:00+00:00"))
    assert too_far == Refused("too_long", {"max_duration_h": 72})
    assert too_early == Refused("ends_before_start")


async def test_unknown_things_are_refused_by_name(db: Database, service: BookingService) -> None:
    me, boss = await identity(db), await identity(db, "m1")
    assert await service.book(me, wanted(2, 4, vehicle_id="nope")) == Refused(
        "vehicle_unknown", {"vehicle": "nope"}
    )
    assert await service.book(boss, wanted(2, 4, driver_id="nope")) == Refused(
        "driver_unknown", {"driver": "nope"}
    )
    assert await service.cancel(me, "nope") == Refused("booking_unknown", {"booking": "nope"})
    assert await service.get(me, "nope") == Refused("booking_unknown", {"booking": "nope"})


async def test_C1_another_organisation_does_not_see_that_things_exist(
    db: Database, service: BookingService
) -> None:
    async def neighbours(tx: Tx) -> None:
        await factories.organisation(tx, id="org2")
        await factories.manager(tx, id="m2", roles=({"role": "fleet_manager", "organisation_id": "org2"},))

    await db.write(TESTS, neighbours)
    await booked(service, await identity(db), 2, 4)
    stranger = await identity(db, "m2")
    unknown = Refused("booking_unknown", {"booking": "b1"})
    assert await service.get(stranger, "b1") == unknown
    assert await service.cancel(stranger, "b1") == unknown
    assert await service.latest_end(stranger, "b1") == unknown
    assert await service.book(stranger, wanted(6, 7)) == Refused("vehicle_unknown", {"vehicle": "car-1"})
    assert await service.of_driver(stranger, "org", "d1") == Refused("not_yours")


async def test_driver_sees_and_changes_his_own_the_manager_everybodys(
    db: Database, service: BookingService
) -> None:
    await db.write(TESTS, lambda tx: factories.driver(tx, id="d2"))
    me, other, boss = await identity(db), await identity(db, "d2"), await identity(db, "m1")
    mine = await booked(service, me, 2, 4)
    for_me = await service.book(boss, wanted(8, 9))
    assert isinstance(for_me, Booking)
    assert (for_me.driver_id, for_me.made_by_id) == ("d1", "m1")
    assert await service.get(other, "b1") == Refused("not_yours")
    assert await service.cancel(other, "b1") == Refused("not_yours")
    assert await service.get(boss, "b1") == mine
    assert await service.of_driver(me, "org", "d1") == [for_me, mine]
    assert await service.of_driver(me, "org", "d1", limit=1, before=for_me.start_at) == [mine]
    assert await service.of_driver(other, "org", "d1") == Refused("not_yours")
    cancelled = await service.cancel(boss, "b1")
    assert isinstance(cancelled, Booking)
    assert cancelled.status is BookingStatus.CANCELLED


async def test_free_vehicles_leave_out_taken_blocked_withdrawn_late_and_foreign_cars(
    db: Database, service: BookingService
) -> None:
    async def fleet(tx: Tx) -> None:
        bare = {"charging_station": None, "evse_id": None}
        names = ["free", "taken", "before", "near", "late", "early", "blocked", "gone", "soon"]
        for name in names:
            gone = {"gone": NOW, "soon": at(6)}.get(name)
            await factories.vehicle(tx, id=name, name=name, withdrawn_at=gone, **bare)
        await factories.community(tx, id="com2")
        await factories.station(tx, id="st2", community_id="com2")
        await factories.vehicle(tx, id="foreign", station_id="st2", **bare)
        rows: list[dict[str, Any]] = [
            {"vehicle_id": "taken", "start_at": at(2), "end_at": at(4)},
            {"vehicle_id": "before", "start_at": at(-3), "end_at": at(0.5), "status": "active"},
            {"vehicle_id": "near", "start_at": at(5.25), "end_at": at(7)},
            {"vehicle_id": "late", "start_at": at(-9), "end_at": at(-2), "status": "active"},
            {
                "vehicle_id": "early",
                "start_at": at(-9),
                "end_at": at(9),
                "status": "completed",
                "returned_at": at(-0.1),
            },
            {"vehicle_id": "free", "start_at": at(-9), "end_at": at(9), "status": "cancelled"},
        ]
        for number, row in enumerate(rows):
            await factories.booking(tx, id=f"f{number}", **row)
        await tx.execute(
            insert(schema.vehicle_blocks).values(
                id="k",
                organisation_id="org",
                vehicle_id="blocked",
                start_at=at(4),
                end_at=at(5),
                reason="repair",
            )
        )

    await db.write(TESTS, fleet)

    async def free(start_h: float, end_h: float) -> list[str]:
        found = await service.free_vehicles("org", "com", at(start_h), at(end_h))
        assert isinstance(found, list)
        return [vehicle.id for vehicle in found]

    assert await free(3, 5) == ["car-1", "before", "early", "free", "late", "soon"]
    assert await free(0.25, 1.25) == ["car-1", "blocked", "free", "near", "soon", "taken"]
    assert await service.free_vehicles("org", "com", at(3), at(3)) == Refused("ends_before_start")
    assert await service.free_vehicles("org", "no", at(3), at(4)) == Refused(
        "community_unknown", {"community": "no"}
    )


async def test_free_vehicles_agree_with_booking(db: Database, service: BookingService) -> None:
    """What the list shows can be booked, and what it leaves out cannot."""
    me = await identity(db)
    await booked(service, me, 3, 4)
    for start_h in (1, 1.5, 2, 2.5, 3, 4, 4.5, 5):
        found = await service.free_vehicles("org", "com", at(start_h), at(start_h + 1))
        result = await service.book(me, wanted(start_h, start_h + 1))
        assert found == [] or isinstance(result, Booking)
        assert isinstance(found, list)
        assert bool(found) == isinstance(result, Booking)
        if isinstance(result, Booking):
            await service.cancel(me, result.id)


async def test_station_calendar_shows_what_touches_the_span(db: Database, service: BookingService) -> None:
    me = await identity(db)
    first = await booked(service, me, 2, 4)
    second = await booked(service, me, 10, 12)
    gone = await booked(service, me, 6, 7)
    await service.cancel(me, gone.id)
    calendar = await service.calendar("org", "st", Timespan(at(0), at(24)))
    assert calendar.bookings == (first, second)
    assert (await service.calendar("org", "st", Timespan(at(4.2), at(9)))).bookings == (first,)
    assert (await service.calendar("org", "other", Timespan(at(0), at(24)))).bookings == ()


async def test_sweep_gives_up_what_nobody_started(
    db: Database, service: BookingService, clock: FixedClock
) -> None:
    me = await identity(db)
    await booked(service, me, 1, 3)
    await booked(service, me, 1 + 24, 3 + 24)
    clock.set(at(1.99))
    assert await service.sweep_no_shows() == 0
    clock.set(at(2))
    assert await service.sweep_no_shows() == 1
    assert await service.sweep_no_shows() == 0
    assert (await stored(db, "b1"))["status"] == "no_show"
    assert await events(db) == [("BookingMade", "b1"), ("BookingMade", "b2"), ("BookingCancelled", "b1")]


async def test_sweep_tells_once_that_a_car_is_late(
    db: Database, service: BookingService, clock: FixedClock
) -> None:
    me = await identity(db)
    await booked(service, me, 1, 3)
    clock.set(at(1))
    await service.start(Automatic(cause="key_box"), "b1")
    clock.set(at(3))
    assert await service.sweep_late() == 0
    clock.set(at(3.1))
    assert (await service.sweep_late(), await service.sweep_late()) == (1, 0)
    assert (await events(db))[-1] == ("BookingLate", "b1")
    back = await service.give_back(me, "b1", WELL)
    assert isinstance(back, Booking)
    assert back.blocked_until == at(3.6)


async def test_C25_C23_booking_over_the_autumn_night(db: Database, clock: FixedClock) -> None:
    await factories.write_service(db)
    clock.set(datetime(2026, 10, 24, 12, tzinfo=UTC))
    service = BookingService(db, clock, ids())
    start, end = datetime(2026, 10, 24, 20, tzinfo=UTC), datetime(2026, 10, 25, 4, tzinfo=UTC)
    request = replace(wanted(0, 1), start_at=start, end_at=end)  # 22:00 CEST until 5:00 CET: 8 hours
    made = await service.book(await identity(db), request)
    early = await service.shorten(await identity(db), "b1", end - timedelta(minutes=1))
    assert isinstance(made, Booking)
    assert made.span.duration == timedelta(hours=8)
    assert isinstance(early, Refused)
    assert early.code == "end_closed"


async def test_C25_C23_booking_over_the_spring_night(db: Database, clock: FixedClock) -> None:
    await factories.write_service(db)
    clock.set(datetime(2027, 3, 27, 12, tzinfo=UTC))
    service = BookingService(db, clock, ids())
    start, end = datetime(2027, 3, 27, 21, tzinfo=UTC), datetime(2027, 3, 28, 3, tzinfo=UTC)
    request = replace(wanted(0, 1), start_at=start, end_at=end)  # 22:00 CET until 5:00 CEST: 6 hours
    made = await service.book(await identity(db), request)
    early = await service.shorten(await identity(db), "b1", end - timedelta(minutes=1))
    assert isinstance(made, Booking)
    assert made.span.duration == timedelta(hours=6)
    assert isinstance(early, Refused)
    assert early.code == "end_closed"
