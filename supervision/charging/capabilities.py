"""What a charging station says it can do with profiles, read from its configuration (pure).

The lesson is a plain dict kept in `charging_stations.capabilities["smart_charging"]`: what the station
told, then what refusals taught (`stack_level` steps down, `steerable` turns False).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supervision.charging.profile import Capabilities, Unit, Version

KEYS_16 = (
    "ChargeProfileMaxStackLevel",
    "ChargingScheduleAllowedChargingRateUnit",
    "ChargingScheduleMaxPeriods",
    "MaxChargingProfilesInstalled",
    "SupportedFeatureProfiles",
)
VARIABLES_201 = ("ProfileStackLevel", "RateUnit", "PeriodsPerSchedule", "Available", "Enabled")
COMPONENT_201 = "SmartChargingCtrlr"

DEFAULT_LEVEL = 1
DEFAULT_PERIODS = 24
MOST_PERIODS = 1024
FEW_PERIODS = 1


def question(version: Version) -> tuple[str, dict[str, Any]]:
    """Return the action and the payload that ask a station for its smart-charging figures."""
    if version == "1.6":
        return "GetConfiguration", {"key": list(KEYS_16)}
    wanted = [{"component": {"name": COMPONENT_201}, "variable": {"name": name}} for name in VARIABLES_201]
    return "GetVariables", {"getVariableData": wanted}


def lesson(version: Version, response: Mapping[str, Any] | None) -> dict[str, Any]:
    """Read the answer; what it does not say keeps its default. Never fails: stations say strange things."""
    told = _told_16(response or {}) if version == "1.6" else _told_201(response or {})
    level, unit, periods = (
        (
            "ChargeProfileMaxStackLevel",
            "ChargingScheduleAllowedChargingRateUnit",
            "ChargingScheduleMaxPeriods",
        )
        if version == "1.6"
        else ("ProfileStackLevel", "RateUnit", "PeriodsPerSchedule")
    )
    return {
        "probed": True,
        "stack_level": _number(told.get(level), DEFAULT_LEVEL, 0, 100),
        "unit": _unit(told.get(unit)),
        "max_periods": _number(told.get(periods), DEFAULT_PERIODS, FEW_PERIODS, MOST_PERIODS),
    }


def capabilities(version: Version, known: Mapping[str, Any]) -> Capabilities:
    """What to reckon with, from everything learnt so far."""
    learnt = known.get("smart_charging", {})
    return Capabilities(
        version=version,
        unit=learnt.get("unit", "A"),
        max_periods=learnt.get("max_periods", DEFAULT_PERIODS),
        stack_level=learnt.get("stack_level", DEFAULT_LEVEL),
    )


def after_refusal(known: Mapping[str, Any]) -> dict[str, Any]:
    """What a refused profile teaches: the reported level, then 1, then 0, then that nothing helps.

    Some stations refuse the very level they report (ABB), some take only level 0 (Wallbox).
    """
    level = known.get("smart_charging", {}).get("stack_level", DEFAULT_LEVEL)
    if level > 1:
        return {"stack_level": 1}
    return {"stack_level": 0} if level == 1 else {"steerable": False}


def is_steerable(known: Mapping[str, Any]) -> bool:
    """Tell whether the station still takes profiles."""
    return bool(known.get("smart_charging", {}).get("steerable", True))


def is_probed(known: Mapping[str, Any]) -> bool:
    """Tell whether the station was asked since its last start."""
    return bool(known.get("smart_charging", {}).get("probed", False))


def _told_16(response: Mapping[str, Any]) -> dict[str, str]:
    listed = response.get("configurationKey") or []
    return {
        item["key"]: str(item["value"]) for item in listed if "key" in item and item.get("value") is not None
    }


def _told_201(response: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in response.get("getVariableResult") or []:
        if item.get("attributeStatus") == "Accepted" and "attributeValue" in item:
            found[str(item.get("variable", {}).get("name"))] = str(item["attributeValue"])
    return found


def _number(text: str | None, default: int, low: int, high: int) -> int:
    try:
        return max(low, min(high, int(text or "")))
    except ValueError:
        return default


def _unit(text: str | None) -> Unit:
    """A whenever it is allowed: W leaves the phases to guesswork. 1.6 says Current and Power, or A and W."""
    words = {word.strip().lower() for word in (text or "A").split(",")}
    return "W" if words & {"w", "power"} and not words & {"a", "current"} else "A"
