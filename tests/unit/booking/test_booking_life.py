"""Extend, shorten, cancel, start, return, no-show, late: Paris wall clock, October 2026."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from supervision.accounts.model import Identity, Licence
from supervision.booking.machine import TABLE, Move, step
from supervision.booking.model import Booking, BookingStatus, ReturnEvidence
from supervision.booking.rules import (
    Accepted,
    Automatic,
    Decision,
    decide_cancel,
    decide_extend,
    decide_give_back,
    decide_late,
    decide_no_show,
    decide_shorten,
    decide_start,
)
from supervision.kernel.errors import Refused
from supervision.kernel.events import (
    BookingCancelled,
    BookingLate,
    BookingMoved,
    BookingReturned,
    BookingStarted,
)
from tests.unit.booking.cases import (
    CAR,
    DRIVER,
    MANAGER,
    NOW,
    OTHER,
    booked,
    code,
    community,
    local,
    mine,
    situation,
)

ME = Identity(person=DRIVER)
TRIP = mine("21 18:00", "21 20:00")
IDS = {"organisation_id": "org", "booking_id": "b1", "vehicle_id": "car-1", "station_id": "st"}
WELL = ReturnEvidence(key_returned=True, plugged=True, charging=True)


def extend(new_end: str, *others: Booking, booking: Booking = TRIP, **changes: object) -> Decision:
    return decide_extend(booking, local(new_end), situation(booking, *others, **changes), by=ME, now=NOW)


def start(at: str, booking: Booking = TRIP, *others: Booking) -> Decision:
    return decide_start(booking, situation(booking, *others), by=ME, now=local(at))


def give_back(evidence: ReturnEvidence, booking: Booking, **rules: object) -> Decision:
    return decide_give_back(booking, evidence, community(**rules), by=ME, now=local("21 19:50"))


def started(trip: Booking = TRIP) -> Booking:
    return replace(trip, status=BookingStatus.ACTIVE, started_at=trip.start_at)


def after(decision: Decision | None) -> Booking:
    assert isinstance(decision, Accepted)
    return decision.booking


def test_machine_allows_exactly_its_table() -> None:
    moves = {
        (status, move): step(status, move)
        for status in BookingStatus
        for move in Move
        if step(status, move) is not None
    }
    assert moves == TABLE
    ended = (BookingStatus.COMPLETED, BookingStatus.CANCELLED, BookingStatus.NO_SHOW)
    assert not any(status in ended for status, _ in TABLE)


def test_C44_extension_moves_end_buffer_and_code() -> None:
    decision = extend("21 22:00")
    assert isinstance(decision, Accepted)
    assert (decision.booking.end_at, decision.booking.blocked_until) == (local("21 22:00"), local("21 22:30"))
    assert decision.events == (BookingMoved(**IDS, change="extended"),)


@pytest.mark.parametrize(("new_end", "expected"), [("21 21:30", "accepted"), ("21 21:31", "overlap")])
def test_C38_extension_keeps_the_buffer_before_the_next_booking(new_end: str, expected: str) -> None:
    assert code(extend(new_end, booked("21 22:00", "21 23:00"))) == expected


@pytest.mark.parametrize(
    ("new_end", "expected"),
    [
        ("21 19:30", "not_longer"),
        ("22 00:30", "end_closed"),
        ("24 18:00", "accepted"),
        ("24 18:01", "too_long"),
        ("9999-12-30 00:00", "too_long"),
    ],
)
def test_C23_C25_extension_obeys_the_rules_of_booking(new_end: str, expected: str) -> None:
    assert code(extend(new_end)) == expected


def test_C23_extension_does_not_defeat_the_longest_duration_by_a_chain() -> None:
    before = mine("19 08:00", "21 17:30", id="b0")
    assert code(extend("21 23:00", before)) == "accepted"
    assert code(extend("22 08:01", before)) == "chain_too_long"


def test_C18_extension_ends_before_the_licence() -> None:
    licence = Licence(number="1", category="B", valid_until=date(2026, 10, 21))
    driver = replace(DRIVER, licence=licence)
    assert code(extend("21 23:00", driver=driver)) == "accepted"
    assert code(extend("22 06:00", driver=driver)) == "licence_expires"


def test_extension_of_a_withdrawn_vehicle_is_refused() -> None:
    car = replace(CAR, withdrawn_at=local("21 21:00"))
    assert code(extend("21 21:30", vehicle=car)) == "vehicle_withdrawn"


def test_extension_to_the_same_end_changes_nothing() -> None:
    assert extend("21 20:00") == Accepted(booking=TRIP)


def test_late_driver_extends_only_into_the_future_and_may_be_told_again() -> None:
    told = replace(started(), late_told_at=local("21 20:01"))
    at = local("21 20:30")
    past = decide_extend(told, local("21 20:15"), situation(told), by=ME, now=at)
    further = decide_extend(told, local("21 21:00"), situation(told), by=ME, now=at)
    assert code(past) == "in_the_past"
    assert after(further).late_told_at is None


@pytest.mark.parametrize(
    ("new_end", "expected"),
    [
        ("21 18:30", "accepted"),
        ("21 18:29", "too_short"),
        ("21 20:01", "not_shorter"),
        ("21 17:00", "ends_before_start"),
    ],
)
def test_C23_shortening_keeps_the_shortest_duration(new_end: str, expected: str) -> None:
    assert code(decide_shorten(TRIP, local(new_end), situation(TRIP), by=ME, now=NOW)) == expected


def test_shortening_frees_the_buffer_and_tells() -> None:
    decision = decide_shorten(TRIP, local("21 19:00"), situation(TRIP), by=ME, now=NOW)
    assert isinstance(decision, Accepted)
    assert decision.booking.blocked_until == local("21 19:30")
    assert decision.events == (BookingMoved(**IDS, change="shortened"),)


def test_C25_shortening_into_closed_hours_is_refused() -> None:
    night = mine("21 18:00", "22 08:00")
    assert code(decide_shorten(night, local("22 03:00"), situation(night), by=ME, now=NOW)) == "end_closed"


def test_shortening_into_the_past_is_refused() -> None:
    trip = started()
    assert code(decide_shorten(trip, local("21 18:40"), situation(trip), by=ME, now=local("21 18:45"))) == (
        "in_the_past"
    )


def test_cancel_tells_who_did_it() -> None:
    by_driver = decide_cancel(TRIP, by=ME, now=NOW)
    by_manager = decide_cancel(TRIP, by=Identity(person=MANAGER), now=NOW)
    assert isinstance(by_driver, Accepted)
    assert isinstance(by_manager, Accepted)
    assert by_driver.events == (BookingCancelled(**IDS, by="driver"),)
    assert by_manager.events == (BookingCancelled(**IDS, by="manager"),)


def test_cancel_start_and_return_twice_change_nothing_more() -> None:
    cancelled = after(decide_cancel(TRIP, by=ME, now=NOW))
    taken = after(start("21 18:00"))
    returned = after(give_back(WELL, taken))
    assert decide_cancel(cancelled, by=ME, now=NOW + timedelta(hours=1)) == Accepted(booking=cancelled)
    assert start("21 18:30", taken) == Accepted(booking=taken)
    assert give_back(WELL, returned) == Accepted(booking=returned)


def test_nobody_else_acts_on_a_booking() -> None:
    stranger = Identity(person=OTHER)
    decisions = [
        decide_extend(TRIP, local("21 21:00"), situation(TRIP), by=stranger, now=NOW),
        decide_shorten(TRIP, local("21 19:00"), situation(TRIP), by=stranger, now=NOW),
        decide_cancel(TRIP, by=stranger, now=NOW),
        decide_cancel(replace(TRIP, status=BookingStatus.CANCELLED), by=stranger, now=NOW),
        decide_start(TRIP, situation(TRIP), by=stranger, now=local("21 18:00")),
        decide_give_back(started(), WELL, community(), by=stranger, now=NOW),
    ]
    assert [code(decision) for decision in decisions] == ["not_yours"] * 6


def test_the_service_itself_may_act() -> None:
    decision = decide_start(TRIP, situation(TRIP), by=Automatic(cause="key_box"), now=local("21 18:00"))
    assert after(decision).status is BookingStatus.ACTIVE


def test_illegal_moves_name_the_state() -> None:
    assert decide_cancel(started(), by=ME, now=NOW) == Refused(
        "wrong_state", {"status": "active", "move": "cancel"}
    )
    assert code(give_back(WELL, TRIP)) == "wrong_state"


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("21 17:44", "too_early_to_start"),
        ("21 17:45", "accepted"),
        ("21 19:59", "accepted"),
        ("21 20:00", "booking_over"),
    ],
)
def test_C24_start_from_the_code_until_the_end(at: str, expected: str) -> None:
    assert code(start(at)) == expected


def test_start_tells_and_keeps_the_odometer() -> None:
    decision = decide_start(TRIP, situation(TRIP), by=ME, now=local("21 18:00"), odometer_km=12000)
    assert isinstance(decision, Accepted)
    assert (decision.booking.started_at, decision.booking.start_km) == (local("21 18:00"), 12000)
    assert decision.events == (BookingStarted(**IDS),)


def test_start_without_a_reading_takes_the_odometer_the_last_driver_left() -> None:
    now = situation(TRIP)
    left = replace(now, vehicle=replace(now.vehicle, odometer_km=12345))
    decision = decide_start(TRIP, left, by=ME, now=local("21 18:00"))
    assert isinstance(decision, Accepted)
    assert decision.booking.start_km == 12345


def test_start_of_a_car_without_known_odometer_keeps_none() -> None:
    decision = decide_start(TRIP, situation(TRIP), by=ME, now=local("21 18:00"))
    assert isinstance(decision, Accepted)
    assert decision.booking.start_km is None


def test_start_waits_for_the_driver_before() -> None:
    still_out = booked("21 14:00", "21 17:30", status=BookingStatus.ACTIVE)
    assert code(start("21 18:00", TRIP, still_out)) == "vehicle_not_back"


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (WELL, "accepted"),
        (ReturnEvidence(key_returned=False, plugged=True, charging=True), "key_missing"),
        (ReturnEvidence(key_returned=True, plugged=False, charging=False), "not_plugged"),
        (ReturnEvidence(key_returned=True, plugged=True, charging=False), "not_charging"),
        (ReturnEvidence(key_returned=True, exception="cable broken"), "accepted"),
        (ReturnEvidence(key_returned=False, charging=False, exception="left with the mayor"), "accepted"),
        (ReturnEvidence(), "accepted"),  # no key box, no charging station: nothing can tell
    ],
)
def test_C44_return_needs_the_key_and_a_charge_or_an_exception(
    evidence: ReturnEvidence, expected: str
) -> None:
    assert code(give_back(evidence, started())) == expected


def test_C41_return_without_charge_where_the_community_does_not_ask() -> None:
    evidence = ReturnEvidence(key_returned=True, plugged=False, charging=False)
    assert code(give_back(evidence, started(), return_needs_charge=False)) == "accepted"


def test_return_tells_and_keeps_the_evidence() -> None:
    decision = decide_give_back(
        replace(started(), start_km=100), WELL, community(), by=ME, now=local("21 20:20"), odometer_km=142
    )
    assert isinstance(decision, Accepted)
    booking = decision.booking
    assert (booking.returned_at, booking.return_km, booking.return_evidence) == (local("21 20:20"), 142, WELL)
    assert booking.blocked_until == local("21 20:50")  # late: the buffer counts from the return
    assert decision.events == (BookingReturned(**IDS),)


def test_odometer_does_not_go_back() -> None:
    trip = replace(started(), start_km=100)
    decision = decide_give_back(trip, WELL, community(), by=ME, now=NOW, odometer_km=99)
    assert decision == Refused("odometer_went_back", {"start_km": 100})


def test_no_show_after_an_hour_or_at_the_end() -> None:
    short = mine("21 18:00", "21 18:30")
    assert decide_no_show(TRIP, community(), now=local("21 18:59")) is None
    assert after(decide_no_show(TRIP, community(), now=local("21 19:00"))).status is BookingStatus.NO_SHOW
    assert after(decide_no_show(short, community(), now=local("21 18:30"))).status is BookingStatus.NO_SHOW
    assert decide_no_show(started(), community(), now=local("21 19:00")) is None


def test_no_show_tells_that_the_vehicle_is_free() -> None:
    decision = decide_no_show(TRIP, community(), now=local("21 19:00"))
    assert decision is not None
    assert decision.events == (BookingCancelled(**IDS, by="no_show"),)


def test_late_is_told_once() -> None:
    trip = started()
    assert decide_late(trip, now=local("21 20:00")) is None
    told = decide_late(trip, now=local("21 20:01"))
    assert told is not None
    assert told.events == (BookingLate(**IDS),)
    assert decide_late(told.booking, now=local("21 20:30")) is None
    assert decide_late(TRIP, now=local("21 20:30")) is None
