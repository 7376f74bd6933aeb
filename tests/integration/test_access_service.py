"""From the booking to the code, the box, the car, the charging point and the return."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from supervision.access import store
from supervision.access.authoriser import ChargingAuthoriser
from supervision.access.hands import Hands
from supervision.access.model import AccessCode, VisibleCode
from supervision.access.providers.immobiliser import ImmobiliserState
from supervision.access.providers.immobiliser.simulated import SimulatedImmobilisers
from supervision.access.providers.key_box import BoxAddress, BoxEvent
from supervision.access.providers.key_box.simulated import SimulatedKeyBoxes
from supervision.access.providers.key_box.simulated.lock import Opened
from supervision.access.returns import ReturnService
from supervision.access.service import AccessService
from supervision.accounts import store as accounts
from supervision.accounts.model import Identity
from supervision.booking.model import Booking, BookingRequest, BookingStatus, ReturnEvidence
from supervision.booking.service import BookingService
from supervision.clock import FixedClock
from supervision.csms.authorising import IdTokenAuthoriser, TokenRequest
from supervision.csms.model import IdTokenDecision, IdTokenStatus
from supervision.kernel.errors import Refused
from supervision.store import schema
from supervision.store.db import Database, Tx
from supervision.store.outbox import Outbox
from tests import factories
from tests.factories import NOW, TESTS

BOX = BoxAddress(id="box", organisation_id="org")


@dataclass(frozen=True)
class World:
    """A small service with everything wired, as the composition root does it."""

    db: Database
    clock: FixedClock
    bookings: BookingService
    access: AccessService
    returns: ReturnService
    hands: Hands
    boxes: SimulatedKeyBoxes
    cars: SimulatedImmobilisers
    outbox: Outbox
    me: Identity
    boss: Identity

    async def book(self, start_h: float, end_h: float, vehicle: str = "car-1", driver: str = "d1") -> Booking:
        who = await identity(self.db, driver)
        request = BookingRequest(vehicle_id=vehicle, driver_id=driver, start_at=at(start_h), end_at=at(end_h))
        made = await self.bookings.book(who, request)
        assert isinstance(made, Booking)
        await self.outbox.drain()
        return made

    async def at(self, hours: float) -> None:
        """Go to `hours` after NOW and let the sweeps and the outbox work."""
        self.clock.set(at(hours))
        await self.access.release_due()
        await self.outbox.drain()

    async def code(self, booking_id: str) -> AccessCode:
        async with self.db.read("org") as reader:
            code = await store.code(reader, "org", booking_id)
        assert code is not None
        return code

    async def digits(self, booking_id: str) -> str:
        digits = await self.access.digits_to_send("org", booking_id)
        assert digits is not None
        return digits

    async def execute(self, *statements: Any) -> None:
        async def unit(tx: Tx) -> None:
            for statement in statements:
                await tx.execute(statement)

        await self.db.write(TESTS, unit)

    async def rows(self, statement: Any) -> Sequence[dict[str, Any]]:
        async with self.db.read(TESTS) as reader:
            return await reader.all(statement)


def at(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


async def identity(db: Database, person_id: str) -> Identity:
    async with db.read(TESTS) as reader:
        person = await accounts.person(reader, person_id)
    assert person is not None
    return Identity(person=person)


async def set_up(tx: Tx) -> None:
    await factories.organisation(tx)
    await factories.community(tx)
    await factories.station(tx)
    await factories.charging_station(tx, evses=2)
    await factories.vehicle(tx, key_box_slot=1)
    await factories.vehicle(tx, id="car-2", evse_id=2, key_box_slot=2)
    await factories.manager(tx)
    await factories.driver(tx)
    await factories.driver(tx, id="d2")
    await tx.execute(
        insert(schema.key_boxes).values(
            id="box", organisation_id="org", station_id="st", provider="simulated", config={"slots": 2}
        )
    )


@pytest.fixture
async def world(db: Database, clock: FixedClock) -> World:
    await db.write(TESTS, set_up)
    numbers = itertools.count(1)
    bookings = BookingService(db, clock, lambda: f"b{next(numbers)}")
    boxes, cars = SimulatedKeyBoxes(db), SimulatedImmobilisers(db)
    access = AccessService(
        db, clock, secret=bytes(32), bookings=bookings, key_boxes={"simulated": boxes}, immobilisers=cars
    )
    return World(
        db=db,
        clock=clock,
        bookings=bookings,
        access=access,
        returns=ReturnService(db, clock, bookings=bookings, access=access),
        hands=Hands(db, clock, access=access, key_boxes=boxes, immobilisers=cars),
        boxes=boxes,
        cars=cars,
        outbox=Outbox(db, clock, access.consumers()),
        me=await identity(db, "d1"),
        boss=await identity(db, "m1"),
    )


async def released(world: World) -> list[tuple[str, int]]:
    table = schema.outbox_events
    rows = await world.rows(select(table).where(table.c.name == "AccessCodeReleased").order_by(table.c.id))
    return [(row["payload"]["booking_id"], row["payload"]["revision"]) for row in rows]


# --- the code --------------------------------------------------------------------------------------------


async def test_C44_code_is_shown_an_hour_before_the_start(world: World) -> None:
    booking = await world.book(5, 7)
    waiting = Refused("code_not_released", {"release_at": "2026-11-21T12:00:00Z"})
    assert await world.access.code_for(world.me, booking) == waiting
    assert await world.access.digits_to_send("org", "b1") is None
    await world.at(3.99)
    assert await world.access.code_for(world.me, booking) == waiting
    await world.at(4)
    shown = await world.access.code_for(world.me, booking)
    assert isinstance(shown, VisibleCode)
    assert (shown.valid_from, shown.valid_until, shown.released_at) == (at(4.75), at(7.25), at(4))
    assert shown.digits == await world.digits("b1")
    assert (await released(world), await world.access.release_due()) == ([("b1", 1)], 0)


async def test_C20_code_of_a_late_booking_is_shown_at_once(world: World) -> None:
    booking = await world.book(0.5, 2)
    assert isinstance(await world.access.code_for(world.me, booking), VisibleCode)
    assert await released(world) == [("b1", 1)]


async def test_C24_every_change_gives_a_new_code(world: World) -> None:
    booking = await world.book(0.5, 2)
    first = await world.digits("b1")
    await world.bookings.extend(world.me, "b1", at(3))
    await world.outbox.drain()
    second = await world.digits("b1")
    assert second != first
    assert await released(world) == [("b1", 1), ("b1", 2)]
    seen = await world.access.code_for(world.me, booking)
    assert isinstance(seen, VisibleCode)
    assert seen.valid_until == at(3.25)
    state = await world.boxes.look(BOX)
    assert [(held.booking_id, held.revision) for held in state.codes] == [("b1", 2)]


async def test_cancelled_booking_has_no_code(world: World) -> None:
    booking = await world.book(0.5, 2)
    await world.bookings.cancel(world.me, "b1")
    await world.outbox.drain()
    assert await world.access.code_for(world.me, booking) == Refused("code_revoked")
    assert await world.access.digits_to_send("org", "b1") is None
    assert (await world.boxes.look(BOX)).codes == ()


async def test_only_driver_and_manager_see_the_code_the_manager_audited(world: World) -> None:
    booking = await world.book(0.5, 2)
    assert await world.access.code_for(await identity(world.db, "d2"), booking) == Refused("not_yours")
    mine = await world.access.code_for(world.me, booking)
    assert await world.rows(select(schema.audit_entries)) == []
    assert await world.access.code_for(world.boss, booking) == mine
    rows = await world.rows(select(schema.audit_entries))
    assert [(row["person_id"], row["action"], row["subject"]) for row in rows] == [
        ("m1", "access_code.shown", "booking:b1")
    ]


async def test_events_seen_twice_change_nothing(world: World) -> None:
    await world.book(0.5, 2)
    before = await world.code("b1")
    for _ in range(2):
        await world.access.follow("org", "b1")
    assert await world.code("b1") == before
    assert await released(world) == [("b1", 1)]


async def test_C24_no_digits_stand_in_the_database(world: World) -> None:
    await world.book(0.5, 2)
    digits = await world.digits("b1")
    for table in schema.metadata.sorted_tables:
        assert digits not in str(await world.rows(select(table))), table.name


async def test_codes_of_one_station_differ(world: World) -> None:
    """Were two equal, the later one would have taken another revision."""
    await world.book(0.5, 2)
    await world.book(0.5, 2, vehicle="car-2", driver="d2")
    assert await world.digits("b1") != await world.digits("b2")


# --- the box ---------------------------------------------------------------------------------------------


async def test_C8_key_taken_with_the_code_starts_the_booking(world: World) -> None:
    await world.book(0.5, 2)
    await world.at(0.3)
    taken = await world.hands.fetch("org", "st", await world.digits("b1"))
    assert isinstance(taken, BoxEvent)
    assert (taken.kind, taken.slot) == ("key_taken", 1)
    booking = await world.bookings.get(world.me, "b1")
    assert isinstance(booking, Booking)
    assert (booking.status, booking.started_at) == (BookingStatus.ACTIVE, at(0.3))
    async with world.db.read("org") as reader:
        events = await store.events_of(reader, "org", "b1")
    assert [(row["device"], row["kind"], row["details"]) for row in events] == [
        ("key_box:box", "opened", {"slot": 1}),
        ("key_box:box", "key_taken", {"slot": 1}),
    ]


async def test_code_does_not_open_before_its_window(world: World) -> None:
    await world.book(0.5, 2)
    digits = await world.digits("b1")
    assert isinstance(await world.hands.enter_at_box("org", "st", digits), Refused)
    await world.at(0.3)
    assert isinstance(await world.hands.enter_at_box("org", "st", digits), Opened)


async def test_box_confirms_what_it_holds(world: World) -> None:
    await world.book(0.5, 2)
    assert (await world.code("b1")).box_revision == 1
    await world.bookings.cancel(world.me, "b1")
    await world.outbox.drain()
    assert (await world.code("b1")).box_revision is None


async def test_box_without_network_is_told_when_it_is_back(world: World) -> None:
    await world.boxes.disturb(BOX, offline=True)
    await world.book(0.5, 2)
    assert (await world.code("b1")).box_revision is None
    assert await world.access.sync_due() == 0
    await world.boxes.disturb(BOX)
    await world.at(0.1)  # the outbox tries again by itself
    assert (await world.code("b1")).box_revision == 1


async def test_sweep_mends_what_the_outbox_gave_up(world: World) -> None:
    await world.book(0.5, 2)
    await world.execute(update(schema.access_codes).values(box_revision=None))
    assert (await world.access.sync_due(), await world.access.sync_due()) == (1, 0)


async def test_station_without_a_box_needs_none(world: World) -> None:
    await world.execute(schema.key_boxes.delete())
    await world.book(0.5, 2)
    assert await world.access.sync_due() == 0
    assert await world.hands.enter_at_box("org", "st", "12345678") == Refused("no_key_box", {"station": "st"})


async def test_C27_manager_opens_a_slot_from_afar_and_it_is_audited(world: World) -> None:
    await world.book(0.5, 2)
    assert await world.access.open_from_afar(world.me, "org", "car-1") == Refused("not_yours")
    assert await world.access.open_from_afar(world.boss, "org", "car-1") is None
    assert isinstance(await world.hands.take_key("org", "st"), BoxEvent)
    rows = await world.rows(select(schema.audit_entries))
    assert [(row["action"], row["subject"]) for row in rows] == [("key_box.opened", "vehicle:car-1")]
    await world.boxes.disturb(BOX, offline=True)
    assert await world.access.open_from_afar(world.boss, "org", "car-1") == Refused(
        "device_unreachable", {"vehicle": "car-1"}
    )


# --- the car ---------------------------------------------------------------------------------------------


async def test_C7_same_code_releases_the_car_until_the_return(world: World) -> None:
    await world.book(0.5, 2)
    await world.at(0.5)
    digits = await world.digits("b1")
    assert await world.hands.start_car("org", "car-1") == Refused("immobilised")
    assert await world.hands.enter_in_car("org", "car-2", digits) == Refused("wrong_code")
    await world.hands.fetch("org", "st", digits)
    assert await world.hands.enter_in_car("org", "car-1", digits) is ImmobiliserState.RELEASED
    assert await world.hands.start_car("org", "car-1") is ImmobiliserState.DRIVING
    await world.at(3)  # late
    assert await world.hands.stop_car("org", "car-1") is ImmobiliserState.RELEASED
    await world.hands.bring("org", "st", digits)
    await world.returns.give_back(world.me, "b1", exception="no cable")
    await world.outbox.drain()
    assert await world.hands.start_car("org", "car-1") == Refused("immobilised")


# --- the charging point ----------------------------------------------------------------------------------


def token(text: str, evse_id: int | None = 1, charging_station: str = "CP16") -> TokenRequest:
    return TokenRequest(
        organisation_id="org",
        station_id="st",
        charging_station=charging_station,
        evse_id=evse_id,
        token=text,
    )


async def decide(world: World, request: TokenRequest) -> IdTokenDecision:
    authoriser: IdTokenAuthoriser = ChargingAuthoriser(world.access)
    async with world.db.read("org") as reader:
        return await authoriser.decide(reader, request, world.clock.now())


ACCEPTED = IdTokenDecision(status=IdTokenStatus.ACCEPTED, person_id="d1", booking_id="b1", vehicle_id="car-1")
INVALID = IdTokenDecision(status=IdTokenStatus.INVALID)


async def test_C44_code_starts_the_charge_at_its_own_charging_point(world: World) -> None:
    await world.book(0.5, 2)
    digits = await world.digits("b1")
    assert await decide(world, token(digits)) == INVALID  # too early
    await world.at(0.5)
    assert await decide(world, token(digits)) == ACCEPTED
    assert await decide(world, token(digits, evse_id=None)) == ACCEPTED
    assert await decide(world, token(digits, evse_id=2)) == INVALID
    assert await decide(world, token(digits, charging_station="CP99")) == INVALID
    assert await decide(world, token("12345678")) == INVALID
    await world.at(2.3)
    assert await decide(world, token(digits)) == INVALID


async def test_C44_late_driver_charges_and_a_returned_car_does_not(world: World) -> None:
    await world.book(0.5, 2)
    await world.at(0.5)
    digits = await world.digits("b1")
    await world.bookings.start(world.me, "b1")
    await world.at(5)
    assert await decide(world, token(digits)) == ACCEPTED
    await world.returns.give_back(world.me, "b1", exception="no cable")
    await world.outbox.drain()
    assert await decide(world, token(digits)) == INVALID


async def test_driver_badge_charges_during_his_own_booking_only(world: World) -> None:
    await world.db.write(TESTS, lambda tx: factories.id_token(tx, person_id="d1"))
    badge = token("04a1b2c3")
    other_evse = token("04a1b2c3", evse_id=2)
    await world.book(0.5, 2)
    assert (await decide(world, badge)).status is IdTokenStatus.INVALID
    await world.at(0.5)
    assert await decide(world, badge) == ACCEPTED
    assert (await decide(world, other_evse)).status is IdTokenStatus.INVALID
    await world.at(2.3)
    assert (await decide(world, badge)).status is IdTokenStatus.INVALID


async def test_driver_badge_keeps_its_group_so_that_another_of_it_may_stop(world: World) -> None:
    await world.db.write(TESTS, lambda tx: factories.id_token(tx, person_id="d1", parent="FAMILY"))
    await world.book(0.5, 2)
    await world.at(0.5)
    assert await decide(world, token("04A1B2C3")) == replace(ACCEPTED, parent="FAMILY")


async def test_driver_badge_charges_anywhere_where_the_community_says_so(world: World) -> None:
    await world.db.write(TESTS, lambda tx: factories.id_token(tx, person_id="d1"))
    rules = update(schema.communities).values(rules={"driver_charge_anywhere": True})
    await world.execute(rules)
    assert await decide(world, token("04A1B2C3")) == IdTokenDecision(
        status=IdTokenStatus.ACCEPTED, person_id="d1"
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"person_id": "m1"}, IdTokenStatus.ACCEPTED),
        ({"person_id": None}, IdTokenStatus.ACCEPTED),
        ({"person_id": "m1", "status": "Blocked"}, IdTokenStatus.BLOCKED),
        ({"person_id": "d1", "status": "Blocked"}, IdTokenStatus.BLOCKED),
        ({"person_id": "d1", "expires_at": NOW}, IdTokenStatus.EXPIRED),
        ({"person_id": "d1", "status": "Invalid"}, IdTokenStatus.INVALID),
    ],
)
async def test_badge_of_staff_charges_at_any_time_a_blocked_one_never(
    world: World, values: dict[str, Any], expected: IdTokenStatus
) -> None:
    await world.db.write(TESTS, lambda tx: factories.id_token(tx, **values))
    await world.book(0.5, 2)
    await world.at(0.5)
    assert (await decide(world, token("04A1B2C3"))).status is expected


# --- the return ------------------------------------------------------------------------------------------


async def at_charging_point(
    world: World, status: str, *, charging: bool = False, evse_id: int = 1, since: datetime | None = None
) -> None:
    """Let charging station CP16 be connected and say this."""
    await world.execute(
        update(schema.charging_stations).values(connected_at=NOW),
        update(schema.evses).where(schema.evses.c.evse_id == evse_id).values(status=status, status_at=since),
    )
    if charging:
        await world.execute(
            insert(schema.charging_transactions).values(
                organisation_id="org",
                charging_station="CP16",
                evse_id=evse_id,
                ocpp="1.6",
                ocpp_transaction_id="1",
                natural_key="k",
                state="open",
                started_at=NOW,
                started_received_at=NOW,
            )
        )


async def on_the_road(world: World) -> str:
    await world.book(0.5, 2)
    await world.at(0.5)
    digits = await world.digits("b1")
    await world.hands.fetch("org", "st", digits)
    await world.at(1.9)
    return digits


async def give_back(world: World, **named: Any) -> Booking | str:
    result = await world.returns.give_back(world.me, "b1", **named)
    return result.code if isinstance(result, Refused) else result


async def test_C44_return_wants_key_then_plug_then_charge(world: World) -> None:
    digits = await on_the_road(world)
    await at_charging_point(world, "Available")
    assert await give_back(world) == "key_missing"
    await world.hands.bring("org", "st", digits)
    assert await give_back(world) == "not_plugged"
    await at_charging_point(world, "Preparing")
    assert await give_back(world) == "not_charging"
    await at_charging_point(world, "SuspendedEVSE", charging=True)  # the plan lets it wait
    back = await give_back(world, odometer_km=42)
    assert isinstance(back, Booking)
    assert (back.status, back.returned_at, back.return_km) == (BookingStatus.COMPLETED, at(1.9), 42)
    assert back.return_evidence == ReturnEvidence(key_returned=True, plugged=True, charging=True)
    assert await give_back(world) == back


async def test_C2_key_returned_to_another_slot_is_no_return(world: World) -> None:
    """Round trip: only the home slot counts; the neighbour's key says nothing about this car."""
    await on_the_road(world)
    await at_charging_point(world, "Charging", evse_id=2)
    await at_charging_point(world, "Available", evse_id=1)
    assert await give_back(world) == "key_missing"


