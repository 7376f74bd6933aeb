"""Stations whose boot is not accepted yet: what they are answered, what they may say and be asked (pure).

An operator may hold a station `Pending` until its settings are as wished for, or have it `Rejected` (2.0.1
B02, B03; 1.6 4.2). In 2.0.1 a held station may only boot, answer, and send what we asked for; the rest is a
SecurityError. A message that carries a charging transaction is never refused, whoever sends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

RETRY_S = 60  # how long a held station waits before it boots again
_REPORTS = frozenset({"GetBaseReport", "GetReport"})
_STARTS_AND_STOPS = frozenset(
    {"RemoteStartTransaction", "RemoteStopTransaction", "RequestStartTransaction", "RequestStopTransaction"}
)
_BY_EVSE = frozenset({"StatusNotification", "MeterValues"})
ALWAYS_HEARD = frozenset({"BootNotification", "TransactionEvent"})


class BootPolicy(StrEnum):
    """An operator's choice for one station."""

    ACCEPT = "accept"
    PENDING = "pending"
    REJECT = "reject"


class Registration(StrEnum):
    """What a station was answered at its last boot; the words of both versions."""

    ACCEPTED = "Accepted"
    PENDING = "Pending"
    REJECTED = "Rejected"


def registration(
    policy: str | None, *, held_at: datetime | None, settings_state: str | None, looked_at: datetime | None
) -> Registration:
    """Decide a boot: a pending station is let in once its settings were found right since it is held."""
    if policy == BootPolicy.REJECT:
        return Registration.REJECTED
    if policy != BootPolicy.PENDING:
        return Registration.ACCEPTED
    is_looked_at = held_at is not None and looked_at is not None and looked_at >= held_at
    right = is_looked_at and settings_state == "in_sync"
    return Registration.ACCEPTED if right else Registration.PENDING


def may_be_asked(held: Registration | None, action: str) -> bool:
    """Tell whether a station may be sent a CALL: nothing while rejected, no charge while pending."""
    return held is None or (held is Registration.PENDING and action not in _STARTS_AND_STOPS)


def expected_after(action: str, payload: Mapping[str, Any], evses: int) -> tuple[str, int]:
    """Which message a CALL of ours lets a held station send, and how many; none: ("", 0)."""
    if action in _REPORTS:
        return "NotifyReport", 1000  # as many as the report has parts
    if action != "TriggerMessage":
        return "", 0
    wanted = str(payload.get("requestedMessage", ""))
    several = wanted in _BY_EVSE and "evse" not in payload and "connectorId" not in payload
    return wanted, max(evses, 1) if several else 1
