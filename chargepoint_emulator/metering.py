"""What the meter of an EVSE says. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chargepoint_emulator.battery import VOLTAGE_V

DEFAULT_MEASURANDS = (
    "Energy.Active.Import.Register",
    "Power.Active.Import",
    "Current.Import",
    "Current.Offered",
    "SoC",
)
_PHASES = ("L1", "L2", "L3")


@dataclass(frozen=True, kw_only=True)
class Meter:
    """One instant at an EVSE; currents are per phase, ``soc`` is None where the station cannot know it."""

    register_wh: float
    current_a: float
    phases_used: int
    phases: int
    offered_a: float
    soc: float | None


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One sampled value."""

    measurand: str
    value: float
    unit: str
    phase: str | None = None


def readings(meter: Meter, measurands: Iterable[str]) -> list[Reading]:
    """Return the readings of the measurands asked for, unknown or impossible ones left out."""
    return [reading for measurand in measurands for reading in _SOURCES.get(measurand, _nothing)(meter)]


def _nothing(_: Meter) -> list[Reading]:
    return []


def _energy(meter: Meter) -> list[Reading]:
    return [Reading(measurand="Energy.Active.Import.Register", value=round(meter.register_wh), unit="Wh")]


def _power(meter: Meter) -> list[Reading]:
    watts = meter.current_a * VOLTAGE_V * meter.phases_used
    return [Reading(measurand="Power.Active.Import", value=round(watts, 1), unit="W")]


def _current(meter: Meter) -> list[Reading]:
    return [
        Reading(
            measurand="Current.Import",
            value=round(meter.current_a, 2) if position < meter.phases_used else 0.0,
            unit="A",
            phase=phase,
        )
        for position, phase in enumerate(_PHASES[: meter.phases])
    ]


def _offered(meter: Meter) -> list[Reading]:
    return [Reading(measurand="Current.Offered", value=round(meter.offered_a, 2), unit="A")]


def _power_offered(meter: Meter) -> list[Reading]:
    watts = meter.offered_a * VOLTAGE_V * meter.phases
    return [Reading(measurand="Power.Offered", value=round(watts, 1), unit="W")]


def _voltage(meter: Meter) -> list[Reading]:
    return [
        Reading(measurand="Voltage", value=VOLTAGE_V, unit="V", phase=f"{phase}-N")
        for phase in _PHASES[: meter.phases]
    ]


def _soc(meter: Meter) -> list[Reading]:
    if meter.soc is None:
        return []
    return [Reading(measurand="SoC", value=round(meter.soc, 1), unit="Percent")]


_SOURCES = {
    "Energy.Active.Import.Register": _energy,
    "Power.Active.Import": _power,
    "Current.Import": _current,
    "Current.Offered": _offered,
    "Power.Offered": _power_offered,
    "Voltage": _voltage,
    "SoC": _soc,
}
SUPPORTED_MEASURANDS = frozenset(_SOURCES)
