"""A community, a driver and a car for the tests of the pure rules; times are local wall clock in Paris."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from supervision.accounts.model import (
    Community,
    CommunityRules,
    Identity,
    Licence,
    Person,
    Role,
    RoleName,
)
from supervision.booking.model import Booking, BookingRequest, BookingStatus, Calendar
from supervision.booking.rules import Accepted, Decision, Situation, decide_booking
from supervision.fleet.model import Vehicle
from supervision.kernel.errors import Refused

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 10, 20, 8, 0, tzinfo=UTC)  # 10:00 in Paris
LICENCE = Licence(number="12AB34567", category="B", valid_until=date(2035, 1, 1))
DRIVER = Person(
    id="d1",
    email="d1@example.org",
    name="D One",
    licence=LICENCE,
    roles=(Role(role=RoleName.DRIVER, organisation_id="org", community_id="com"),),
)
OTHER = replace(DRIVER, id="d2", email="d2@example.org")
MANAGER = Person(
    id="m1",
    email="m1@example.org",
    name="M One",
    roles=(Role(role=RoleName.FLEET_MANAGER, organisation_id="org"),),
)
CAR = Vehicle(
    id="car-1",
    organisation_id="org",
    station_id="st",
    name="Car 1",
    plate="AA-001-AA",
    model="zoe-52",
    battery_wh=52000,
    phases=3,
    max_a=32.0,
    min_a=8.0,
    wh_per_km=165,
)


def local(text: str) -> datetime:
    """Read "2026-10-20 18:00" (or "20 18:00", in October 2026) on the clock of Paris."""
    day, hour = text.split()
    if "-" not in day:
        day = f"2026-10-{int(day):02d}"
    return datetime.fromisoformat(f"{day}T{hour}").replace(tzinfo=PARIS).astimezone(UTC)


def paris(instant: datetime) -> str:
    """Write an instant the way `local` reads it."""
    return instant.astimezone(PARIS).strftime("%Y-%m-%d %H:%M")


def community(**rules: Any) -> Community:
    return Community(id="com", organisation_id="org", name="Com", zone=PARIS, rules=CommunityRules(**rules))


def booked(start: str, end: str, **changes: Any) -> Booking:
    """A booking of somebody else, with 30 minutes of buffer."""
    end_at = changes.pop("end_at", local(end))
    defaults: dict[str, Any] = {
        "id": f"b-{start}",
        "organisation_id": "org",
        "community_id": "com",
        "station_id": "st",
        "vehicle_id": "car-1",
        "driver_id": "d2",
        "made_by_id": "d2",
        "status": BookingStatus.BOOKED,
        "start_at": local(start),
        "end_at": end_at,
        "blocked_until": end_at + timedelta(minutes=30),
        "made_at": NOW,
    }
    return Booking(**{**defaults, **changes})


def mine(start: str, end: str, **changes: Any) -> Booking:
    return booked(start, end, **{"driver_id": "d1", "made_by_id": "d1", "id": "b1", **changes})


def situation(*bookings: Booking, **changes: Any) -> Situation:
    rules = changes.pop("rules", {})
    defaults: dict[str, Any] = {
        "community": community(**rules),
        "driver": DRIVER,
        "vehicle": CAR,
        "calendar": Calendar(bookings=bookings, blocks=changes.pop("blocks", ())),
    }
    return Situation(**{**defaults, **changes})


def request(start: str, end: str, **changes: Any) -> BookingRequest:
    defaults: dict[str, Any] = {"vehicle_id": "car-1", "driver_id": "d1"}
    return BookingRequest(**{**defaults, "start_at": local(start), "end_at": local(end), **changes})


def book(start: str, end: str, *bookings: Booking, now: datetime = NOW, **changes: Any) -> Decision:
    by = changes.pop("asked_by", Identity(person=DRIVER))
    return decide_booking(
        request(start, end), situation(*bookings, **changes), asked_by=by, booking_id="new", now=now
    )


def code(decision: Decision | None) -> str:
    """The refusal's code, "accepted" otherwise."""
    if isinstance(decision, Refused):
        return decision.code
    assert isinstance(decision, Accepted)
    return "accepted"
