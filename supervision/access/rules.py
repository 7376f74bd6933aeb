"""When a code opens, when it is shown, to whom, and what follows from a booking's state; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from supervision.access.model import AccessCode
from supervision.accounts.model import Community, CommunityRules, Identity
from supervision.accounts.rules import may_manage
from supervision.booking.model import HOLDING, Booking, BookingStatus
from supervision.fleet.model import Vehicle
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import Timespan, format_instant


def window_of(booking: Booking, rules: CommunityRules) -> Timespan:
    """When the code opens: from shortly before the start until shortly after the end (C7)."""
    return Timespan(
        booking.start_at - timedelta(minutes=rules.code_early_min),
        booking.end_at + timedelta(minutes=rules.code_late_min),
    )


def release_at(start_at: datetime, rules: CommunityRules) -> datetime:
    """When the code is shown and sent: the seed's hour before the start, never later than it opens (C44)."""
    return start_at - timedelta(minutes=max(rules.code_release_min, rules.code_early_min))


@dataclass(frozen=True, kw_only=True)
class Issue:
    """A new revision of the code is wanted, at least `first_revision`, for this window."""

    window: Timespan
    first_revision: int


@dataclass(frozen=True, kw_only=True)
class Revoke:
    """The code must open nothing any more."""


def next_step(booking: Booking, community: Community, current: AccessCode | None) -> Issue | Revoke | None:
    """Compare the code with its booking; None when they agree, so that asking twice changes nothing."""
    if booking.status not in HOLDING:
        return Revoke() if current is not None and current.revoked_at is None else None
    window = window_of(booking, community.rules)
    if current is None:
        return Issue(window=window, first_revision=1)
    agrees = current.revoked_at is None and current.window == window
    if agrees and current.vehicle_id == booking.vehicle_id:
        return None
    return Issue(window=window, first_revision=current.revision + 1)


def issued(booking: Booking, window: Timespan, revision: int, current: AccessCode | None) -> AccessCode:
    """Return the code as it stands after an `Issue`: not shown yet, not in the box yet."""
    return AccessCode(
        booking_id=booking.id,
        organisation_id=booking.organisation_id,
        station_id=booking.station_id,
        vehicle_id=booking.vehicle_id,
        revision=revision,
        valid_from=window.start,
        valid_until=window.end,
        box_revision=None if current is None else current.box_revision,
    )


def revoked(code: AccessCode, now: datetime) -> AccessCode:
    """Return the code as it stands once it opens nothing any more."""
    return replace(code, revoked_at=now)


def may_see(identity: Identity, booking: Booking) -> bool:
    """Tell whether the digits may be shown at all: to the booked driver, or to a manager (audited)."""
    return identity.person.id == booking.driver_id or may_manage(identity, booking.organisation_id)


def visibility(code: AccessCode | None, booking: Booking, rules: CommunityRules) -> Refused | None:
    """Return why the digits are not shown now, None when they are."""
    if booking.status not in HOLDING or (code is not None and code.revoked_at is not None):
        return Refused("code_revoked")
    if code is None or code.released_at is None:
        return Refused(
            "code_not_released", {"release_at": format_instant(release_at(booking.start_at, rules))}
        )
    return None


def opens(code: AccessCode, status: BookingStatus, now: datetime) -> bool:
    """Tell whether a code works now.

    A driver who is late still has to charge the car he brings back: a running trip keeps its code alive.
    """
    if code.revoked_at is not None or now < code.valid_from:
        return False
    return now < code.valid_until or status is BookingStatus.ACTIVE


def serves(vehicle: Vehicle, charging_station: str, evse_id: int | None) -> bool:
    """Tell whether this charging point is the vehicle's own; an EVSE not known yet fits its whole station."""
    if vehicle.evse is None:
        return True
    if vehicle.evse.charging_station != charging_station:
        return False
    return evse_id in (None, 0, vehicle.evse.evse_id)
