"""What each car needs, and why: from its balance and its next bookings to charging windows.

The car is plugged between bookings. Before each one the battery must hold the trip with a margin and a
reserve, and as much more as a later booking needs when the pause before *that* one is too short to charge
it. Whatever the calendar says, a car stands ready for a walk-up booking soon after it came back, and well
filled at the horizon.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from supervision.charging import ledger
from supervision.charging.ledger import Battery, EnergyState
from supervision.charging.model import ChargingWindow

Why = Literal["booking", "later_booking", "floor", "target"]

BOOKING_PRIORITY, FLOOR_PRIORITY, TARGET_PRIORITY = 1, 2, 3
PRIORITIES = {
    "booking": BOOKING_PRIORITY,
    "later_booking": BOOKING_PRIORITY,
    "floor": FLOOR_PRIORITY,
    "target": TARGET_PRIORITY,
}


@dataclass(frozen=True, kw_only=True)
class NeedPolicy:
    """Figures a community may set; shares of the battery's capacity."""

    reserve: float = 0.15
    safety: float = 1.10
    floor: float = 0.30
    target: float = 0.80
    floor_pace: float = 0.5
    """The floor is due in the time that this share of the full power takes."""


@dataclass(frozen=True, kw_only=True)
class UpcomingBooking:
    """A future hold on the car; `km` as the driver announced, None when unknown.

    The driver may have the key from `ready_at` on, at the latest from `start`.
    """

    id: str
    start: datetime
    end: datetime
    km: float | None = None
    ready_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class PluggedCar:
    """A car, the EVSE it belongs to, its balance, and from when on it stands there (now, or its return)."""

    id: str
    evse: str
    battery: Battery
    state: EnergyState
    full_power_w: int
    plugged_from: datetime


@dataclass(frozen=True, kw_only=True)
class NeedFacts:
    """The figures behind one window, for "why this charge?"; energies in the battery but `from_grid_wh`.

    `booking_id` names the booking that asks for it; None for the floor and the target.
    """

    why: Why
    needed_wh: int
    stored_wh: int
    uncertainty_wh: int
    to_charge_wh: int
    from_grid_wh: int
    booking_id: str | None = None
    booking_start: datetime | None = None
    km: float | None = None
    km_estimated: bool = False


@dataclass(frozen=True, kw_only=True)
class ChargingNeed:
    """A window for the planner and the facts that explain it."""

    window: ChargingWindow
    facts: NeedFacts


@dataclass(frozen=True, kw_only=True)
class _Stay:
    """A time at the plug, the booking that ends it (None at the horizon), and what it must reach."""

    start: datetime
    end: datetime
    booking: UpcomingBooking | None
    wanted_wh: int
    why: Why

    @property
    def hours(self) -> float:
        return max(0.0, (self.end - self.start).total_seconds() / 3600)


def estimated_km(duration: timedelta) -> float:
    """Median distance of a booking by its length: 9 km x hours^0.75."""
    hours = duration.total_seconds() / 3600
    return 9.0 * math.pow(hours, 0.75)


def needs(
    car: PluggedCar,
    bookings: Sequence[UpcomingBooking],
    *,
    horizon: datetime,
    policy: NeedPolicy | None = None,
) -> list[ChargingNeed]:
    """Windows of one car from `plugged_from` to the horizon, in time order.

    Bookings before `plugged_from` are ignored: who is away comes back at `plugged_from`.
    """
    rules = policy or NeedPolicy()
    stays = _with_later_needs(car, _stays(car, bookings, horizon, rules), rules)
    found: list[ChargingNeed] = []
    state = car.state
    for whole in stays:
        stay = _ready_early(car, whole, state)
        if stay.hours > 0:
            found.extend(_windows(car, stay, state, rules))
            state = _after_charging(car, stay, state, stay.wanted_wh)
        if stay.booking is not None:
            state = _after_trip(car, stay.booking, state)
    return found


def _stays(
    car: PluggedCar, bookings: Sequence[UpcomingBooking], horizon: datetime, rules: NeedPolicy
) -> list[_Stay]:
    stays: list[_Stay] = []
    start = car.plugged_from
    ahead = [b for b in bookings if b.end > car.plugged_from and b.start < horizon]
    for booking in sorted(ahead, key=lambda b: b.start):
        wanted = _wanted(car.battery, booking, rules)
        end = max(start, booking.start)
        stays.append(_Stay(start=start, end=end, booking=booking, wanted_wh=wanted, why="booking"))
        start = max(start, booking.end)
    if start < horizon:
        target = round(rules.target * car.battery.capacity_wh)
        stays.append(_Stay(start=start, end=horizon, booking=None, wanted_wh=target, why="target"))
    return stays


def _km(booking: UpcomingBooking) -> float:
    return booking.km if booking.km is not None else estimated_km(booking.end - booking.start)


