"""What to try on a point that hangs in Finishing or Faulted and takes no other car (quirk 59). Pure.

Nothing of this happens by itself: a car may really stand there. Each step is proposed to an operator, who
looks first; one that was tried is not proposed again for an hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from supervision.csms.model import ConnectorStatus

HANGS_AFTER = timedelta(minutes=3)
"""The end of a sound charge takes up to ninety seconds."""
TRIED_WITHIN = timedelta(hours=1)
_HANGING = frozenset({ConnectorStatus.FINISHING, ConnectorStatus.FAULTED})


class Remedy(StrEnum):
    """The steps, the gentlest first."""

    ASK = "ask"  # for its state: it may have told it to nobody
    OUT_OF_SERVICE = "out_of_service"
    INTO_SERVICE = "into_service"
    UNLOCK = "unlock"
    VISIT = "visit"  # nothing is left to try from afar


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A step that was taken."""

    remedy: Remedy
    at: datetime


def next_remedy(
    *,
    status: ConnectorStatus,
    since: datetime | None,
    charging: bool,
    tried: Iterable[Tried],
    now: datetime,
) -> Remedy | None:
    """Return the step to propose for a point; None while nothing hangs there.

    What was taken out of service for this is put back before anything else.
    """
    taken = {one.remedy for one in tried if now - one.at < TRIED_WITHIN}
    if Remedy.OUT_OF_SERVICE in taken and Remedy.INTO_SERVICE not in taken:
        return Remedy.INTO_SERVICE
    if charging or status not in _HANGING or since is None or now - since < HANGS_AFTER:
        return None
    return next((remedy for remedy in Remedy if remedy not in taken), Remedy.VISIT)


def remedy_of(action: str, payload: Mapping[str, Any], evse_id: int) -> Remedy | None:
    """Tell which step a command to an EVSE was; None for any other command."""
    evse = payload.get("evse") or {}
    place = payload.get("evseId") or evse.get("id") or payload.get("connectorId")
    if place != evse_id:
        return None
    match action, payload.get("type") or payload.get("operationalStatus"):
        case "TriggerMessage", _:
            return Remedy.ASK if payload.get("requestedMessage") == "StatusNotification" else None
        case "ChangeAvailability", "Inoperative":
            return Remedy.OUT_OF_SERVICE
        case "ChangeAvailability", "Operative":
            return Remedy.INTO_SERVICE
        case "UnlockConnector", _:
            return Remedy.UNLOCK
    return None
