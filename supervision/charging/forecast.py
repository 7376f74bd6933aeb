"""What a car will hold at an instant: its balance, the plan until then, the trips before it (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from supervision.charging.need import estimated_km
from supervision.charging.site import SiteBooking, SiteCar
from supervision.kernel.timespan import parse_instant


def expected_wh(car: SiteCar, plan: Mapping[str, Any] | None, *, now: datetime, at: datetime) -> int:
    """Energy in the battery at `at`, by the plan in force (the document of API.md) and the bookings.

    A booking that has begun by then counts whole: who takes the car next finds it after that trip.
    """
    moves = _charges(car, plan, now=now, at=at)
    moves += [(booking.end, -_trip_wh(car, booking)) for booking in car.bookings if booking.start < at]
    stored = car.state.stored_wh
    for _, delta in sorted(moves):
        stored = max(0, min(car.battery.capacity_wh, stored + delta))
    return stored


def _trip_wh(car: SiteCar, booking: SiteBooking) -> int:
    km = booking.km if booking.km is not None else estimated_km(booking.end - booking.start)
    return round(km * car.battery.wh_per_km)


def _charges(
    car: SiteCar, plan: Mapping[str, Any] | None, *, now: datetime, at: datetime
) -> list[tuple[datetime, int]]:
    """What still comes of the planned periods of this car, clipped to [now, at)."""
    found = []
    for window in (plan or {}).get("windows", []):
        if window["car"] != car.id:
            continue
        for period in window["periods"]:
            start, end = max(now, parse_instant(period["from"])), min(at, parse_instant(period["to"]))
            if start < end:
                hours = (end - start).total_seconds() / 3600
                found.append((end, round(period["watts"] * hours * car.battery.efficiency)))
    return found
