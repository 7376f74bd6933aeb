"""The dashed line: the battery if the plan is followed and the booked trips are driven. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from supervision.charging.need import estimated_km
from supervision.fleet.model import Vehicle
from supervision.kernel.timespan import Timespan
from supervision.web.timeline import SocPoint
from supervision.web.views.plans import PlannedPeriod


@dataclass(frozen=True, kw_only=True)
class TripAhead:
    """A booked trip; `km` as announced, None when unknown."""

    span: Timespan
    km: float | None


def forecast(
    vehicle: Vehicle,
    soc_percent: float,
    *,
    now: datetime,
    until: datetime,
    periods: Sequence[PlannedPeriod],
    trips: Sequence[TripAhead],
) -> tuple[SocPoint, ...]:
    """Follow the battery from `now` to `until` over every instant where something begins or ends."""
    slopes = [*_charging(vehicle, periods), *_driving(vehicle, trips)]
    edges = sorted({edge for span, _ in slopes for edge in (span.start, span.end) if now < edge < until})
    points = [SocPoint(at=now, percent=soc_percent)]
    for at in [*edges, until]:
        here = Timespan(points[-1].at, at)
        change = sum(slope * here.seconds for span, slope in slopes if span.overlaps(here))
        level = min(100.0, max(0.0, points[-1].percent + change))
        points.append(SocPoint(at=at, percent=level))
    return tuple(points)


def _charging(vehicle: Vehicle, periods: Sequence[PlannedPeriod]) -> Iterator[tuple[Timespan, float]]:
    for period in periods:
        yield period.span, _percent(vehicle, period.power_w * vehicle.efficiency / 3600)


def _driving(vehicle: Vehicle, trips: Sequence[TripAhead]) -> Iterator[tuple[Timespan, float]]:
    for trip in trips:
        km = trip.km if trip.km is not None else estimated_km(trip.span.duration)
        yield trip.span, -_percent(vehicle, km * vehicle.wh_per_km / trip.span.seconds)


def _percent(vehicle: Vehicle, watt_hours: float) -> float:
    return 100 * watt_hours / vehicle.battery_wh