async def test_C28_return_is_not_refused_for_our_own_broken_equipment(world: World) -> None:
    await on_the_road(world)
    await world.boxes.disturb(BOX, offline=True)
    await at_charging_point(world, "Faulted")
    back = await give_back(world)
    assert isinstance(back, Booking)
    assert back.return_evidence == ReturnEvidence()


async def test_return_with_a_reason_keeps_it(world: World) -> None:
    await on_the_road(world)
    await at_charging_point(world, "Available")
    back = await give_back(world, exception="bay blocked")
    assert isinstance(back, Booking)
    assert back.return_evidence == ReturnEvidence(
        key_returned=False, plugged=False, charging=False, exception="bay blocked"
    )


async def test_disconnected_charging_station_proves_nothing(world: World) -> None:
    digits = await on_the_road(world)
    await at_charging_point(world, "Available")
    await world.execute(update(schema.charging_stations).values(disconnected_at=at(1)))
    await world.hands.bring("org", "st", digits)
    back = await give_back(world)
    assert isinstance(back, Booking)
    assert back.return_evidence == ReturnEvidence(key_returned=True)


async def test_stranger_returns_nothing(world: World) -> None:
    await on_the_road(world)
    assert await world.returns.give_back(await identity(world.db, "d2"), "b1") == Refused("not_yours")


