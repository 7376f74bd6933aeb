"""Which settings a station should have, how they compare with what it has, and how both are said (pure).

A wish names a setting for stations of a kind; the most precise wish wins. Names are those of the wire: a
configuration key in 1.6, `Component.Variable` in 2.0.1, either with an `[instance]`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Literal

from supervision.csms.masking import SECRET_NAMES

OcppVersion = Literal["1.6", "2.0.1"]
VERSIONS: tuple[OcppVersion, ...] = ("1.6", "2.0.1")
LONGEST_VALUE = {"1.6": 500, "2.0.1": 1000}
USUAL_ITEMS = 10  # where the station does not say how many it takes at once
MOST_ITEMS = 50

_KEY_16 = re.compile(r"[^\s,;]{1,50}")
_VARIABLE_201 = re.compile(
    r"(?P<component>[^\s.\[\]]{1,50})(\[(?P<component_instance>[^\[\]]{1,50})\])?"
    r"\.(?P<variable>[^\s.\[\]]{1,50})(\[(?P<variable_instance>[^\[\]]{1,50})\])?"
)


class ItemState(StrEnum):
    """How one setting of a station stands."""

    OK = "ok"
    DIFFERS = "differs"
    UNKNOWN = "unknown"  # the station does not have it
    READ_ONLY = "read_only"
    REFUSED = "refused"
    IGNORED = "ignored"  # accepted, and still the old value when read again
    PARTLY = "partly"  # a list of which it takes a part
    REBOOT_REQUIRED = "reboot_required"


class ConfigurationState(StrEnum):
    """How the settings of a station stand as a whole."""

    WAITING = "waiting"
    IN_SYNC = "in_sync"
    DRIFT = "drift"
    REBOOT_REQUIRED = "reboot_required"


_ANSWERS = frozenset({ItemState.REFUSED, ItemState.IGNORED, ItemState.UNKNOWN, ItemState.REBOOT_REQUIRED})
_DRIFT = frozenset({ItemState.DIFFERS, ItemState.READ_ONLY, ItemState.REFUSED, ItemState.IGNORED})


@dataclass(frozen=True, slots=True, kw_only=True)
class StationKind:
    """What a station said of itself at its last boot."""

    identity: str
    ocpp: str
    vendor: str = ""
    model: str = ""
    firmware: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A setting that stations of a kind should have; None as value: leave it as it is.

    None in `vendor`, `model`, `firmware` (a prefix) or `charging_station` means any.
    """

    ocpp: str
    name: str
    value: str | None
    reason: str = ""
    vendor: str | None = None
    model: str | None = None
    firmware: str | None = None
    charging_station: str | None = None

    def concerns(self, station: StationKind) -> bool:
        """Tell whether the wish is about this station."""
        return (
            self.ocpp == station.ocpp
            and self.charging_station in (None, station.identity)
            and _same_or_any(self.vendor, station.vendor)
            and _same_or_any(self.model, station.model)
            and station.firmware.casefold().startswith((self.firmware or "").casefold())
        )

    @property
    def precision(self) -> tuple[bool, int, bool, bool]:
        """The more precise wish is the greater one: the very station, the longer firmware, model, maker."""
        return (
            self.charging_station is not None,
            len(self.firmware or ""),
            self.model is not None,
            self.vendor is not None,
        )


def _same_or_any(wanted: str | None, told: str) -> bool:
    return wanted is None or wanted.strip().casefold() == told.strip().casefold()


def resolve(wishes: Sequence[Wish], station: StationKind) -> list[Wish]:
    """Return the wish in force for each setting of a station, by name; those to leave alone are left out."""
    chosen: dict[str, Wish] = {}
    for wish in sorted(wishes, key=lambda one: one.precision):
        if wish.concerns(station):
            chosen[wish.name.casefold()] = wish
    return [chosen[key] for key in sorted(chosen) if chosen[key].value is not None]


def is_name(ocpp: str, name: str) -> bool:
    """Tell whether a text names a setting of that version."""
    return bool((_KEY_16 if ocpp == "1.6" else _VARIABLE_201).fullmatch(name))


def is_secret(name: str) -> bool:
    """Tell whether a setting holds a password or a key: those are never wished for, kept or shown."""
    last = name.casefold().rpartition(".")[2].partition("[")[0]
    return last in SECRET_NAMES or "password" in last or "passphrase" in last or last == "authorizationkey"


