"""What the readings of a charge as a whole say about its registers; pure.

Start and stop register alone cannot show that the counter began anew in between, nor that its unit is named
wrongly: a counter in kWh labelled Wh delivers a thousandth of what the measured power says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from supervision.csms.machine import SLACK_WH, ChargingTransaction, Doubt, State, lasted_h
from supervision.csms.model import MeterSample, in_order, measured

DROP_WH = SLACK_WH
"""A register may fall by the rounding of a coarse meter."""
THOUSAND = 1000
APART = 4
"""How far from a thousand the ratio may be: power is sampled, and not all the time."""
LEAST_WH = 500
LEAST_POWERS = 2


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