async def test_C28_late_trip_ends_when_key_and_charge_are_seen(world: World) -> None:
    digits = await on_the_road(world)
    await at_charging_point(world, "Charging", charging=True)
    await world.hands.bring("org", "st", digits)
    assert await world.returns.sweep_seen_returns() == 0  # not late: the driver may drive on
    await world.at(2.5)
    assert await world.returns.sweep_seen_returns() == 1
    booking = await world.bookings.get(world.me, "b1")
    assert isinstance(booking, Booking)
    assert (booking.status, booking.returned_at) == (BookingStatus.COMPLETED, at(2.5))


async def test_27_a_moment_of_a_plug_ends_no_late_trip(world: World) -> None:
    """A flapping point says Charging for seconds; what lasts a minute, or a charge, is a return."""
    digits = await on_the_road(world)
    await world.hands.bring("org", "st", digits)
    await world.at(2.5)
    await at_charging_point(world, "Charging", since=at(2.5))
    assert await world.returns.sweep_seen_returns() == 0
    await world.at(2.5 + 1 / 60)
    assert await world.returns.sweep_seen_returns() == 1


async def test_27_a_point_free_for_a_moment_while_it_charges_refuses_no_return(world: World) -> None:
    digits = await on_the_road(world)
    await world.hands.bring("org", "st", digits)
    await at_charging_point(world, "Available", charging=True, since=at(1.9))
    assert (await world.returns.evidence(await booked(world))).plugged is None
    await world.at(1.9 + 1 / 60)
    assert (await world.returns.evidence(await booked(world))).plugged is False


async def booked(world: World) -> Booking:
    found = await world.bookings.get(world.me, "b1")
    assert isinstance(found, Booking)
    return found


async def test_late_trip_goes_on_without_key_or_charge(world: World) -> None:
    await on_the_road(world)
    await at_charging_point(world, "Charging", charging=True)
    await world.at(2.5)
    assert await world.returns.sweep_seen_returns() == 0