# --- comparing ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a station said of a setting; `value` None: it has it and tells no value."""

    value: str | None
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One wished setting beside what was found; `tried` is the part of a list that the station takes."""

    name: str
    wanted: str
    found: str | None
    state: ItemState
    reason: str = ""
    tried: str | None = None


def same_value(wanted: str, found: str | None) -> bool:
    """Compare as stations mean it: without case, 60 like 60.0, lists in any order, spaces aside."""
    if found is None:
        return False
    if "," in wanted or "," in found:
        return _members(wanted) == _members(found)
    return _plain(wanted) == _plain(found)


def _members(text: str) -> set[str | Decimal]:
    return {_plain(part) for part in text.split(",") if part.strip()}


def _plain(text: str) -> str | Decimal:
    stripped = text.strip().strip('"').casefold()
    try:
        number = Decimal(stripped)
    except InvalidOperation:
        return stripped
    return number if number.is_finite() else stripped


def judge(wish: Wish, found: Found | None, before: Item | None = None) -> Item:
    """Compare one wish with what was read; None: the station does not have it.

    `before` is what is known from earlier: a list of which the station took a part is not fought over.
    """
    wanted = wish.value or ""
    value = None if found is None else found.value
    tried = before.tried if before is not None and before.wanted == wanted else None
    if found is None:
        state = ItemState.UNKNOWN
    elif same_value(wanted, value):
        state, tried = ItemState.OK, None
    elif tried is not None and same_value(tried, value):
        state = ItemState.PARTLY
    else:
        state = ItemState.READ_ONLY if found.read_only else ItemState.DIFFERS
    return Item(name=wish.name, wanted=wanted, found=value, state=state, reason=wish.reason, tried=tried)


def looked_at(item: Item, before: Item | None) -> Item:
    """A look that writes nothing keeps why a setting differs, as long as nothing has moved."""
    if item.state is not ItemState.DIFFERS or before is None:
        return item
    same = (before.wanted, before.found) == (item.wanted, item.found)
    return replace(item, state=before.state) if same and before.state in _ANSWERS else item


def list_members(value: str) -> list[str]:
    """The members of a list in their order, the most important first; none where the value is no list."""
    parts = [part.strip() for part in value.split(",") if part.strip()]
    return parts if len(parts) > 1 else []


def overall(items: Sequence[Item]) -> ConfigurationState:
    """The state of a station from that of its settings."""
    states = {item.state for item in items}
    if ItemState.REBOOT_REQUIRED in states:
        return ConfigurationState.REBOOT_REQUIRED
    return ConfigurationState.DRIFT if states & _DRIFT else ConfigurationState.IN_SYNC


# --- the wire -----------------------------------------------------------------------------------------

READ_LIMIT = {"1.6": "GetConfigurationMaxKeys", "2.0.1": "DeviceDataCtrlr.ItemsPerMessage[GetVariables]"}
WRITE_LIMIT = {"2.0.1": "DeviceDataCtrlr.ItemsPerMessage[SetVariables]"}
STATUS = {
    "Accepted": ItemState.OK,
    "RebootRequired": ItemState.REBOOT_REQUIRED,
    "NotSupported": ItemState.UNKNOWN,
    "UnknownComponent": ItemState.UNKNOWN,
    "UnknownVariable": ItemState.UNKNOWN,
}


def read_call(ocpp: str, names: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Return action and payload that read these settings."""
    if ocpp == "1.6":
        return "GetConfiguration", {"key": list(names)}
    return "GetVariables", {"getVariableData": [_place(name) for name in names]}


def read_result(ocpp: str, names: Sequence[str], response: Mapping[str, Any]) -> dict[str, Found]:
    """Read the answer: name as asked -> what was found; what the station does not have is left out."""
    told = _told_16(response) if ocpp == "1.6" else _told_201(response)
    return {name: told[name.casefold()] for name in names if name.casefold() in told}


def _told_16(response: Mapping[str, Any]) -> dict[str, Found]:
    return {
        str(item["key"]).casefold(): Found(
            value=None if item.get("value") is None else str(item["value"]),
            read_only=item.get("readonly") is True,
        )
        for item in response.get("configurationKey") or []
        if "key" in item
    }


def _told_201(response: Mapping[str, Any]) -> dict[str, Found]:
    found = {}
    for item in response.get("getVariableResult") or []:
        if item.get("attributeStatus") == "Accepted":
            value = item.get("attributeValue")
            found[_name(item).casefold()] = Found(value=None if value is None else str(value))
    return found


def write_call(ocpp: str, values: Sequence[tuple[str, str]]) -> tuple[str, dict[str, Any]]:
    """Return action and payload that set these values; 1.6 sets one at a time."""
    if ocpp == "1.6":
        ((name, value),) = values
        return "ChangeConfiguration", {"key": name, "value": value}
    wanted = [{"attributeValue": value, **_place(name)} for name, value in values]
    return "SetVariables", {"setVariableData": wanted}


def write_result(ocpp: str, names: Sequence[str], response: Mapping[str, Any]) -> dict[str, ItemState]:
    """Read the answer item by item; an item without an answer, or any other word, is refused."""
    if ocpp == "1.6":
        told = {names[0].casefold(): str(response.get("status"))}
    else:
        results = response.get("setVariableResult") or []
        told = {_name(item).casefold(): str(item.get("attributeStatus")) for item in results}
    return {name: STATUS.get(told.get(name.casefold(), ""), ItemState.REFUSED) for name in names}


def limit_in(found: Found | None) -> int:
    """How many items a message may have."""
    text = (found.value if found is not None else None) or ""
    number = int(text) if text.strip().isascii() and text.strip().isdecimal() else USUAL_ITEMS
    return max(1, min(number, MOST_ITEMS))


def _place(name: str) -> dict[str, Any]:
    """Return component and variable of a 2.0.1 name."""
    match = _VARIABLE_201.fullmatch(name)
    if match is None:
        return {"component": {"name": name[:50]}, "variable": {"name": name[:50]}}
    parts = match.groupdict()
    component = {"name": parts["component"], "instance": parts["component_instance"]}
    variable = {"name": parts["variable"], "instance": parts["variable_instance"]}
    return {"component": _given(component), "variable": _given(variable)}


def _given(fields: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in fields.items() if value is not None}


def _name(item: Mapping[str, Any]) -> str:
    return f"{_part(item.get('component'))}.{_part(item.get('variable'))}"


def _part(value: object) -> str:
    if not isinstance(value, Mapping):
        return ""
    instance = value.get("instance")
    return f"{value.get('name')}[{instance}]" if instance else str(value.get("name"))
