"""Read values out of payloads that passed the schemas, or did not quite: tolerant, without side effects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from supervision.csms.model import (
    ENERGY_REGISTER,
    OUTLET,
    PHASES,
    MeterSample,
    Reading,
    ReadingKind,
    SignedValue,
)
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
_PERIODIC = "Sample.Periodic"
_OCMF = "OCMF|"
_SEAL = "signedMeterValue"


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
    found = [_sample(value) for value in values if isinstance(value, dict)]
    return tuple(sample for sample in found if sample.readings or sample.signed)


def _sample(value: Mapping[str, Any]) -> MeterSample:
    sampled = value.get("sampledValue")
    if not isinstance(sampled, list):
        return MeterSample(at=None, readings=())
    readings = _readings(sampled)
    at = moment(value.get("timestamp"))
    if len(readings) == len(sampled) and not any(_SEAL in item for item in sampled):
        return MeterSample(at, readings)  # nearly always: numbers and nothing else
    return MeterSample(at, readings, tuple(_signed(sampled)))


def _signed(sampled: list[Any]) -> Iterable[SignedValue]:
    """The signed values: in 1.6 in place of the number, in 2.0.1 beside it."""
    for item in sampled:
        if not isinstance(item, dict):
            continue
        told = item.get(_SEAL)
        if isinstance(told, dict) and isinstance(told.get("signedMeterData"), str):
            yield SignedValue(
                data=told["signedMeterData"],
                context=_context(item),
                encoding=text(told, "encodingMethod"),
                public_key=text(told, "publicKey"),
            )
        elif _is_signed(item):
            encoding = "OCMF" if item["value"].startswith(_OCMF) else None
            yield SignedValue(data=item["value"], context=_context(item), encoding=encoding)


def _is_signed(item: Mapping[str, Any]) -> bool:
    """Signed text in place of a number (1.6), also where the station forgets to say so."""
    value = item.get("value")
    return isinstance(value, str) and (item.get("format") == "SignedData" or value.startswith(_OCMF))


def _context(item: Mapping[str, Any]) -> str:
    return (text(item, "context") or _PERIODIC)[:50]


def _readings(sampled: list[Any]) -> tuple[Reading, ...]:
    """Sampled values with the defaults of the standard: imported energy, Wh, outlet, periodic.

    Written out in one loop: eight values a message, thousands of messages a second.
    """
    found: list[Reading] = []
    for item in sampled:
        if not isinstance(item, dict):
            continue
        get = item.get
        value, measure = get("value"), get("unitOfMeasure")
        unit, exponent = (get("unit"), 0) if measure is None else _unit_of_measure(measure)
        if value is True or value is False or get("format") == "SignedData":
            continue  # digits of a signature are no reading
        try:
            kind, factor_milli = _kind(
                get("measurand", ENERGY_REGISTER),
                unit,
                exponent,
                get("phase"),
                get("location", OUTLET),
                get("context", _PERIODIC),
            )
            # A float is exact enough: below 2**53 thousandths the nearest integer is the one that was meant.
            milli = float(value) * factor_milli  # type: ignore[arg-type] # what is no number raises
        except (TypeError, ValueError, OverflowError):
            continue  # a list or an object where a word belongs, or no number
        if kind is not None and -_MAX_MILLI <= milli <= _MAX_MILLI:  # False for NaN
            found.append((kind, round(milli)))
    return tuple(found)


def _unit_of_measure(measure: object) -> tuple[object, int]:
    """2.0.1 puts the unit in an object with a power of ten beside it."""
    if not isinstance(measure, dict):
        return None, 0
    return measure.get("unit"), max(-9, min(9, whole(measure, "multiplier") or 0))


@lru_cache(maxsize=1024)
def _kind(
    measurand: object, unit: object, exponent: int, phase: object, location: object, context: object
) -> tuple[ReadingKind | None, float]:
    """What a value is and what turns it into thousandths of the base unit; None for what we cannot use.

    Remembered, because a station says the same few things for years.
    """
    name = str(measurand).strip()
    family = name.partition(".")[0]
    expected = _UNIT_OF_MEASURAND.get(family, "")
    word = str(unit or "").strip() or expected
    base, factor = _UNITS.get(word, (word[:20], 1))
    if family not in _MEASURANDS or (phase and phase not in _PHASE_WORDS):
        return None, 0.0
    if family in {"Energy", "Power"} and base not in {expected, "varh", "var", "VA"}:
        return None, 0.0  # energy in an unknown unit is no energy
    kind = ReadingKind(name[:60], base, str(phase or ""), str(location), str(context))
    return kind, factor * 1000 * 10.0**exponent
