"""Electric units: whole watts and watt-hours, currents in amperes per phase."""

from __future__ import annotations

import math

NOMINAL_V = 230
PHASES = (1, 2, 3)


def watts(current_a: float, phases: int, voltage_v: int = NOMINAL_V) -> int:
    """Power of `current_a` amperes on each of `phases` phases, rounded to the nearest watt."""
    return round(current_a * phases * voltage_v)


def amperes(power_w: float, phases: int, voltage_v: int = NOMINAL_V) -> float:
    """Current per phase that carries `power_w`."""
    return power_w / (phases * voltage_v)


def floor_tenth(value: float) -> float:
    """Round down to 0.1, the precision of an OCPP limit; never up, so that no limit is exceeded."""
    return math.floor(round(value * 10, 6)) / 10
