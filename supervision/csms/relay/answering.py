"""Who answers what: the owner's part of our answers, and the CALLs of the second backend (pure).

The station belongs to this server whoever owns its charges: nothing that could take it away, change its
settings or move its limits is passed on. That is a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from supervision.csms.catalogue import TO_STATION
from supervision.csms.frame import Call, ErrorCode, Version, write_error, write_result
from supervision.csms.relay.model import Owner

Payload = Mapping[str, Any]

# What the owner says about a badge and the cost. The id of a 1.6 charging transaction stays ours.
_OWNERS_PART: Mapping[tuple[Version, str], frozenset[str]] = {
    (Version.V16, "Authorize"): frozenset({"idTagInfo"}),
    (Version.V16, "StartTransaction"): frozenset({"idTagInfo"}),
    (Version.V16, "StopTransaction"): frozenset({"idTagInfo"}),
    (Version.V201, "Authorize"): frozenset({"idTokenInfo"}),
    (Version.V201, "TransactionEvent"): frozenset({"idTokenInfo", "totalCost", "updatedPersonalMessage"}),
}


def may_be_theirs(version: Version, action: str | None) -> bool:
    """Tell whether answers to this message have a part that the owner gives."""
    return (version, action or "") in _OWNERS_PART


def is_theirs(version: Version, action: str, ours: Payload) -> bool:
    """Tell whether this answer of ours speaks of a badge or of the cost: otherwise nobody waits."""
    return bool(_OWNERS_PART.get((version, action), frozenset()) & ours.keys())


def with_theirs(version: Version, action: str, ours: Payload, theirs: Payload) -> dict[str, Any]:
    """Return our answer with the owner's part from theirs, which was found valid."""
    part = _OWNERS_PART[version, action]
    kept = {field: value for field, value in ours.items() if field not in part}
    given = {field: theirs[field] for field in theirs if field in part}
    return {**kept, **given}


# --- CALLs of the second backend ------------------------------------------------------------------------

# What an owner elsewhere may ask for, with our refusal in the words of the action; None: it knows no refusal.
# Not here, among others: ChangeConfiguration, SetVariables, SetNetworkProfile, firmware, certificates and
# lists of badges, which would take the station or its badges from us; profiles, because the limits of the
# house are planned here; Reset and ChangeAvailability, because a car with a booking stands at the station.
_REJECTED: Payload = {"status": "Rejected"}
_UNLOCK_FAILED: Payload = {"status": "UnlockFailed"}
PASSED_ON: Mapping[Version, Mapping[str, Payload | None]] = {
    Version.V16: {
        "CancelReservation": _REJECTED,
        "GetCompositeSchedule": _REJECTED,
        "GetConfiguration": None,
        "GetLocalListVersion": None,
        "RemoteStartTransaction": _REJECTED,
        "RemoteStopTransaction": _REJECTED,
        "ReserveNow": _REJECTED,
        "TriggerMessage": _REJECTED,
        "UnlockConnector": _UNLOCK_FAILED,
    },
    Version.V201: {
        "CancelReservation": _REJECTED,
        "GetCompositeSchedule": _REJECTED,
        "GetLocalListVersion": None,
        "GetTransactionStatus": None,
        "GetVariables": None,
        "RequestStartTransaction": _REJECTED,
        "RequestStopTransaction": _REJECTED,
        "ReserveNow": _REJECTED,
        "TriggerMessage": _REJECTED,
        "UnlockConnector": _UNLOCK_FAILED,
    },
}
# Asking for a certificate request would begin a renewal with the wrong signer.
_TRIGGERS = frozenset(
    {
        "BootNotification",
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "StatusNotification",
        "TransactionEvent",
    }
)
# The limits are planned here, also those a start would bring along.
_LEFT_OUT: Mapping[str, str] = {
    "RemoteStartTransaction": "chargingProfile",
    "RequestStartTransaction": "chargingProfile",
}
_STOP_16 = "RemoteStopTransaction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A CALL that becomes a command to the station."""

    action: str
    payload: dict[str, Any]


def theirs_in(call: Call) -> int | None:
    """Return the backend's id of a charging transaction that a CALL of 1.6 names."""
    number = call.payload.get("transactionId") if call.action == _STOP_16 else None
    return number if type(number) is int else None


def rule(version: Version, owner: Owner, call: Call, ours: int | None) -> Order | str:
    """Decide about a CALL: a command, or the text that answers it at once.

    `ours` is our id of the charging transaction that `theirs_in` found; None: we know of none.
    """
    if call.action not in TO_STATION[version]:
        return write_error(call.message_id, ErrorCode.NOT_IMPLEMENTED, "unknown action", version)
    if call.action not in PASSED_ON[version]:
        reason = "another system looks after this station"
        return write_error(call.message_id, ErrorCode.SECURITY, reason, version)
    if owner is Owner.HERE or not _is_harmless(call):
        return refusal(version, call, "another system commands this station")
    payload = dict(call.payload)
    payload.pop(_LEFT_OUT.get(call.action, ""), None)
    if call.action == _STOP_16:
        if ours is None:
            return refusal(version, call, "no such charging transaction")
        payload["transactionId"] = ours
    return Order(action=call.action, payload=payload)


def _is_harmless(call: Call) -> bool:
    return call.action != "TriggerMessage" or call.payload.get("requestedMessage") in _TRIGGERS


def refusal(version: Version, call: Call, reason: str, code: ErrorCode = ErrorCode.NOT_SUPPORTED) -> str:
    """Refuse a CALL in the words of its action, or by a CALLERROR where it has none."""
    answer = PASSED_ON[version][call.action]
    if answer is not None:
        return write_result(call.message_id, answer)
    return write_error(call.message_id, code, reason, version)


_CODES: Mapping[str, ErrorCode] = {code.value: code for code in ErrorCode}


def told_by_station(
    version: Version, call: Call, state: str, response: Payload | None, error: Payload | None
) -> str:
    """Answer a CALL with what became of its command (`csms.outbound.CommandState`)."""
    if state == "answered":
        return write_result(call.message_id, response or {})
    if state == "error":
        code = _CODES.get(str((error or {}).get("code")), ErrorCode.GENERIC)
        return write_error(call.message_id, code, "the station refused it", version)
    if state == "refused" and (error or {}).get("code") == "invalid_payload":
        return write_error(call.message_id, ErrorCode.FORMAT, "not as its schema wants it", version)
    return refusal(version, call, "the station did not answer", ErrorCode.GENERIC)
