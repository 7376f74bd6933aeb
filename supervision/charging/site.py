"""A car-sharing station as the planner sees it at one instant: from what is known to a planning problem.

Cars that nobody steers (a visitor's, or one at a station that refuses profiles) are a load like the
building's: taken off the site limit at what their EVSE may give them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from supervision.charging.ledger import Battery, EnergyState
from supervision.charging.model import (
    CarLimits,
    EvseLimits,
    GridLimits,
    PhaseStep,
    PlanningProblem,
    PriceStep,
)
from supervision.charging.need import ChargingNeed, NeedPolicy, PluggedCar, UpcomingBooking, needs
from supervision.charging.profile import Outlet, standing_limit

HORIZON_DAYS = 3
LATE_BY = timedelta(minutes=30)
"""A car that should be back and is not comes in so long: the mean of late returns."""
STARTING_SOON = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True)
class SiteEvse:
    """An EVSE of the place; `charging` during a charging transaction, `steerable` if it takes profiles."""

    charging_station: str
    evse_id: int
    phases: tuple[int, ...]
    max_a: float
    min_a: float
    charging: bool = False
    steerable: bool = True

    @property
    def id(self) -> str:
        """``STATION/EVSE``, unique in the organisation."""
        return f"{self.charging_station}/{self.evse_id}"


@dataclass(frozen=True, kw_only=True)
class SiteBooking:
    """A hold on a car that is not over; `away` once the driver has taken it, possible from `ready_at` on."""

    id: str
    ready_at: datetime
    start: datetime
    end: datetime
    km: float | None
    away: bool


@dataclass(frozen=True, kw_only=True)
class SiteCar:
    """A car at home on an EVSE, with its balance now and its bookings."""

    id: str
    evse: str
    phases: int
    max_a: float
    min_a: float
    battery: Battery
    state: EnergyState
    bookings: tuple[SiteBooking, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Site:
    """Everything the planner may know of a car-sharing station."""

    limit_a: tuple[float, ...]
    voltage_v: int
    prices: tuple[PriceStep, ...]
    evses: tuple[SiteEvse, ...]
    cars: tuple[SiteCar, ...]


@dataclass(frozen=True, kw_only=True)
class Question:
    """The problem to solve and, window by window in its order, why there is a window."""

    problem: PlanningProblem
    needs: tuple[ChargingNeed, ...]


def question(site: Site, *, now: datetime, policy: NeedPolicy | None = None) -> Question:
    """Turn a site into a planning problem up to the horizon."""
    planned = _planned_cars(site)
    wanted = [need for car in planned for need in car_needs(site, car, now=now, policy=policy)]
    evses = [evse for evse in site.evses if evse.id in {car.evse for car in planned}]
    problem = PlanningProblem(
        now=now,
        grid=GridLimits(
            limit_a=site.limit_a,
            voltage_v=site.voltage_v,
            prices=site.prices,
            base_load_w=_unsteered(site, {car.evse for car in planned}, now),
        ),
        evses={e.id: EvseLimits(id=e.id, phases=e.phases, max_a=e.max_a, min_a=e.min_a) for e in evses},
        cars={car.id: _limits(car) for car in planned},
        windows=tuple(need.window for need in wanted),
    )
    return Question(problem=problem, needs=tuple(wanted))


def car_needs(
    site: Site, car: SiteCar, *, now: datetime, policy: NeedPolicy | None = None
) -> list[ChargingNeed]:
    """Return what one car needs up to the horizon."""
    plugged = PluggedCar(
        id=car.id,
        evse=car.evse,
        battery=car.battery,
        state=car.state,
        full_power_w=full_power_w(site, car),
        plugged_from=back_at(car, now=now),
    )
    return needs(plugged, _ahead(car, now), horizon=horizon_of(now), policy=policy)


def horizon_of(now: datetime) -> datetime:
    """The third midnight (UTC) to come: the same all day long, so that plans stay comparable."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=HORIZON_DAYS)


def back_at(car: SiteCar, *, now: datetime) -> datetime:
    """When the car stands at its EVSE: now, or at its return, a late one being expected in half an hour."""
    away = [booking for booking in car.bookings if booking.away]
    if not away:
        return now
    planned = max(booking.end for booking in away)
    return planned if planned > now else now + LATE_BY


def full_power_w(site: Site, car: SiteCar) -> int:
    """The most the car draws at its EVSE when nobody else does."""
    evse = _evse(site, car.evse)
    used = evse.phases[: car.phases]
    current = min(evse.max_a, car.max_a, *(site.limit_a[phase - 1] for phase in used))
    return int(current * len(used) * site.voltage_v)


def outlet(site: Site, evse: SiteEvse) -> Outlet:
    """What a profile for this EVSE must know, with the limit that stands there when no plan does."""
    car = next((car for car in site.cars if car.evse == evse.id), None)
    min_a = max(evse.min_a, car.min_a) if car else evse.min_a
    limits = [
        standing_limit(
            site_limit_a=site.limit_a[phase - 1],
            points=sum(phase in other.phases for other in site.evses),
            min_a=min_a,
        )
        for phase in evse.phases
    ]
    return Outlet(
        evse_id=evse.evse_id,
        phases=min(len(evse.phases), car.phases) if car else len(evse.phases),
        voltage_v=site.voltage_v,
        standing_a=min(evse.max_a, *limits),
    )


def _evse(site: Site, evse_id: str) -> SiteEvse:
    return next(evse for evse in site.evses if evse.id == evse_id)


def _planned_cars(site: Site) -> list[SiteCar]:
    """Cars on an EVSE that obeys; of two cars with one home bay the first by id."""
    obeying = {evse.id for evse in site.evses if evse.steerable}
    first: dict[str, SiteCar] = {}
    for car in sorted(site.cars, key=lambda car: car.id):
        if car.evse in obeying:
            first.setdefault(car.evse, car)
    return list(first.values())


def _limits(car: SiteCar) -> CarLimits:
    efficiency = car.battery.efficiency
    return CarLimits(
        id=car.id, phases=car.phases, max_a=car.max_a, min_a=min(car.min_a, car.max_a), efficiency=efficiency
    )


def _ahead(car: SiteCar, now: datetime) -> list[UpcomingBooking]:
    """Bookings still to start; who is late to come is expected soon, and the car charges until then."""
    soon = now + STARTING_SOON
    return [
        UpcomingBooking(
            id=b.id,
            ready_at=b.ready_at,
            start=min(soon, b.end) if b.start < now else b.start,
            end=b.end,
            km=b.km,
        )
        for b in car.bookings
        if not b.away and b.end > now
    ]


def _unsteered(site: Site, planned: set[str], now: datetime) -> tuple[PhaseStep, ...]:
    """Power per phase of what charges here without our plan."""
    watts = [0.0] * len(site.limit_a)
    for evse in site.evses:
        if evse.id in planned or not evse.charging:
            continue
        current = outlet(site, evse).standing_a if evse.steerable else evse.max_a
        for phase in evse.phases:
            watts[phase - 1] += current * site.voltage_v
    return (PhaseStep(start=now, values=tuple(watts)),) if any(watts) else ()
