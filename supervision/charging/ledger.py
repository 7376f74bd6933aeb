"""The energy ledger of a car: what its battery probably holds, and how sure we are.

AC charging tells no state of charge, so it is kept like a bank balance: what the meter delivered comes in,
what the kilometres cost goes out, and the books are squared whenever something tells the truth: a car that
stops by itself is full, a driver reads the dashboard, a DC charger reports a percentage. Uncertainties of
independent movements add as squares. Energies are Wh in the battery, kept between 0 and the capacity.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Source = Literal["unknown", "charged", "driven", "full", "entered", "reported"]

CHARGE_DOUBT = 0.03
"""Share of a charged amount that the efficiency may be wrong by."""
TRIP_DOUBT = 0.20
"""Spread of a trip's consumption per km: speed, cold, load."""
GUESSED_TRIP_DOUBT = 0.60
"""The same when the kilometres themselves are only estimated."""
FULL_DOUBT = 0.02
ENTRY_DOUBT = 0.05
REPORT_DOUBT = 0.02
FULL_AFTER = timedelta(minutes=10)
IDLE_W = 100
BELIEVABLE = 3
"""A stop that would move the ledger by more than so many uncertainties is not taken for "full"."""
ALWAYS_BELIEVABLE = 0.10


@dataclass(frozen=True, kw_only=True)
class Battery:
    """What the ledger must know of a car."""

    capacity_wh: int
    wh_per_km: int
    efficiency: float = 0.9


@dataclass(frozen=True, kw_only=True)
class EnergyState:
    """The balance at an instant, plus or minus its uncertainty, and what it was last drawn from."""

    stored_wh: int
    uncertainty_wh: int
    as_of: datetime
    source: Source


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One look at an EVSE: did the car (not the station) suspend, current offered, power drawn."""

    at: datetime
    suspended_by_car: bool
    offered_a: float
    power_w: float


def unknown(battery: Battery, *, at: datetime) -> EnergyState:
    """A car nobody has told us about: half full, give or take the other half."""
    half = battery.capacity_wh // 2
    return EnergyState(stored_wh=half, uncertainty_wh=half, as_of=at, source="unknown")


def charged(state: EnergyState, battery: Battery, *, meter_wh: int, at: datetime) -> EnergyState:
    """Add what a meter delivered, less the losses on the way into the battery."""
    added = round(meter_wh * battery.efficiency)
    return _moved(state, battery, by_wh=added, doubt_wh=CHARGE_DOUBT * added, at=at, source="charged")


def corrected(
    state: EnergyState,
    battery: Battery,
    *,
    before: EnergyState,
    booked_wh: int,
    meter_wh: int,
    at: datetime,
) -> EnergyState:
    """Move the balance by the difference when a charge turns out to have delivered `meter_wh`.

    `before` is the balance the charge began with: a battery that was thought full took less than the meter
    delivered, so what it would hold is worked out for both amounts.
    """
    was = charged(before, battery, meter_wh=booked_wh, at=at)
    is_now = charged(before, battery, meter_wh=meter_wh, at=at)
    difference = is_now.stored_wh - was.stored_wh
    doubt = CHARGE_DOUBT * abs(difference)
    return _moved(state, battery, by_wh=difference, doubt_wh=doubt, at=state.as_of, source="charged")


def driven(
    state: EnergyState, battery: Battery, *, km: float, at: datetime, estimated: bool = False
) -> EnergyState:
    """Subtract a trip; `estimated` when the kilometres were guessed and not read."""
    used = round(km * battery.wh_per_km)
    doubt = (GUESSED_TRIP_DOUBT if estimated else TRIP_DOUBT) * used
    return _moved(state, battery, by_wh=-used, doubt_wh=doubt, at=at, source="driven")


def full(state: EnergyState, battery: Battery, *, at: datetime) -> EnergyState | None:
    """Anchor at full, or None when the balance makes that unbelievable (asleep, timer, below its minimum)."""
    jump = battery.capacity_wh - state.stored_wh
    believable = max(BELIEVABLE * state.uncertainty_wh, ALWAYS_BELIEVABLE * battery.capacity_wh)
    if jump > believable:
        return None
    return _told(battery, battery.capacity_wh, FULL_DOUBT, at, "full")


def entered(battery: Battery, *, percent: float, at: datetime) -> EnergyState:
    """A person read the dashboard: that replaces the balance."""
    return _told(battery, round(battery.capacity_wh * percent / 100), ENTRY_DOUBT, at, "entered")


def reported(battery: Battery, *, percent: float, at: datetime) -> EnergyState:
    """The charger reported a state of charge (DC, or ISO 15118): that replaces the balance."""
    return _told(battery, round(battery.capacity_wh * percent / 100), REPORT_DOUBT, at, "reported")


def stopped_by_itself(observations: Sequence[Observation], *, min_a: float) -> datetime | None:
    """Since when the car has refused current it was offered, once that lasted 10 minutes; else None.

    `observations` of one charging transaction in time order. Offered at least the car's own minimum,
    suspended by the car and drawing next to nothing, without a break up to the last one.
    """
    since: datetime | None = None
    for seen in observations:
        refusing = seen.suspended_by_car and seen.offered_a >= min_a and seen.power_w <= IDLE_W
        since = (since or seen.at) if refusing else None
    if since is None or observations[-1].at - since < FULL_AFTER:
        return None
    return since


def _moved(
    state: EnergyState, battery: Battery, *, by_wh: int, doubt_wh: float, at: datetime, source: Source
) -> EnergyState:
    uncertainty = round(math.hypot(state.uncertainty_wh, doubt_wh))
    return EnergyState(
        stored_wh=_inside(state.stored_wh + by_wh, battery),
        uncertainty_wh=_inside(uncertainty, battery),
        as_of=at,
        source=source,
    )


def _told(battery: Battery, stored_wh: int, doubt: float, at: datetime, source: Source) -> EnergyState:
    return EnergyState(
        stored_wh=_inside(stored_wh, battery),
        uncertainty_wh=round(battery.capacity_wh * doubt),
        as_of=at,
        source=source,
    )


def _inside(energy_wh: int, battery: Battery) -> int:
    return max(0, min(battery.capacity_wh, energy_wh))
