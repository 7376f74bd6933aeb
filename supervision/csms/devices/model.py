"""Errands and notices in words that do not depend on the OCPP version.

An *errand* is work a station goes on with after it has answered a command: installing firmware, uploading a
log, sending a report in pages. A *notice* is something a station tells about itself unasked: a security event
(A04), a monitored variable (N07). Instants are aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class ErrandKind(StrEnum):
    """What the station is busy with."""

    FIRMWARE = "firmware"
    FIRMWARE_PUBLICATION = "firmware_publication"
    DIAGNOSTICS = "diagnostics"  # 1.6 GetDiagnostics
    LOG = "log"
    REPORT = "report"
    MONITORING_REPORT = "monitoring_report"
    CHARGING_PROFILES = "charging_profiles"
    CUSTOMER_INFORMATION = "customer_information"
    DISPLAY_MESSAGES = "display_messages"


class ErrandState(StrEnum):
    """Where an errand stands, whatever word the station used."""

    UNDER_WAY = "under_way"
    WAITING = "waiting"  # the station put it off: scheduled or paused
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUSED = "refused"


OVER = frozenset({ErrandState.DONE, ErrandState.FAILED, ErrandState.CANCELLED, ErrandState.REFUSED})

# 1.6 §7.25, 1.6 security extension, 2.0.1 FirmwareStatusEnumType and UploadLogStatusEnumType.
_STATE_OF_WORD: Mapping[str, ErrandState] = {
    "DownloadScheduled": ErrandState.WAITING,
    "DownloadPaused": ErrandState.WAITING,
    "InstallScheduled": ErrandState.WAITING,
    "Downloading": ErrandState.UNDER_WAY,
    "Downloaded": ErrandState.UNDER_WAY,
    "SignatureVerified": ErrandState.UNDER_WAY,
    "Installing": ErrandState.UNDER_WAY,
    "InstallRebooting": ErrandState.UNDER_WAY,
    "Uploading": ErrandState.UNDER_WAY,
    "ChecksumVerified": ErrandState.UNDER_WAY,
    "Installed": ErrandState.DONE,
    "Uploaded": ErrandState.DONE,
    "Published": ErrandState.DONE,
    "AcceptedCanceled": ErrandState.CANCELLED,
    "DownloadFailed": ErrandState.FAILED,
    "InstallationFailed": ErrandState.FAILED,
    "InstallVerificationFailed": ErrandState.FAILED,
    "InvalidSignature": ErrandState.FAILED,
    "InvalidChecksum": ErrandState.FAILED,
    "PublishFailed": ErrandState.FAILED,
    "UploadFailed": ErrandState.FAILED,
    "UploadFailure": ErrandState.FAILED,
    "BadMessage": ErrandState.FAILED,
    "NotSupportedOperation": ErrandState.FAILED,
    "PermissionDenied": ErrandState.FAILED,
}


def state_of(word: str) -> ErrandState | None:
    """What a status word of a station means; None for Idle, which tells that there is no errand."""
    return _STATE_OF_WORD.get(word)


# The commands that send a station on an errand, in either version.
KIND_OF_ACTION: Mapping[str, ErrandKind] = {
    "UpdateFirmware": ErrandKind.FIRMWARE,
    "SignedUpdateFirmware": ErrandKind.FIRMWARE,
    "PublishFirmware": ErrandKind.FIRMWARE_PUBLICATION,
    "GetDiagnostics": ErrandKind.DIAGNOSTICS,
    "GetLog": ErrandKind.LOG,
    "GetBaseReport": ErrandKind.REPORT,
    "GetReport": ErrandKind.REPORT,
    "GetMonitoringReport": ErrandKind.MONITORING_REPORT,
    "GetChargingProfiles": ErrandKind.CHARGING_PROFILES,
    "CustomerInformation": ErrandKind.CUSTOMER_INFORMATION,
    "GetDisplayMessages": ErrandKind.DISPLAY_MESSAGES,
}
_NOTHING_THERE = frozenset({"EmptyResultSet", "NoProfiles", "Unknown"})  # answered: there is nothing to send
_STARTED = frozenset({"Accepted", "AcceptedCanceled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrandOrder:
    """A command that sends a station on an errand, and how the station answered.

    `request_id` is None where the version knows none (1.6 without the security extension). `cancels_others`
    tells that the station dropped its former errand of that kind for this one.
    """

    kind: ErrandKind
    request_id: int | None
    word: str
    state: ErrandState
    cancels_others: bool = False


def errand_order(
    action: str, payload: Mapping[str, Any], response: Mapping[str, Any] | None
) -> ErrandOrder | None:
    """Read a finished command; None when it is none that starts an errand. `response` None: no answer."""
    kind = KIND_OF_ACTION.get(action)
    if kind is None:
        return None
    number = payload.get("requestId")
    word, state = _first_state(action, response)
    return ErrandOrder(
        kind=kind,
        request_id=number if isinstance(number, int) else None,
        word=word,
        state=state,
        cancels_others=word == "AcceptedCanceled",
    )


def _first_state(action: str, response: Mapping[str, Any] | None) -> tuple[str, ErrandState]:
    if response is None:
        return "", ErrandState.FAILED
    word = str(response.get("status") or "Accepted")  # 1.6 UpdateFirmware and GetDiagnostics have no status
    if action == "GetDiagnostics" and not response.get("fileName"):
        return "NothingToUpload", ErrandState.DONE  # 1.6 §6.26: no file name, no upload
    if word in _NOTHING_THERE:
        return word, ErrandState.DONE
    return word, ErrandState.UNDER_WAY if word in _STARTED else ErrandState.REFUSED


def pages_in_order(pages: Mapping[int, bool]) -> bool:
    """Whether a report is whole; `pages` tells for each seqNo whether it said to be the last (no `tbc`)."""
    lasts = [number for number, last in pages.items() if last]
    return bool(lasts) and all(number in pages for number in range(max(lasts) + 1))


class NoticeKind(StrEnum):
    """Where a notice comes from."""

    SECURITY = "security"
    MONITORING = "monitoring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something a station told about itself.

    `name` is the event's type or Component.Variable; `alarming` asks for a person; `cleared` ends what an
    earlier notice of the same name began.
    """

    kind: NoticeKind
    name: str
    at: datetime
    key: str
    alarming: bool
    cleared: bool = False
    evse_id: int | None = None
    details: Mapping[str, Any]


