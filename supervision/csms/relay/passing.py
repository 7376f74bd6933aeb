"""What of a station's journal is passed on to its second backend, in which words (pure).

What carries a charging transaction is told whenever it was said. All else is told while it is new: of what
was missed the backend gets the newest when it is dialled (`boot_call`, `status_calls`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from supervision.csms import v16
from supervision.csms.catalogue import CARRIES_TRANSACTION, FROM_STATION
from supervision.csms.frame import Call, CallResult, Malformed, Version, read_frame
from supervision.csms.model import ConnectorStatus
from supervision.csms.relay.model import StationFacts
from supervision.kernel.timespan import format_instant

UNKNOWN_CHARGE = -1  # what a 1.6 station says when its start was never answered
_DIGITS = 12  # more than an id of 32 bits has

# Never told: the relay has a heartbeat of its own; the station's certificates are ours to sign; parts of a
# report answer a request of ours, which the other backend does not know and may hold people's data.
_OURS_ALONE = frozenset(
    {
        "Heartbeat",
        "SignCertificate",
        "Get15118EVCertificate",
        "GetCertificateStatus",
        "NotifyReport",
        "NotifyMonitoringReport",
        "NotifyCustomerInformation",
        "NotifyDisplayMessages",
        "ReportChargingProfiles",
    }
)
_STATUSES: Mapping[Version, frozenset[str]] = {
    Version.V16: frozenset(ConnectorStatus) - {ConnectorStatus.UNKNOWN, ConnectorStatus.OCCUPIED},
    Version.V201: frozenset(
        {
            ConnectorStatus.AVAILABLE,
            ConnectorStatus.OCCUPIED,
            ConnectorStatus.RESERVED,
            ConnectorStatus.UNAVAILABLE,
            ConnectorStatus.FAULTED,
        }
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A frame of the journal; `problem` says why we could not use it."""

    id: int
    at: datetime
    direction: str
    text: str
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A message to tell; `carries` says that it belongs to a charging transaction."""

    call: Call
    carries: bool


class Silence(StrEnum):
    """Why a frame is not told."""

    NOTHING = "nothing"  # an answer, a heartbeat, ours alone, or older than what the backend has been told
    LOST = "lost"  # it carries a charging transaction and nobody can read it
    OTHER_VERSION = "other_version"  # it carries a charging transaction in words of another OCPP version


def look(entry: Entry, version: Version, *, is_new: bool) -> Told | Silence:
    """Decide about one frame; `version` is spoken with the backend."""
    if entry.direction != "in":
        return Silence.NOTHING
    frame = read_frame(entry.text, version)
    if isinstance(frame, Malformed):
        carried = any((frame.action or "") in actions for actions in CARRIES_TRANSACTION.values())
        return Silence.LOST if carried and frame.answerable else Silence.NOTHING
    if not isinstance(frame, Call):
        return Silence.NOTHING
    if frame.action not in FROM_STATION[version]:
        carried = any(frame.action in actions for actions in CARRIES_TRANSACTION.values())
        return Silence.OTHER_VERSION if carried else Silence.NOTHING
    if carries_charge(version, frame):
        return Told(call=frame, carries=True)
    if not is_new or entry.problem is not None or frame.action in _OURS_ALONE:
        return Silence.NOTHING
    return Told(call=frame, carries=False)


def other(version: Version) -> Version:
    """Return the other version."""
    return Version.V201 if version is Version.V16 else Version.V16


def carries_charge(version: Version, call: Call) -> bool:
    """Tell whether a message belongs to a charging transaction; readings of a clock do not."""
    if call.action == "MeterValues":
        return version is Version.V16 and call.payload.get("transactionId") is not None
    return call.action in CARRIES_TRANSACTION[version]


def number_of(call: Call) -> int | None:
    """Return the id by which a 1.6 message names its charging transaction, also when it is quoted."""
    told = call.payload.get("transactionId")
    if isinstance(told, str) and told.strip().isdecimal() and len(told) <= _DIGITS:
        told = int(told)
    return v16.transaction_id({"transactionId": told})


def in_their_words(version: Version, call: Call, theirs: int | None) -> Call:
    """Put the backend's own id of the charging transaction into a 1.6 message; None: it never gave one.

    Then it gets what it would get of a station whose start was lost: a stop of the charge -1, which it must
    keep, and readings that name no charge.
    """
    if version is not Version.V16 or call.action not in {"StopTransaction", "MeterValues"}:
        return call
    payload = dict(call.payload)
    if theirs is not None:
        payload["transactionId"] = theirs
    elif call.action == "StopTransaction":
        payload["transactionId"] = UNKNOWN_CHARGE
    else:
        payload.pop("transactionId", None)
    return replace(call, payload=payload)


def id_in(answer: Mapping[str, Any]) -> int | None:
    """Return the id an answer to StartTransaction gives; None for one that is no id."""
    found = answer.get("transactionId")
    return found if type(found) is int and -(2**31) <= found < 2**31 else None


def our_id(question: Call, later: Iterator[str], version: Version) -> int | None:
    """Return the id we gave the station in the answer to a start; `later` are our frames after it."""
    for text in later:
        frame = read_frame(text, version)
        if isinstance(frame, CallResult) and frame.message_id == question.message_id:
            found = id_in(frame.payload)
            return found if found is not None and found > 0 else None
    return None


def message_id(entry: Entry, tries: int) -> str:
    """Return the id under which a frame is told.

    A try that was left without an answer is repeated on another line and keeps its id, so that the backend
    may know it again; one that was answered has had its id (OCPP-J 4.1.4). A station's own ids begin again
    after a restart, these never do.
    """
    return f"{entry.id}.{tries + 1}"


# --- when it is dialled -------------------------------------------------------------------------------


def boot_call(version: Version, facts: StationFacts, message_id: str) -> Call:
    """Write the station's last boot from what is known of it: the journal may have forgotten the message."""
    boot = facts.boot or {}
    vendor, model = boot.get("vendor") or "unknown", boot.get("model") or "unknown"
    payload: dict[str, Any]
    if version is Version.V16:
        payload = {
            "chargePointVendor": vendor,
            "chargePointModel": model,
            **_known(boot, chargePointSerialNumber="serial", firmwareVersion="firmware"),
        }
    else:
        station = {
            "vendorName": vendor,
            "model": model,
            **_known(boot, serialNumber="serial", firmwareVersion="firmware"),
        }
        payload = {"reason": boot.get("reason") or "Unknown", "chargingStation": station}
    return Call(message_id=message_id, action="BootNotification", payload=payload)


def status_calls(version: Version, facts: StationFacts, message_ids: Iterator[str]) -> Iterator[Call]:
    """Write the newest status of each EVSE; one that was never told is left out."""
    for evse_id, (status, error_code, at) in sorted(facts.evses.items()):
        if status not in _STATUSES[version] or at is None:
            continue
        payload: dict[str, Any]
        if version is Version.V16:
            payload = {
                "connectorId": evse_id,
                "errorCode": error_code or "NoError",
                "status": status,
                "timestamp": format_instant(at),
            }
        else:
            payload = {
                "timestamp": format_instant(at),
                "connectorStatus": status,
                "evseId": evse_id,
                "connectorId": 1,
            }
        yield Call(message_id=next(message_ids), action="StatusNotification", payload=payload)


def _known(boot: Mapping[str, str], **fields: str) -> dict[str, str]:
    return {field: boot[name] for field, name in fields.items() if boot.get(name)}
