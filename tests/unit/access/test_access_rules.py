"""Windows, release, visibility: what follows from a booking; Paris wall clock, October 2026."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supervision.access.model import AccessCode
from supervision.access.rules import (
    Issue,
    Revoke,
    issued,
    may_see,
    next_step,
    opens,
    release_at,
    revoked,
    serves,
    visibility,
    window_of,
)
from supervision.accounts.model import Identity
from supervision.booking.model import Booking, BookingStatus
from supervision.fleet.model import EvseReference
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import Timespan
from tests.unit.booking.cases import CAR, DRIVER, MANAGER, NOW, OTHER, community, local, mine

COM = community()
TRIP = mine("21 18:00", "21 20:00")
WINDOW = Timespan(local("21 17:45"), local("21 20:15"))


def code(booking: Booking = TRIP) -> AccessCode:
    return issued(booking, window_of(booking, COM.rules), 1, None)


def test_C7_code_opens_from_15_minutes_before_until_15_after() -> None:
    assert window_of(TRIP, COM.rules) == WINDOW
    wide = community(code_early_min=30, code_late_min=60).rules
    assert window_of(TRIP, wide) == Timespan(local("21 17:30"), local("21 21:00"))


def test_C44_code_is_shown_an_hour_before_the_start() -> None:
    assert release_at(TRIP.start_at, COM.rules) == local("21 17:00")


def test_C24_code_is_never_shown_later_than_it_opens() -> None:
    assert release_at(TRIP.start_at, community(code_release_min=0).rules) == local("21 17:45")


def test_new_booking_wants_a_first_code() -> None:
    assert next_step(TRIP, COM, None) == Issue(window=WINDOW, first_revision=1)


def test_unchanged_booking_wants_nothing() -> None:
    assert next_step(TRIP, COM, code()) is None


def test_moved_booking_wants_a_new_code() -> None:
    longer = mine("21 18:00", "21 22:00")
    assert next_step(longer, COM, code()) == Issue(window=window_of(longer, COM.rules), first_revision=2)


def test_C24_code_changes_when_the_vehicle_does() -> None:
    swapped = replace(TRIP, vehicle_id="car-2")
    assert next_step(swapped, COM, code()) == Issue(window=WINDOW, first_revision=2)


@pytest.mark.parametrize("status", ["completed", "cancelled", "no_show"])
def test_ended_booking_wants_its_code_revoked_once(status: str) -> None:
    ended = replace(TRIP, status=BookingStatus(status))
    assert next_step(ended, COM, code()) == Revoke()
    assert next_step(ended, COM, revoked(code(), NOW)) is None
    assert next_step(ended, COM, None) is None


def test_reissued_code_remembers_what_the_box_holds() -> None:
    held = replace(code(), box_revision=1, released_at=NOW)
    again = issued(TRIP, WINDOW, 2, held)
    assert (again.box_revision, again.released_at, again.revision) == (1, None, 2)


def test_only_the_driver_and_managers_see_a_code() -> None:
    seen = [may_see(Identity(person=person), TRIP) for person in (DRIVER, OTHER, MANAGER)]
    assert seen == [True, False, True]


def test_C44_visibility() -> None:
    shown = replace(code(), released_at=NOW)
    ended = replace(TRIP, status=BookingStatus.COMPLETED)
    waiting = Refused("code_not_released", {"release_at": "2026-10-21T15:00:00Z"})
    assert visibility(None, TRIP, COM.rules) == waiting
    assert visibility(code(), TRIP, COM.rules) == waiting
    assert visibility(shown, TRIP, COM.rules) is None
    assert visibility(shown, ended, COM.rules) == Refused("code_revoked")
    assert visibility(revoked(shown, NOW), TRIP, COM.rules) == Refused("code_revoked")


@pytest.mark.parametrize(
    ("at", "status", "expected"),
    [
        ("21 17:44", "booked", False),
        ("21 17:45", "booked", True),
        ("21 20:14", "active", True),
        ("21 20:15", "booked", False),
        ("21 23:00", "active", True),  # late: he still has to charge the car
    ],
)
def test_C7_code_opens_in_its_window_and_while_the_trip_runs(at: str, status: str, expected: bool) -> None:
    assert opens(code(), BookingStatus(status), local(at)) is expected


def test_revoked_code_opens_nothing() -> None:
    assert not opens(revoked(code(), NOW), BookingStatus.ACTIVE, local("21 19:00"))


def test_vehicle_is_served_by_its_own_charging_point() -> None:
    car = replace(CAR, evse=EvseReference(charging_station="CP", evse_id=2))
    cases = [("CP", 2), ("CP", None), ("CP", 0), ("CP", 1), ("OTHER", 2)]
    assert [serves(car, station, evse) for station, evse in cases] == [True, True, True, False, False]
    assert serves(CAR, "ANY", 1)
