"""When a charging transaction that nobody ended is taken for ended; pure.

Charges whose end was lost stay open for ever: the car would seem to charge, and its energy would never be
counted. Each rule below needs evidence of the station itself; the mere length of a charge is none, because a
shared car stays plugged in for days. Instants of the station are its own times.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from supervision.csms.model import ConnectorStatus, Ground, PresumedEnd

SUPERSEDED_AFTER = timedelta(minutes=5)
"""Messages of an offline queue arrive out of order; the lost end may still come in the same burst."""
IDLE_AFTER = timedelta(minutes=15)
"""Some stations say Available before they end the charge; a teardown takes a minute or two."""
GONE_AFTER = timedelta(days=14)
"""An offline station keeps charging and keeps its queue; the longest outage still to be waited for."""
OVER_LONG_AFTER = timedelta(hours=48)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCharge:
    """An open charging transaction and what is known around it.

    `heard_at` is the station's time of the last thing it told of this charge. `newer_started_at` and
    `newer_received_at` are of the next charge at the same EVSE. `connected_since` is None while the station
    is away, `away_since` None while it is not.
    """

    started_at: datetime
    heard_at: datetime
    energy_flowed: bool
    newer_started_at: datetime | None = None
    newer_received_at: datetime | None = None
    evse_status: ConnectorStatus = ConnectorStatus.UNKNOWN
    evse_status_at: datetime | None = None
    connected_since: datetime | None = None
    away_since: datetime | None = None


def presumed_end(charge: OpenCharge, now: datetime) -> PresumedEnd | None:
    """Return the end to presume, None while there is no ground for one.

    The end is the last thing heard of the charge: its last register stands for the final one.
    """
    ground = _ground(charge, now)
    return None if ground is None else PresumedEnd(ground=ground, at=last_heard(charge))


def last_heard(charge: OpenCharge) -> datetime:
    """Return the latest instant the charge is known to have lived."""
    return max(charge.heard_at, charge.started_at)


def over_long(charge: OpenCharge, now: datetime) -> bool:
    """Tell whether a person should look at an open charge: two days without a reading."""
    return now - last_heard(charge) > OVER_LONG_AFTER


def _ground(charge: OpenCharge, now: datetime) -> Ground | None:
    if _superseded(charge, now):
        return Ground.SUPERSEDED
    if _idle(charge, now):
        return Ground.IDLE if charge.energy_flowed else Ground.NEVER_STARTED
    if charge.away_since is not None and now - charge.away_since >= GONE_AFTER:
        return Ground.GONE
    return None


def _superseded(charge: OpenCharge, now: datetime) -> bool:
    """Another charge began here, and of this one nothing was heard since.

    The second condition is for stations that repeat a start under a new time and go on with the first id.
    """
    began, received = charge.newer_started_at, charge.newer_received_at
    if began is None or received is None:
        return False
    return last_heard(charge) <= began and now - received >= SUPERSEDED_AFTER


def _idle(charge: OpenCharge, now: datetime) -> bool:
    """The EVSE has been free since after the start, on a line that would have brought the end by now."""
    free_since, online_since = charge.evse_status_at, charge.connected_since
    if charge.evse_status is not ConnectorStatus.AVAILABLE or free_since is None or online_since is None:
        return False
    quiet_since = max(free_since, online_since, last_heard(charge))
    return free_since > charge.started_at and now - quiet_since >= IDLE_AFTER
