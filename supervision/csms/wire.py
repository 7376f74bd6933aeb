"""Read values out of payloads that passed the schemas, or did not quite: tolerant, without side effects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from supervision.csms.model import ENERGY_REGISTER, OUTLET, PHASES, MeterSample, Reading
from supervision.kernel.errors import FieldError

# Wire unit -> base unit and factor to it. What is not listed is kept under its own name.
_UNITS: Mapping[str, tuple[str, int]] = {
    "Wh": ("Wh", 1),
    "kWh": ("Wh", 1000),
    "varh": ("varh", 1),
    "kvarh": ("varh", 1000),
    "W": ("W", 1),
    "kW": ("W", 1000),
    "VA": ("VA", 1),
    "kVA": ("VA", 1000),
    "var": ("var", 1),
    "kvar": ("var", 1000),
    "A": ("A", 1),
    "V": ("V", 1),
    "Percent": ("Percent", 1),
    "Celsius": ("Celsius", 1),
    "Celcius": ("Celsius", 1),  # the word of OCPP 1.6
    "Fahrenheit": ("Fahrenheit", 1),
    "K": ("K", 1),
}
_UNIT_OF_MEASURAND = {"Energy": "Wh", "Power": "W", "Current": "A", "Voltage": "V", "SoC": "Percent"}
_MEASURANDS = frozenset(
    {"Current", "Energy", "Power", "Voltage", "SoC", "Frequency", "Temperature", "RPM"},
)
_PHASE_WORDS = frozenset({*PHASES, "N", "L1-N", "L2-N", "L3-N", "L1-L2", "L2-L3", "L3-L1"})
_MAX_MILLI = 2**53


def moment(value: object) -> datetime | None:
    """Read a timestamp; without a zone it is taken as UTC; None when it is no time at all."""
    if not isinstance(value, str):
        return None
    try:
        instant = datetime.fromisoformat(value.strip())
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def text(payload: Mapping[str, Any], field: str) -> str | None:
    """Return text without surrounding spaces; None when missing or empty."""
    value = payload.get(field)
    return (value.strip() or None) if isinstance(value, str) else None


def required_text(payload: Mapping[str, Any], field: str) -> str:
    """Return text that must be there; FieldError otherwise."""
    value = text(payload, field)
    if value is None:
        raise FieldError(field, "missing")
    return value


def whole(payload: Mapping[str, Any], field: str) -> int | None:
    """Return an integer, also when written as 3.0; None when missing or no number."""
    value = payload.get(field)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value)


def inner(payload: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """Return an object inside; an empty one when missing."""
    value = payload.get(field)
    return value if isinstance(value, dict) else {}


def samples(values: object) -> tuple[MeterSample, ...]:
    """Read a `meterValue` list of either version; what is no reading is left out."""
    if not isinstance(values, list):
        return ()
    found = [
        MeterSample(at=moment(value.get("timestamp")), readings=tuple(_readings(value.get("sampledValue"))))
        for value in values
        if isinstance(value, dict)
    ]
    return tuple(sample for sample in found if sample.readings)


def _readings(sampled: object) -> Iterable[Reading]:
    if isinstance(sampled, list):
        for item in sampled:
            reading = _reading(item) if isinstance(item, dict) else None
            if reading is not None:
                yield reading


def _reading(item: Mapping[str, Any]) -> Reading | None:
    """One sampled value with the defaults of the standard: imported energy, Wh, outlet, periodic."""
    measurand = str(item.get("measurand") or ENERGY_REGISTER).strip()
    phase = item.get("phase") or ""
    family = measurand.partition(".")[0]
    unit, factor = _unit(item, family)
    milli = _milli(item.get("value"), factor)
    if milli is None or family not in _MEASURANDS or unit is None or (phase and phase not in _PHASE_WORDS):
        return None
    return Reading(
        measurand=measurand,
        value_milli=milli,
        unit=unit,
        phase=str(phase),
        location=str(item.get("location") or OUTLET),
        context=str(item.get("context") or "Sample.Periodic"),
    )


def _unit(item: Mapping[str, Any], family: str) -> tuple[str | None, Decimal]:
    """Base unit and factor; 2.0.1 puts the unit in an object with a power of ten beside it."""
    measure = inner(item, "unitOfMeasure")
    word = str(item.get("unit") or measure.get("unit") or _UNIT_OF_MEASURAND.get(family, "")).strip()
    exponent = whole(measure, "multiplier") or 0
    base, factor = _UNITS.get(word, (word[:20], 1))
    expected = _UNIT_OF_MEASURAND.get(family)
    if family in {"Energy", "Power"} and base not in {expected, "varh", "var", "VA"}:
        return None, Decimal(0)  # energy in an unknown unit is no energy
    return base, Decimal(factor).scaleb(max(-9, min(9, exponent)))


def _milli(value: object, factor: Decimal) -> int | None:
    """Thousandths of the base unit, exact; None for what is no finite number of a sane size."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = Decimal(str(value).strip()) * factor * 1000
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number) > _MAX_MILLI:
        return None
    return int(number.to_integral_value())
