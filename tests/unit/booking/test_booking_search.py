"""What is proposed instead, and how far a booking can be extended: Paris wall clock, October 2026."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time

from hypothesis import given
from hypothesis import strategies as st

from supervision.accounts.model import Identity, Licence
from supervision.booking.model import Booking, BookingStatus, Proposal
from supervision.booking.rules import Accepted, Automatic, decide_booking, decide_extend
from supervision.booking.search import latest_end, nearest_slot
from tests.unit.booking.cases import DRIVER, NOW, booked, local, mine, request, situation

ME = Identity(person=DRIVER)


def nearest(start: str, end: str, *bookings: Booking, **changes: object) -> Proposal | None:
    return nearest_slot(request(start, end), situation(*bookings, **changes), asked_by=ME, now=NOW)


def slot(start: str, end: str) -> Proposal:
    return Proposal(vehicle_id="car-1", start_at=local(start), end_at=local(end))


def latest(booking: Booking, *others: Booking, **changes: object) -> datetime | None:
    return latest_end(booking, situation(booking, *others, **changes), now=NOW)


def test_nearest_slot_follows_the_booking_in_the_way() -> None:
    assert nearest("21 13:00", "21 15:00", booked("21 10:00", "21 13:00")) == slot("21 13:30", "21 15:30")


def test_nearest_slot_precedes_the_booking_in_the_way() -> None:
    assert nearest("21 11:00", "21 13:00", booked("21 12:30", "21 20:00")) == slot("21 10:00", "21 12:00")


def test_nearest_slot_skips_gaps_that_are_too_short() -> None:
    day = booked("21 08:00", "21 12:00"), booked("21 13:00", "21 18:00")
    assert nearest("21 12:00", "21 13:00", *day) == slot("21 06:30", "21 07:30")


def test_C25_nearest_slot_leaves_closed_hours() -> None:
    assert nearest("21 04:00", "21 08:00") == slot("21 05:00", "21 09:00")
    assert nearest("21 20:00", "22 01:00") == slot("21 19:00", "22 00:00")


def test_C25_nearest_slot_on_the_long_night() -> None:
    assert nearest("25 01:00", "25 09:00") == slot("24 23:55", "25 07:55")  # nine hours


def test_nearest_slot_reads_well() -> None:
    odd = booked("21 10:00", "21 13:07")
    assert nearest("21 13:10", "21 14:10", odd) == slot("21 13:40", "21 14:40")


def test_nearest_slot_is_none_when_the_driver_may_not_book_at_all() -> None:
    assert nearest("21 04:00", "21 08:00", upcoming=3) is None


def test_nearest_slot_is_none_in_a_full_fortnight() -> None:
    full = [booked(f"{day} 05:00", f"{day} 23:59") for day in range(20, 31)]
    assert nearest("21 12:00", "21 14:00", *full) is None


def test_C44_latest_end_stops_one_buffer_before_the_next_booking() -> None:
    trip = mine("21 18:00", "21 20:00")
    assert latest(trip, booked("21 22:00", "21 23:00")) == local("21 21:30")


def test_latest_end_is_the_longest_duration() -> None:
    assert latest(mine("21 18:00", "21 20:00")) == local("24 18:00")


def test_C25_latest_end_stays_out_of_closed_hours() -> None:
    assert latest(mine("21 18:00", "21 20:00"), booked("22 03:00", "22 12:00")) == local("22 00:00")


def test_latest_end_is_none_when_the_next_booking_follows_at_once() -> None:
    assert latest(mine("21 18:00", "21 20:00"), booked("21 20:30", "21 23:00")) is None


def test_C18_latest_end_is_the_last_day_of_the_licence() -> None:
    driver = replace(DRIVER, licence=Licence(number="1", category="B", valid_until=date(2026, 10, 22)))
    assert latest(mine("21 18:00", "21 20:00"), driver=driver) == local("22 23:55")


def test_C23_latest_end_counts_the_chain() -> None:
    before = mine("19 08:00", "21 17:30", id="b0")
    assert latest(mine("21 18:00", "21 20:00"), before) == local("22 08:00")


hours = st.integers(min_value=0, max_value=24 * 8)
quarters = st.integers(min_value=0, max_value=3)


@st.composite
def calendars(draw: st.DrawFn) -> list[Booking]:
    """Disjoint bookings with their buffers, one after the other."""
    found: list[Booking] = []
    at = local("20 12:00")
    for number in range(draw(st.integers(min_value=0, max_value=6))):
        start = at + HOUR * draw(st.integers(min_value=0, max_value=20))
        end = start + HOUR * draw(st.integers(min_value=1, max_value=30))
        free = booked("20 12:00", "20 13:00", id=f"o{number}")
        found.append(replace(free, start_at=start, end_at=end, blocked_until=end + HOUR / 2))
        at = end + HOUR / 2
    return found


HOUR = local("21 13:00") - local("21 12:00")


@given(calendars(), hours, st.integers(min_value=1, max_value=72))
def test_proposals_are_always_accepted(others: list[Booking], start_h: int, length_h: int) -> None:
    wanted = replace(
        request("20 12:00", "20 13:00"),
        start_at=local("20 12:00") + HOUR * start_h,
        end_at=local("20 12:00") + HOUR * (start_h + length_h),
    )
    here = situation(*others)
    proposal = nearest_slot(wanted, here, asked_by=ME, now=NOW)
    if proposal is not None:
        moved = replace(wanted, start_at=proposal.start_at, end_at=proposal.end_at)
        decision = decide_booking(moved, here, asked_by=ME, booking_id="x", now=NOW)
        assert isinstance(decision, Accepted)
    assert proposal is not None or others


@given(calendars(), quarters)
def test_latest_end_is_accepted_and_five_minutes_later_is_not(others: list[Booking], quarter: int) -> None:
    trip = mine("20 10:30", "20 11:00", status=BookingStatus.ACTIVE)
    shifted = [replace(o, start_at=o.start_at + HOUR * quarter / 4) for o in others]
    here = situation(trip, *shifted)
    asking = Automatic(cause="test")
    best = latest_end(trip, here, now=NOW)
    if best is not None:
        assert isinstance(decide_extend(trip, best, here, by=asking, now=NOW), Accepted)
    for minutes in range(5, 13 * 60, 5):
        later = (best or trip.end_at) + HOUR * minutes / 60
        assert not isinstance(decide_extend(trip, later, here, by=asking, now=NOW), Accepted)


def test_latest_end_with_hours_closed_over_midnight() -> None:
    rules = {"closed": (time(22, 0), time(6, 0)), "max_duration_h": 10}
    assert latest(mine("21 18:00", "21 20:00"), rules=rules) == local("21 22:00")
