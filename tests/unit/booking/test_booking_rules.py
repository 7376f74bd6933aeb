"""Every rule of booking, read like a calendar: Paris wall clock, October 2026 unless written."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from supervision.accounts.model import Identity, Licence, Scope
from supervision.booking.model import BookingStatus, VehicleBlock
from supervision.booking.rules import Accepted
from supervision.kernel.errors import Refused
from supervision.kernel.events import BookingMade
from tests.unit.booking.cases import CAR, DRIVER, MANAGER, NOW, OTHER, book, booked, code, local, mine, paris


def test_booking_two_hours_tomorrow_is_accepted_with_its_event() -> None:
    decision = book("21 18:00", "21 20:00")
    assert isinstance(decision, Accepted)
    assert (decision.booking.status, decision.booking.blocked_until) == (
        BookingStatus.BOOKED,
        local("21 20:30"),
    )
    assert decision.events == (
        BookingMade(organisation_id="org", booking_id="new", vehicle_id="car-1", station_id="st"),
    )


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("21 18:00", "21 18:30", "accepted"),
        ("21 18:00", "21 18:29", "too_short"),
        ("21 08:00", "24 08:00", "accepted"),
        ("21 08:00", "24 08:01", "too_long"),
        ("21 18:00", "21 18:00", "ends_before_start"),
        ("21 18:00", "21 17:00", "ends_before_start"),
    ],
)
def test_C23_duration_from_30_minutes_to_72_hours(start: str, end: str, expected: str) -> None:
    assert code(book(start, end)) == expected


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        # 25 October 2026 has 25 hours: 72 h of wall clock are 73 elapsed ones.
        ("2026-10-23 08:00", "2026-10-26 08:00", "too_long"),
        ("2026-10-23 08:00", "2026-10-26 07:00", "accepted"),
        ("2026-10-25 02:45", "2026-10-25 05:00", "start_closed"),
    ],
)
def test_C23_duration_counts_elapsed_hours_in_the_autumn_night(start: str, end: str, expected: str) -> None:
    assert code(book(start, end)) == expected


def test_C23_duration_counts_elapsed_hours_in_the_spring_night() -> None:
    # 28 March 2027 has 23 hours: 73 h of wall clock are 72 elapsed ones.
    now = datetime(2027, 3, 20, 8, 0, tzinfo=UTC)
    assert code(book("2027-03-26 08:00", "2027-03-29 09:00", now=now)) == "accepted"
    assert code(book("2027-03-26 08:00", "2027-03-29 09:01", now=now)) == "too_long"


@pytest.mark.parametrize(
    ("gap_min", "expected"),
    [(30, "chain_too_long"), (89, "chain_too_long"), (90, "accepted")],
)
def test_C23_chain_of_one_driver_counts_as_one_booking(gap_min: int, expected: str) -> None:
    """A gap nobody else could use (30 minutes with a buffer on both sides) makes 74 h of 36 h and 38 h."""
    first = mine("21 08:00", "22 20:00")
    start = first.end_at + timedelta(minutes=gap_min)
    wanted = paris(start), paris(start + timedelta(hours=38))
    assert code(book(*wanted, first, rules={"closed": None})) == expected
    assert code(book(*wanted, replace(first, driver_id="d2"), rules={"closed": None})) == "accepted"
    assert code(book(*wanted, first, rules={"closed": None, "chain_counts_as_one": False})) == "accepted"


def test_C23_chain_counts_what_was_driven_not_what_was_returned_early() -> None:
    first = mine("19 08:00", "20 20:00", status=BookingStatus.COMPLETED, returned_at=local("19 10:00"))
    assert code(book("20 20:30", "22 20:30", first)) == "accepted"


def test_C22_horizon_is_90_local_days_on_the_start() -> None:
    # 20 October + 90 days = 18 January
    assert code(book("2027-01-18 23:30", "2027-01-20 08:00")) == "accepted"
    assert code(book("2027-01-19 05:00", "2027-01-19 08:00")) == "too_far_ahead"


def test_C22_horizon_opens_at_local_midnight() -> None:
    last_minute, midnight = local("20 23:59"), local("21 00:00")
    assert code(book("2027-01-19 06:00", "2027-01-19 08:00", now=last_minute)) == "too_far_ahead"
    assert code(book("2027-01-19 06:00", "2027-01-19 08:00", now=midnight)) == "accepted"


@pytest.mark.parametrize(
    ("start", "expected"),
    [("20 10:05", "accepted"), ("20 10:04", "too_late_to_book"), ("20 09:59", "in_the_past")],
)
def test_C20_lead_time_is_a_few_minutes(start: str, expected: str) -> None:
    assert code(book(start, "20 12:00", now=NOW + timedelta(seconds=40))) == expected


def test_C20_lead_time_zero_takes_the_running_minute() -> None:
    now = NOW + timedelta(seconds=40)
    assert code(book("20 10:00", "20 12:00", now=now, rules={"lead_min": 0})) == "accepted"


def test_C3_booking_site_is_open_while_the_station_is_closed() -> None:
    assert code(book("21 05:00", "21 06:00", now=local("21 02:00"))) == "accepted"


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("21 00:00", "21 06:00", "start_closed"),
        ("21 04:59", "21 06:00", "start_closed"),
        ("21 05:00", "21 06:00", "accepted"),
        ("21 22:00", "22 00:00", "accepted"),  # back at the instant of closing
        ("21 22:00", "22 00:01", "end_closed"),
        ("21 22:00", "22 04:59", "end_closed"),
        ("21 22:00", "22 05:00", "accepted"),
        ("21 23:59", "22 08:00", "accepted"),  # spans the closure
    ],
)
def test_C25_starts_and_ends_stay_out_of_closed_hours(start: str, end: str, expected: str) -> None:
    assert code(book(start, end)) == expected


def test_C25_closure_refusal_names_the_hours_and_the_instants() -> None:
    assert book("25 04:00", "25 08:00") == Refused(
        "start_closed",
        {
            "from": "00:00",
            "until": "05:00",
            "closed_from": "2026-10-24T22:00:00Z",
            "closed_until": "2026-10-25T04:00:00Z",  # six hours long that night
        },
    )


def test_C25_closed_hours_over_midnight() -> None:
    rules = {"closed": (time(22, 0), time(6, 0))}
    seen = [
        code(book(start, "22 12:00", rules=rules))
        for start in ("21 21:59", "21 22:00", "22 05:59", "22 06:00")
    ]
    assert seen == ["accepted", "start_closed", "start_closed", "accepted"]


def test_C25_never_closed() -> None:
    assert code(book("21 02:00", "21 03:00", rules={"closed": None})) == "accepted"


def test_C41_grid_of_the_community() -> None:
    assert code(book("21 18:10", "21 19:00", rules={"grid_min": 30})) == "off_grid"
    assert code(book("21 18:00", "21 19:10", rules={"grid_min": 30})) == "off_grid"
    assert code(book("21 18:30", "21 19:30", rules={"grid_min": 30})) == "accepted"
    assert code(book("21 18:07", "21 19:08")) == "accepted"


def test_C21_fourth_upcoming_booking_is_refused() -> None:
    assert code(book("21 18:00", "21 19:00", upcoming=2)) == "accepted"
    assert book("21 18:00", "21 19:00", upcoming=3) == Refused(
        "too_many_upcoming", {"max_upcoming": 3, "upcoming": 3}
    )


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        (None, "licence_missing"),
        (Licence(number="1", category="A", valid_until=date(2035, 1, 1)), "licence_category"),
        (Licence(number="1", category="B1", valid_until=date(2035, 1, 1)), "licence_category"),
        (Licence(number="1", category="A, B", valid_until=date(2035, 1, 1)), "accepted"),
        (Licence(number="1", category="B", valid_until=date(2026, 10, 22)), "accepted"),
        (Licence(number="1", category="B", valid_until=date(2026, 10, 21)), "licence_expires"),
    ],
)
def test_C18_licence_b_must_be_valid_until_the_end(licence: Licence | None, expected: str) -> None:
    assert code(book("21 18:00", "22 08:00", driver=replace(DRIVER, licence=licence))) == expected


def test_C4_only_drivers_of_the_community_book() -> None:
    assert code(book("21 18:00", "21 19:00", driver=replace(DRIVER, roles=()))) == "not_a_driver"
    assert code(book("21 18:00", "21 19:00", driver=replace(DRIVER, disabled_at=NOW))) == "not_a_driver"


def test_booking_for_somebody_else_is_for_managers() -> None:
    assert code(book("21 18:00", "21 19:00", asked_by=Identity(person=OTHER))) == "not_yours"
    assert code(book("21 18:00", "21 19:00", asked_by=Identity(person=MANAGER))) == "accepted"
    narrowed = Identity(person=MANAGER, scope=Scope.DRIVER)
    assert code(book("21 18:00", "21 19:00", asked_by=narrowed)) == "not_yours"


def test_withdrawn_vehicle_takes_bookings_that_end_before() -> None:
    car = replace(CAR, withdrawn_at=local("21 19:00"))
    assert code(book("21 18:00", "21 19:00", vehicle=car)) == "accepted"
    assert code(book("21 18:00", "21 19:01", vehicle=car)) == "vehicle_withdrawn"


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("21 10:00", "21 11:30", "accepted"),  # 30 minutes before the other starts
        ("21 10:00", "21 11:31", "overlap"),
        ("21 12:30", "21 13:30", "overlap"),
        ("21 11:00", "21 15:00", "overlap"),
        ("21 14:29", "21 16:00", "overlap"),
        ("21 14:30", "21 16:00", "accepted"),  # 30 minutes after the other ends
    ],
)
def test_C38_buffer_of_30_minutes_on_both_sides(start: str, end: str, expected: str) -> None:
    assert code(book(start, end, booked("21 12:00", "21 14:00"))) == expected


def test_cancelled_and_missed_bookings_leave_the_vehicle_free() -> None:
    gone = [booked("21 12:00", "21 14:00", status=status) for status in ("cancelled", "no_show")]
    assert code(book("21 12:00", "21 14:00", *gone)) == "accepted"


def test_C38_car_returned_early_rests_for_the_buffer() -> None:
    back = booked("20 08:00", "20 18:00", status=BookingStatus.COMPLETED, returned_at=local("20 09:50"))
    assert code(book("20 10:19", "20 12:00", back)) == "overlap"
    assert code(book("20 10:20", "20 12:00", back)) == "accepted"


def test_late_car_is_not_promised_within_the_buffer_from_now() -> None:
    late = booked("20 06:00", "20 09:00", status=BookingStatus.ACTIVE)
    assert code(book("20 10:29", "20 12:00", late)) == "overlap"
    assert code(book("20 10:30", "20 12:00", late)) == "accepted"


def test_C6_block_keeps_the_vehicle_and_the_buffer_free() -> None:
    block = VehicleBlock(
        id="k", vehicle_id="car-1", start_at=local("21 12:00"), end_at=local("21 14:00"), reason="cleaning"
    )
    assert code(book("21 10:00", "21 11:45", blocks=(block,))) == "overlap"
    assert code(book("21 14:00", "21 15:00", blocks=(block,))) == "accepted"


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("0001-01-03 00:00", "9999-12-30 00:00", "in_the_past"),
        ("2026-10-21 12:00", "9999-12-30 00:00", "too_long"),
        ("9999-12-01 12:00", "9999-12-30 00:00", "too_far_ahead"),
    ],
)
def test_absurd_times_are_refused_not_an_error(start: str, end: str, expected: str) -> None:
    assert code(book(start, end)) == expected
