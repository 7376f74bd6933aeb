"""The commands of the charging station page as OCPP messages of either version. Pure.

Everything else the standard knows goes through the API's generic command.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from supervision.kernel.errors import FieldError

HAND_PROFILE = 9_000  # charging profile id of the limit set by hand; the planner uses others
MESSAGES = ("StatusNotification", "MeterValues", "Heartbeat", "BootNotification")
RESETS = {"soft": ("Soft", "OnIdle"), "hard": ("Hard", "Immediate")}
AVAILABILITY = {"off": "Inoperative", "on": "Operative"}
MAX_LIMIT_A = 125.0


@dataclass(frozen=True, kw_only=True)
class Order:
    """A message to send: OCPP action and payload."""

    action: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a command may need to know of the station: its version and what runs at each EVSE."""

    ocpp: str
    running: Mapping[int, str]

    @property
    def is_16(self) -> bool:
        """Tell whether the station speaks OCPP 1.6."""
        return self.ocpp == "1.6"


def order_from(form: Mapping[str, str], target: Target) -> Order:
    """Read the form of a command; FieldError names a field that cannot be used."""
    build = BUILDERS.get(form.get("command", ""))
    if build is None:
        raise FieldError("command", "unknown")
    return build(form, target)


def _evse(form: Mapping[str, str]) -> int:
    text = form.get("evse_id", "")
    if not (text.isascii() and text.isdecimal() and len(text) < 4):  # noqa: PLR2004 - no station has 1000
        raise FieldError("evse_id", "a number")
    return int(text)


def _text(form: Mapping[str, str], name: str, longest: int) -> str:
    text = form.get(name, "").strip()
    if not text or len(text) > longest:
        raise FieldError(name, f"1 to {longest} characters")
    return text


def _choice(form: Mapping[str, str], name: str, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    text = form.get(name, "")
    if text not in known:
        raise FieldError(name, "unknown")
    return text


def _start(form: Mapping[str, str], target: Target) -> Order:
    evse_id, token = _evse(form), _text(form, "id_token", 20 if target.is_16 else 36)
    if target.is_16:
        return Order(action="RemoteStartTransaction", payload={"connectorId": evse_id, "idTag": token})
    payload = {
        "evseId": evse_id,
        "remoteStartId": 1,
        "idToken": {"idToken": token, "type": "Central"},
    }
    return Order(action="RequestStartTransaction", payload=payload)


def _stop(form: Mapping[str, str], target: Target) -> Order:
    running = target.running.get(_evse(form))
    if running is None:
        raise FieldError("evse_id", "nothing is charging there")
    if target.is_16:
        return Order(action="RemoteStopTransaction", payload={"transactionId": int(running)})
    return Order(action="RequestStopTransaction", payload={"transactionId": running})


def _unlock(form: Mapping[str, str], target: Target) -> Order:
    evse_id = _evse(form)
    payload = {"connectorId": evse_id} if target.is_16 else {"evseId": evse_id, "connectorId": 1}
    return Order(action="UnlockConnector", payload=payload)


def _availability(form: Mapping[str, str], target: Target) -> Order:
    evse_id, word = _evse(form), AVAILABILITY[_choice(form, "availability", AVAILABILITY)]
    if target.is_16:
        return Order(action="ChangeAvailability", payload={"connectorId": evse_id, "type": word})
    return Order(action="ChangeAvailability", payload={"operationalStatus": word, "evse": {"id": evse_id}})


def _reset(form: Mapping[str, str], target: Target) -> Order:
    old, new = RESETS[_choice(form, "reset_kind", RESETS)]
    return Order(action="Reset", payload={"type": old if target.is_16 else new})


def _trigger(form: Mapping[str, str], target: Target) -> Order:
    message, evse_id = _choice(form, "message", MESSAGES), _evse(form)
    whole = message in {"Heartbeat", "BootNotification"}
    payload: dict[str, Any] = {"requestedMessage": message}
    if not whole:
        connector = {"id": evse_id, **({"connectorId": 1} if message == "StatusNotification" else {})}
        payload |= {"connectorId": evse_id} if target.is_16 else {"evse": connector}
    return Order(action="TriggerMessage", payload=payload)


def _configuration(form: Mapping[str, str], target: Target) -> Order:
    key = form.get("key", "").strip()
    if target.is_16:
        return Order(action="GetConfiguration", payload={"key": [key[:50]]} if key else {})
    if not key:
        return Order(action="GetBaseReport", payload={"requestId": 1, "reportBase": "ConfigurationInventory"})
    component, dot, variable = key.partition(".")
    if not dot:
        raise FieldError("key", "Component.Variable")
    wanted = {"component": {"name": component[:50]}, "variable": {"name": variable[:50]}}
    return Order(action="GetVariables", payload={"getVariableData": [wanted]})


def _limit(form: Mapping[str, str], target: Target) -> Order:
    """A limit of the whole charging station by hand: above every plan, whose profiles stay as they are."""
    schedule = {
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": _amperes(form)}],
    }
    profile: dict[str, Any] = {"stackLevel": 0, "chargingProfileKind": "Absolute"}
    if target.is_16:
        profile |= {
            "chargingProfileId": HAND_PROFILE,
            "chargingProfilePurpose": "ChargePointMaxProfile",
            "chargingSchedule": schedule,
        }
        return Order(action="SetChargingProfile", payload={"connectorId": 0, "csChargingProfiles": profile})
    profile |= {
        "id": HAND_PROFILE,
        "chargingProfilePurpose": "ChargingStationMaxProfile",
        "chargingSchedule": [{"id": 1, **schedule}],
    }
    return Order(action="SetChargingProfile", payload={"evseId": 0, "chargingProfile": profile})


def _amperes(form: Mapping[str, str]) -> float:
    try:
        limit_a = float(form.get("limit_a", "").replace(",", "."))
    except ValueError:
        raise FieldError("limit_a", "a number") from None
    if not 0 <= limit_a <= MAX_LIMIT_A:
        raise FieldError("limit_a", f"0 to {MAX_LIMIT_A:g}")
    return int(limit_a * 10) / 10


def _clear_limit(_form: Mapping[str, str], target: Target) -> Order:
    payload = {"id": HAND_PROFILE} if target.is_16 else {"chargingProfileId": HAND_PROFILE}
    return Order(action="ClearChargingProfile", payload=payload)


BUILDERS: Mapping[str, Callable[[Mapping[str, str], Target], Order]] = {
    "start": _start,
    "stop": _stop,
    "unlock": _unlock,
    "availability": _availability,
    "reset": _reset,
    "trigger": _trigger,
    "configuration": _configuration,
    "limit": _limit,
    "clear_limit": _clear_limit,
}
