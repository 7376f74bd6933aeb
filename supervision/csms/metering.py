"""What the readings of a charge as a whole say about its registers; pure.

Start and stop register alone cannot show that the counter began anew in between, nor that its unit is named
wrongly: a counter in kWh labelled Wh delivers a thousandth of what the measured power says. Where no power is
measured, so little energy in so long a time is the only trace of it, and says no more than that a person must
look: nothing is ever multiplied on that ground.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from supervision.csms.machine import SLACK_WH, ChargingTransaction, Doubt, State, lasted_h, most_wh
from supervision.csms.model import MeterSample, in_order, measured

DROP_WH = SLACK_WH
"""A register may fall by the rounding of a coarse meter."""
THOUSAND = 1000
APART = 4
"""How far from a thousand the ratio may be: power is sampled, and not all the time."""
LEAST_WH = 500
LEAST_POWERS = 2
LEAST_W = 100
"""A car that charges takes more, also at its end: 6 A of one phase are 1380 W."""
LEAST_H = 1 / 6
MOST_OF_A_CAR_WH = 200_000
KNOWN_WH = 1000
"""Who counted so much for one charge counts in Wh: in kWh it would have been a megawatt-hour."""
CHARGING = "Charging"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The readings of one charge: how often the register fell, and the mean of the measured powers."""

    drops: int = 0
    powers: int = 0
    average_w: float | None = None


def seen_in(samples: Sequence[MeterSample]) -> Seen:
    """Summarise the readings of a message that are not stored yet, in the order of their times."""
    told = [measured(sample) for sample in in_order(samples)]
    registers = [one.register_wh for one in told if one.register_wh is not None]
    powers = [one.power_w for one in told if one.power_w is not None]
    return Seen(
        drops=sum(after < before - DROP_WH for before, after in pairwise(registers)),
        powers=len(powers),
        average_w=sum(powers) / len(powers) if powers else None,
    )


def joined(stored: Seen, fresh: Seen) -> Seen:
    """Put together what is stored and what has just come; the larger number of powers decides."""
    more = stored if stored.powers >= fresh.powers else fresh
    return Seen(drops=stored.drops + fresh.drops, powers=more.powers, average_w=more.average_w)


def doubts(row: ChargingTransaction, seen: Seen) -> list[Doubt]:
    """Name what makes the energy of an ended charge doubtful although both its registers are sound."""
    if row.state is not State.ENDED or row.measured_wh is None:
        return []
    checks = (
        (Doubt.COUNTER_RESET, seen.drops > 0),
        (Doubt.UNIT_DOUBTFUL, unit_factor(row, seen) is not None),
    )
    return [doubt for doubt, present in checks if present]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What else speaks for or against a counter that counted next to nothing.

    `charging_h` is how long the station said that it charged, None where it tells no states; `lately_wh` the
    most that it counted for one of its last charges.
    """

    charging_h: float | None = None
    lately_wh: int = 0
    max_power_w: float | None = None


def hardly_any(row: ChargingTransaction, seen: Seen) -> bool:
    """Tell whether an ended charge, of which no power is known, counted so little that it could be in kWh."""
    if row.state is not State.ENDED or not row.measured_wh or seen.powers >= LEAST_POWERS:
        return False
    return row.measured_wh * THOUSAND <= MOST_OF_A_CAR_WH and lasted_h(row) >= LEAST_H


def too_little(row: ChargingTransaction, around: Surroundings) -> bool:
    """Tell whether a charge that counted hardly any energy is one of a counter in kWh labelled Wh.

    The station's word that it charged all the time outweighs what it counted before, for units change with
    the firmware; a mere duration does not, for a full car stays plugged in.
    """
    measured_wh = row.measured_wh or 0
    cap_wh = most_wh(row, around.max_power_w)
    if cap_wh is not None and measured_wh * THOUSAND > cap_wh:
        return False
    if around.charging_h is None and around.lately_wh >= KNOWN_WH:
        return False
    charging_h = lasted_h(row) if around.charging_h is None else around.charging_h
    return charging_h >= LEAST_H and measured_wh < LEAST_W * charging_h


def charging_h(told: Iterable[tuple[datetime, str | None]], until: datetime) -> float | None:
    """Hours in the state Charging (2.0.1 chargingState), from what was told when, in order, up to an end.

    What tells no state leaves it as it is. None where no state was told at all.
    """
    stated = [(at, state) for at, state in told if state is not None]
    if not stated:
        return None
    following = [*(at for at, _ in stated[1:]), until]
    spans = [
        max(0.0, (after - at).total_seconds())
        for (at, state), after in zip(stated, following, strict=True)
        if state == CHARGING
    ]
    return sum(spans) / 3600


def unit_factor(row: ChargingTransaction, seen: Seen) -> float | None:
    """What the energy must be multiplied with to be what the measured power says; None when it is that.

    1000 for a counter in kWh labelled Wh, 0.001 for one in Wh labelled kWh.
    """
    if not row.measured_wh or seen.average_w is None or seen.powers < LEAST_POWERS:
        return None
    by_power_wh = seen.average_w * lasted_h(row)
    if by_power_wh < LEAST_WH:
        return None
    ratio = row.measured_wh / by_power_wh
    if 1 / (THOUSAND * APART) <= ratio <= APART / THOUSAND:
        return float(THOUSAND)
    if THOUSAND / APART <= ratio <= THOUSAND * APART:
        return 1 / THOUSAND
    return None