# Of the events of the 2.0.1 appendix, those a person should look at the same day. The others (a reboot, the
# clock set) happen in normal life.
ALARMING_EVENTS = frozenset(
    {
        "AttemptedReplayAttacks",
        "InvalidCentralSystemCertificate",
        "InvalidChargePointCertificate",
        "InvalidChargingStationCertificate",
        "InvalidCsmsCertificate",
        "InvalidFirmwareSignature",
        "InvalidFirmwareSigningCertificate",
        "InvalidTLSCipherSuite",
        "InvalidTLSVersion",
        "MaintenanceLoginAccepted",
        "MaintenanceLoginFailed",
        "MemoryExhaustion",
        "SecurityLogWasCleared",
        "TamperDetectionActivated",
    }
)
LONGEST_TEXT = 1000


def shortened(facts: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Keep the named facts that are there, long texts cut: no station writes a book into our tables."""
    kept = {name: facts[name] for name in names if facts.get(name) is not None}
    return {name: item[:LONGEST_TEXT] if isinstance(item, str) else item for name, item in kept.items()}


class ReservationState(StrEnum):
    """What became of an EVSE held for a badge (OCPP's reservation)."""

    HELD = "held"
    USED = "used"
    EXPIRED = "expired"
    REMOVED = "removed"  # the station gave it up: a fault, or out of service
    CANCELLED = "cancelled"


class FileKind(StrEnum):
    """What a file that stations fetch or leave is."""

    FIRMWARE = "firmware"
    DIAGNOSTICS = "diagnostics"
    SECURITY_LOG = "security_log"
