"""What energy to propose for a charge that a person must settle, and on what it rests; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from supervision.csms.machine import ChargingTransaction, Doubt, most_wh
from supervision.csms.metering import DROP_WH, Seen, unit_factor

LEAST_READINGS = 2


class Basis(StrEnum):
    """What a proposal rests on."""

    REGISTERS = "registers"  # the last register told less the one of the start
    READINGS = "readings"  # the first and the last reading: the register of the start is missing
    PIECES = "pieces"  # the counter began anew: what it rose by, piece by piece
    UNIT = "unit"  # the registers, in the unit that the measured power demands


class RegisterReading(NamedTuple):
    """A reading of the counter in Wh during the charge, with the power in W measured at that instant."""

    at: datetime
    register_wh: int
    power_w: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Energy in Wh, and on what it rests."""

    energy_wh: int
    basis: Basis


def propose(
    row: ChargingTransaction, readings: Sequence[RegisterReading], *, max_power_w: float | None
) -> Proposal | None:
    """Return the best estimate for an ended charge; None when nothing sound can be said.

    Two readings of one counter are always wanted, and never more than power times time allows.
    """
    found = _estimate(row, readings)
    cap_wh = most_wh(row, max_power_w)
    if found is None or (cap_wh is not None and found.energy_wh > cap_wh):
        return None
    return found


def seen_of(readings: Sequence[RegisterReading]) -> Seen:
    """Summarise readings in the order of their times."""
    powers = [reading.power_w for reading in readings if reading.power_w is not None]
    return Seen(
        drops=sum(after.register_wh < before.register_wh - DROP_WH for before, after in pairwise(readings)),
        powers=len(powers),
        average_w=sum(powers) / len(powers) if powers else None,
    )


def _estimate(row: ChargingTransaction, readings: Sequence[RegisterReading]) -> Proposal | None:
    if Doubt.TOO_LITTLE in (row.review or "").split(","):
        return None  # in which unit the counter counts is the question, and no reading answers it
    seen = seen_of(readings)
    chain = [reading.register_wh for reading in readings]
    if row.meter_start_wh is not None:
        chain.insert(0, row.meter_start_wh)
    if row.stop_register_told and row.meter_stop_wh is not None:
        chain.append(row.meter_stop_wh)
    if len(chain) < LEAST_READINGS:
        return None
    pieces_wh = sum(max(0, after - before) for before, after in pairwise(chain))
    if seen.drops or chain[-1] < chain[0]:
        return Proposal(energy_wh=pieces_wh, basis=Basis.PIECES)
    factor = unit_factor(row, seen)
    if row.measured_wh is not None and factor is not None:
        return Proposal(energy_wh=round(row.measured_wh * factor), basis=Basis.UNIT)
    if row.measured_wh is not None:
        return Proposal(energy_wh=row.measured_wh, basis=Basis.REGISTERS)
    return Proposal(energy_wh=chain[-1] - chain[0], basis=Basis.READINGS)
