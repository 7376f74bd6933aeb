"""What each command is worth: how urgent, how long it may wait, whether it is tried again. Pure.

Nothing here repeats what starts, stops, frees or reserves, nor what a second time does a second time: after
a timeout nobody knows whether the station has done it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any


class Priority(IntEnum):
    """The order in which commands leave; the lowest number first."""

    SAFETY = 0  # what ends energy or frees a cable
    START = 1  # a driver stands in front of it
    PROFILE = 2
    CONFIGURATION = 3
    BULK = 4  # questions, reports, files, and whatever goes to many stations at once


class CallEnd(StrEnum):
    """How one try of a command ended without an answer that settles it."""

    TIMEOUT = "timeout"
    OFFLINE = "offline"  # the socket closed while the answer was awaited
    BUSY = "busy"  # a CALLERROR that says "not now" rather than "not this"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How one action is treated.

    `expires_s` is how long a queued command may wait to be sent, `answer_s` how long the answer of one try is
    awaited; `waits_s` are the pauses before the second try, the third, and so on; none: it never repeats.
    """

    priority: Priority
    expires_s: float = 120
    answer_s: float = 30
    waits_s: tuple[float, ...] = ()

    @property
    def tries(self) -> int:
        """How often it is sent at most."""
        return 1 + len(self.waits_s)


_HOUR_S, _DAY_S = 3600.0, 86_400.0
_QUESTION = Policy(priority=Priority.BULK, expires_s=_HOUR_S, waits_s=(30, 120, 600))
_STOP = Policy(priority=Priority.SAFETY)
_START = Policy(priority=Priority.START)
_PROFILE = Policy(priority=Priority.PROFILE, expires_s=600, waits_s=(10, 30, 60))
_CONFIGURATION = Policy(priority=Priority.CONFIGURATION, expires_s=_DAY_S, waits_s=(30, 120, 600))
_ONCE = Policy(priority=Priority.CONFIGURATION, expires_s=_HOUR_S)
_FILE = Policy(priority=Priority.BULK, expires_s=_DAY_S)

_CLASSES: tuple[tuple[Policy, str], ...] = (
    (_STOP, "RemoteStopTransaction RequestStopTransaction UnlockConnector"),
    (_START, "CancelReservation RemoteStartTransaction RequestStartTransaction ReserveNow"),
    # The same profile or limit twice is the same state; only the last one of an EVSE counts anyway.
    (_PROFILE, "ClearChargingProfile SetChargingProfile"),
    # Writing one value twice is writing it once.
    (
        _CONFIGURATION,
        """ChangeConfiguration InstallCertificate SetDisplayMessage SetMonitoringBase SetMonitoringLevel
        SetNetworkProfile SetVariables""",
    ),
    # A reset that was not answered has often been done; a list's second delivery fails on its version; a
    # deletion's second try finds nothing; a monitor without id would be made twice; the data of vendors may
    # mean anything.
    (
        _ONCE,
        """CertificateSigned ChangeAvailability ClearCache ClearDisplayMessage ClearVariableMonitoring
        CostUpdated DataTransfer DeleteCertificate Reset SendLocalList SetVariableMonitoring""",
    ),
    # A second request cancels the first upload or installation (AcceptedCanceled) and begins again.
    (
        _FILE,
        """CustomerInformation GetDiagnostics GetLog PublishFirmware SignedUpdateFirmware UnpublishFirmware
        UpdateFirmware""",
    ),
    (
        _QUESTION,
        """ExtendedTriggerMessage GetBaseReport GetChargingProfiles GetCompositeSchedule GetConfiguration
        GetDisplayMessages GetInstalledCertificateIds GetLocalListVersion GetMonitoringReport GetReport
        GetTransactionStatus GetVariables TriggerMessage""",
    ),
)
POLICIES: Mapping[str, Policy] = {action: policy for policy, names in _CLASSES for action in names.split()}
_UNKNOWN = Policy(priority=Priority.BULK)

_NOT_NOW = frozenset({"InternalError", "GenericError", "RpcFrameworkError"})


def policy_of(action: str) -> Policy:
    """Return how an action is treated; what no version knows goes last and never repeats."""
    return POLICIES.get(action, _UNKNOWN)


def priority_of(action: str, *, bulk: bool = False) -> Priority:
    """Return the class of a command; what goes to many stations yields, unless it is a matter of safety."""
    own = policy_of(action).priority
    return own if own is Priority.SAFETY or not bulk else Priority.BULK


def end_of(state: str, error: Mapping[str, Any] | None) -> CallEnd | None:
    """Return what a state and a CALLERROR mean for another try; None when the command is settled."""
    if state == "error":
        return CallEnd.BUSY if (error or {}).get("code") in _NOT_NOW else None
    return next((end for end in (CallEnd.TIMEOUT, CallEnd.OFFLINE) if end.value == state), None)


def next_try(
    action: str, end: CallEnd | None, *, tries: int, tries_allowed: int, expires_at: datetime, now: datetime
) -> datetime | None:
    """Return when a command is due again after `tries` of `tries_allowed`, None when it is over.

    Never after it has expired: what nobody wants any more is not sent.
    """
    policy = policy_of(action)
    if end is None or not 1 <= tries < min(tries_allowed, policy.tries):
        return None
    due = now + timedelta(seconds=policy.waits_s[tries - 1])
    return due if due < expires_at else None