def _wanted(battery: Battery, booking: UpcomingBooking, rules: NeedPolicy) -> int:
    """Energy at departure: the trip with its margin on top of the reserve, at least the floor."""
    trip = rules.safety * _km(booking) * battery.wh_per_km
    wanted = max(trip + rules.reserve * battery.capacity_wh, rules.floor * battery.capacity_wh)
    return min(battery.capacity_wh, round(wanted))


def _with_later_needs(car: PluggedCar, stays: Sequence[_Stay], rules: NeedPolicy) -> list[_Stay]:
    """Walk back in time: what a pause is too short for must be there one booking earlier."""
    answer = list(stays)
    for j in range(len(stays) - 2, -1, -1):
        after, booking = answer[j + 1], answer[j].booking
        if after.booking is None or booking is None:
            continue
        gained = math.floor(car.full_power_w * after.hours * car.battery.efficiency)
        if after.wanted_wh <= gained:
            continue
        trip = round(rules.safety * _km(booking) * car.battery.wh_per_km)
        carried = min(car.battery.capacity_wh, after.wanted_wh - gained + trip)
        if carried > answer[j].wanted_wh:
            answer[j] = replace(answer[j], wanted_wh=carried, why="later_booking")
    return answer


def _ready_early(car: PluggedCar, stay: _Stay, state: EnergyState) -> _Stay:
    """Be done when the key can be had, where the pause is long enough for that; else when the trip starts."""
    ready_at = stay.booking.ready_at if stay.booking is not None else None
    if ready_at is None or ready_at <= stay.start:
        return stay
    early = replace(stay, end=ready_at)
    missing_wh = stay.wanted_wh - state.stored_wh
    return early if missing_wh <= car.full_power_w * early.hours * car.battery.efficiency else stay


def _windows(car: PluggedCar, stay: _Stay, state: EnergyState, rules: NeedPolicy) -> list[ChargingNeed]:
    """One window per stay, or two when the car comes back below the floor: the floor first, soon."""
    floor_wh = min(stay.wanted_wh, round(rules.floor * car.battery.capacity_wh))
    due = _floor_due(car, stay, floor_wh - state.stored_wh, rules)
    if due is None:
        return [_need(car, stay, state, stay.wanted_wh)]
    first = _need(car, replace(stay, end=due, why="floor"), state, floor_wh)
    then = replace(state, stored_wh=max(state.stored_wh, floor_wh))
    return [first, _need(car, replace(stay, start=due), then, stay.wanted_wh)]


def _floor_due(car: PluggedCar, stay: _Stay, missing_wh: int, rules: NeedPolicy) -> datetime | None:
    """When the floor should be reached, or None when it is, or when the booking comes before that."""
    if missing_wh <= 0:
        return None
    watts = car.full_power_w * car.battery.efficiency * rules.floor_pace
    due = stay.start + timedelta(minutes=math.ceil(60 * missing_wh / watts))
    return due if due < stay.end else None


def _need(car: PluggedCar, stay: _Stay, state: EnergyState, wanted_wh: int) -> ChargingNeed:
    battery = car.battery
    to_charge = max(0, wanted_wh - state.stored_wh)
    from_grid = math.ceil(to_charge / battery.efficiency)
    room = max(from_grid, math.floor((battery.capacity_wh - state.stored_wh) / battery.efficiency))
    window = ChargingWindow(
        car=car.id,
        evse=car.evse,
        plugged_from=stay.start,
        plugged_until=stay.end,
        need_wh=from_grid,
        max_wh=room,
        priority=PRIORITIES[stay.why],
    )
    facts = NeedFacts(
        why=stay.why,
        needed_wh=wanted_wh,
        stored_wh=state.stored_wh,
        uncertainty_wh=state.uncertainty_wh,
        to_charge_wh=to_charge,
        from_grid_wh=from_grid,
    )
    return ChargingNeed(window=window, facts=_for_booking(facts, stay.booking))


def _for_booking(facts: NeedFacts, booking: UpcomingBooking | None) -> NeedFacts:
    if booking is None or facts.why == "floor":
        return facts
    return replace(
        facts,
        booking_id=booking.id,
        booking_start=booking.start,
        km=round(_km(booking), 1),
        km_estimated=booking.km is None,
    )


def _after_charging(car: PluggedCar, stay: _Stay, state: EnergyState, wanted_wh: int) -> EnergyState:
    """The balance when the stay ends: what was wanted, or as much of it as the time allows."""
    possible = math.floor(car.full_power_w * stay.hours)
    missing = max(0, wanted_wh - state.stored_wh)
    from_grid = min(possible, math.ceil(missing / car.battery.efficiency))
    return ledger.charged(state, car.battery, meter_wh=from_grid, at=stay.end)


def _after_trip(car: PluggedCar, booking: UpcomingBooking, state: EnergyState) -> EnergyState:
    return ledger.driven(state, car.battery, km=_km(booking), at=booking.end, estimated=booking.km is None)
