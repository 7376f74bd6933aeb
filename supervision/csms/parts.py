"""Commands with lists longer than the station takes in one CALL: split, answered apart, joined again. Pure.

2.0.1 B06.FR.16, B05.FR.11, N04 and N06: the station tells `ItemsPerMessage` for each of these messages, in
1.6 its key `GetConfigurationMaxKeys`; one that has told nothing gets the whole list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ITEMS_PER_MESSAGE = "ItemsPerMessage"
MAX_KEYS = "getconfigurationmaxkeys"
CAPABILITY = (
    "items_per_message"  # where `charging_stations.capabilities` keeps what was learnt: action -> items
)
_MOST_ITEMS = 10_000  # a limit beyond this is no limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Which component tells the limit (none in 1.6), and the names of the lists asked and answered."""

    component: str | None
    asked: str
    answered: tuple[str, ...]


LISTINGS: Mapping[str, Listing] = {
    "GetConfiguration": Listing(component=None, asked="key", answered=("configurationKey", "unknownKey")),
    "GetVariables": Listing(
        component="DeviceDataCtrlr", asked="getVariableData", answered=("getVariableResult",)
    ),
    "SetVariables": Listing(
        component="DeviceDataCtrlr", asked="setVariableData", answered=("setVariableResult",)
    ),
    "SetVariableMonitoring": Listing(
        component="MonitoringCtrlr", asked="setMonitoringData", answered=("setMonitoringResult",)
    ),
    "ClearVariableMonitoring": Listing(
        component="MonitoringCtrlr", asked="id", answered=("clearMonitoringResult",)
    ),
}


def limit_of(action: str, capabilities: Mapping[str, Any]) -> int | None:
    """Return how many items the station takes in one CALL, None when it told no limit.

    Looked for in what GetVariables taught, then in what its reports told: of this message, else of any.
    """
    listing = LISTINGS.get(action)
    if listing is None:
        return None
    reported = capabilities.get("variables") or {}
    name = f"{listing.component}.{ITEMS_PER_MESSAGE}"
    told = [(capabilities.get(CAPABILITY) or {}).get(action), reported.get(f"{name}[{action}]")]
    return next((limit for limit in map(_limit, [*told, reported.get(name)]) if limit is not None), None)


def split(action: str, payload: Mapping[str, Any], limit: int | None) -> tuple[Mapping[str, Any], ...]:
    """Return the payloads of the CALLs a command is sent as, in order; a single one when it fits."""
    listing = LISTINGS.get(action)
    items = payload.get(listing.asked) if listing is not None else None
    if listing is None or limit is None or not isinstance(items, list) or len(items) <= limit:
        return (payload,)
    return tuple(
        {**payload, listing.asked: items[start : start + limit]} for start in range(0, len(items), limit)
    )


def joined(action: str, responses: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the answers to the parts as one answer; None when there is none."""
    listing = LISTINGS.get(action)
    if listing is None or len(responses) < 2:  # noqa: PLR2004 - nothing to join
        return responses[0] if responses else None
    lists = {
        name: [item for response in responses for item in _items(response, name)]
        for name in listing.answered
        if any(name in response for response in responses)
    }
    return {**responses[0], **lists}


def learnt(action: str, response: Mapping[str, Any] | None) -> dict[str, int]:
    """Return the limits that an answer to a reading of settings tells: action -> items per message."""
    if action == "GetConfiguration":
        limit = _max_keys(response or {})
        return {} if limit is None else {action: limit}
    items = _items(response or {}, "getVariableResult") if action == "GetVariables" else []
    found = [(_instance_told(item), _limit(item.get("attributeValue"))) for item in items if _is_object(item)]
    return {instance: limit for instance, limit in found if instance and limit is not None}


def _max_keys(response: Mapping[str, Any]) -> int | None:
    keys = [item for item in _items(response, "configurationKey") if _is_object(item)]
    told = (_limit(key.get("value")) for key in keys if str(key.get("key")).casefold() == MAX_KEYS)
    return next(told, None)


def _instance_told(item: Mapping[str, Any]) -> str | None:
    """Return the action whose limit this is the actual value of, None when it is something else."""
    variable, component = _part(item, "variable"), _part(item, "component")
    instance = str(variable.get("instance", ""))
    listing = LISTINGS.get(instance)
    told = (component.get("name"), variable.get("name"), item.get("attributeStatus"))
    if listing is None or told != (listing.component, ITEMS_PER_MESSAGE, "Accepted"):
        return None
    return instance if item.get("attributeType", "Actual") == "Actual" else None


def _is_object(item: Any) -> bool:
    return isinstance(item, dict)


def _part(item: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = item.get(name)
    return part if isinstance(part, dict) else {}


def _items(response: Mapping[str, Any], name: str) -> list[Any]:
    items = response.get(name)
    return items if isinstance(items, list) else []


def _limit(value: Any) -> int | None:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdecimal() and len(text) < 6):  # noqa: PLR2004
        return None
    return int(text) if 1 <= int(text) <= _MOST_ITEMS else None
