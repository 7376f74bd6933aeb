"""What may be booked, changed, started and returned: every rule of the service, pure.

A decision is `Accepted` with the booking as it stands afterwards and the events that follow, or `Refused`
with a code and the facts its sentence needs (instants as RFC 3339 text). Rules are numbered as in the
requirements: C18, C20-C25, C38.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from supervision.accounts.model import Community, Identity, Licence, Person
from supervision.accounts.rules import may_drive, may_manage
from supervision.booking.machine import Move, already_done, step
from supervision.booking.model import (
    HOLDING,
    Booking,
    BookingRequest,
    BookingStatus,
    Calendar,
    ReturnEvidence,
)
from supervision.booking.timing import buffer_of, closure_at, occupations, on_grid
from supervision.fleet.model import Vehicle
from supervision.kernel.errors import Refused
from supervision.kernel.events import (
    BookingCancelled,
    BookingEvent,
    BookingLate,
    BookingMade,
    BookingMoved,
    BookingReturned,
    BookingStarted,
)
from supervision.kernel.timespan import Timespan, format_instant

CATEGORY = "B"  # "titulaires d'un permis B valide" (C18)


@dataclass(frozen=True, kw_only=True)
class Automatic:
    """The service itself acts: a key box that saw the key go, a sweep; `cause` says which."""

    cause: str


Actor = Identity | Automatic


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What a decision looks at: the vehicle's calendar around the wanted time, the driver's own bookings."""

    community: Community
    driver: Person
    vehicle: Vehicle
    calendar: Calendar
    upcoming: int = 0  # bookings of the driver in this community that have not ended, this one not counted


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """The booking afterwards; without events nothing changed."""

    booking: Booking
    events: tuple[BookingEvent, ...] = ()


Decision = Accepted | Refused


def decide_booking(
    request: BookingRequest, situation: Situation, *, asked_by: Identity, booking_id: str, now: datetime
) -> Decision:
    """Book, or say why not."""
    community, vehicle = situation.community, situation.vehicle
    refused = (
        _acts_for(asked_by, request.driver_id, community.organisation_id)
        or check_times(request.start_at, request.end_at, community, now=now)
        or _driver_may(situation.driver, community)
        or _licence_covers(situation.driver.licence, request.end_at, community)
        or _in_service(vehicle, request.end_at)
        or _count_left(situation)
        or _free(situation, request.start_at, request.end_at, request.driver_id, now)
    )
    if refused is not None:
        return refused
    booking = Booking(
        id=booking_id,
        organisation_id=community.organisation_id,
        community_id=community.id,
        station_id=vehicle.station_id,
        vehicle_id=vehicle.id,
        driver_id=request.driver_id,
        made_by_id=asked_by.person.id,
        status=BookingStatus.BOOKED,
        start_at=request.start_at,
        end_at=request.end_at,
        blocked_until=request.end_at + buffer_of(community.rules),
        made_at=now,
        planned_km=request.planned_km,
        usage=request.usage,
        purpose=request.purpose,
        quoted_cents=request.quoted_cents,
        tariff_id=vehicle.tariff_id,
    )
    return Accepted(booking=booking, events=(BookingMade(**_ids(booking)),))


def check_times(
    start_at: datetime, end_at: datetime, community: Community, *, now: datetime
) -> Refused | None:
    """Return what forbids these times whatever the car and the driver, None when nothing does.

    One after the other: what a check lets pass, the next one can compute with, year 9999 included.
    """
    return (
        _ordered(start_at, end_at)
        or _bookable_start(start_at, community, now)
        or _duration(start_at, end_at, community)
        or _fits_hours(start_at, end_at, community)
    )


def decide_extend(
    booking: Booking, new_end: datetime, situation: Situation, *, by: Actor, now: datetime
) -> Decision:
    """Move the end later: "tant que personne n'a réservé après moi" (C44), buffer kept (C38)."""
    if (refused := _may_move(booking, Move.EXTEND, by)) is not None:
        return refused
    if new_end == booking.end_at:
        return Accepted(booking=booking)
    community = situation.community
    return (
        _later(new_end, booking.end_at)
        or _still_to_come(new_end, now)
        or _duration(booking.start_at, new_end, community)
        or _fits_end(new_end, community)
        or _licence_covers(situation.driver.licence, new_end, community)
        or _in_service(situation.vehicle, new_end)
        or _free(situation, booking.start_at, new_end, booking.driver_id, now, this=booking.id)
        or _moved(booking, new_end, community, "extended")
    )


def decide_shorten(
    booking: Booking, new_end: datetime, situation: Situation, *, by: Actor, now: datetime
) -> Decision:
    """Move the end earlier; what is left keeps the shortest duration and the closed hours."""
    if (refused := _may_move(booking, Move.SHORTEN, by)) is not None:
        return refused
    if new_end == booking.end_at:
        return Accepted(booking=booking)
    community = situation.community
    return (
        _earlier(new_end, booking.end_at)
        or _ordered(booking.start_at, new_end)
        or _still_to_come(new_end, now)
        or _duration(booking.start_at, new_end, community)
        or _fits_end(new_end, community)
        or _moved(booking, new_end, community, "shortened")
    )


def decide_cancel(booking: Booking, *, by: Actor, now: datetime) -> Decision:
    """Give the vehicle back to others before the trip; what it costs is the tariff's affair."""
    if already_done(booking.status, Move.CANCEL):
        return _acts_on(by, booking) or Accepted(booking=booking)
    if (refused := _may_move(booking, Move.CANCEL, by)) is not None:
        return refused
    cancelled = _step(booking, Move.CANCEL, cancelled_at=now)
    role = "driver" if isinstance(by, Identity) and by.person.id == booking.driver_id else "manager"
    return Accepted(booking=cancelled, events=(BookingCancelled(**_ids(booking), by=role),))


def decide_start(
    booking: Booking, situation: Situation, *, by: Actor, now: datetime, odometer_km: int | None = None
) -> Decision:
    """Take the car: from `code_early_min` before the start until the end, once it is at home."""
    if already_done(booking.status, Move.START):
        return _acts_on(by, booking) or Accepted(booking=booking)
    if (refused := _may_move(booking, Move.START, by)) is not None:
        return refused
    opens_at = booking.start_at - timedelta(minutes=situation.community.rules.code_early_min)
    if now < opens_at:
        return Refused("too_early_to_start", {"from": format_instant(opens_at)})
    if now >= booking.end_at:
        return Refused("booking_over", {"end_at": format_instant(booking.end_at)})
    if any(other.status is BookingStatus.ACTIVE for other in _others(situation.calendar, booking.id)):
        return Refused("vehicle_not_back", {"vehicle": booking.vehicle_id})
    # A key taken at the box says nothing of the odometer: the one left by the last driver holds (0: unknown).
    start_km = odometer_km if odometer_km is not None else situation.vehicle.odometer_km or None
    started = _step(booking, Move.START, started_at=now, start_km=start_km)
    return Accepted(booking=started, events=(BookingStarted(**_ids(booking)),))


def decide_give_back(
    booking: Booking,
    evidence: ReturnEvidence,
    community: Community,
    *,
    by: Actor,
    now: datetime,
    odometer_km: int | None = None,
) -> Decision:
    """End the trip: the key is back and, where the community asks for it, the car charges (C28, C44).

    An exception that was written down replaces missing evidence; what nothing can tell is no obstacle.
    """
    if already_done(booking.status, Move.GIVE_BACK):
        return _acts_on(by, booking) or Accepted(booking=booking)
    if (refused := _may_move(booking, Move.GIVE_BACK, by)) is not None:
        return refused
    refused = _odometer_forward(booking.start_km, odometer_km) or _evidence_holds(evidence, community)
    if refused is not None:
        return refused
    returned = _step(
        booking,
        Move.GIVE_BACK,
        returned_at=now,
        return_km=odometer_km,
        return_evidence=evidence,
        blocked_until=max(booking.blocked_until, now + buffer_of(community.rules)),
    )
    return Accepted(booking=returned, events=(BookingReturned(**_ids(booking)),))


def no_show_at(booking: Booking, community: Community) -> datetime:
    """When a booking nobody started is given up: `no_show_min` after its start, at the latest at its end."""
    return min(booking.start_at + timedelta(minutes=community.rules.no_show_min), booking.end_at)


def decide_no_show(booking: Booking, community: Community, *, now: datetime) -> Accepted | None:
    """Give up a booking nobody started; None while it may still start."""
    if step(booking.status, Move.MISS) is None or now < no_show_at(booking, community):
        return None
    missed = _step(booking, Move.MISS, cancelled_at=now)
    return Accepted(booking=missed, events=(BookingCancelled(**_ids(booking), by="no_show"),))


def decide_late(booking: Booking, *, now: datetime) -> Accepted | None:
    """Tell once that the planned end passed and the car is not back; None when there is nothing to tell."""
    if (
        booking.status is not BookingStatus.ACTIVE
        or booking.late_told_at is not None
        or now <= booking.end_at
    ):
        return None
    told = replace(booking, late_told_at=now, version=booking.version + 1)
    return Accepted(booking=told, events=(BookingLate(**_ids(booking)),))


def overlap(vehicle_id: str) -> Refused:
    """Say that somebody else has the vehicle then; the same words whether a rule or the schema saw it."""
    return Refused("overlap", {"vehicle": vehicle_id})


def chain_gap(community: Community) -> timedelta:
    """Gaps shorter than this between two bookings of one driver make a chain: nobody else fits in (C23)."""
    return 2 * buffer_of(community.rules) + timedelta(minutes=community.rules.min_duration_min)


def chain_around(
    start: datetime, end: datetime, calendar: Calendar, gap: timedelta, driver_id: str
) -> Timespan:
    """The interval one driver keeps one vehicle, counting neighbours of his with gaps below `gap`."""
    grown = Timespan(start, end)
    for _ in calendar.bookings:  # each pass takes in at least one neighbour, or nothing changes any more
        for booking in calendar.bookings:
            if booking.driver_id == driver_id and _counts_in_chain(booking):
                near = booking.start_at - grown.end < gap and grown.start - booking.ended_at < gap
                if near:
                    grown = Timespan(min(grown.start, booking.start_at), max(grown.end, booking.ended_at))
    return grown


# --- who ---------------------------------------------------------------------------------------------


def _acts_for(identity: Identity, driver_id: str, organisation_id: str) -> Refused | None:
    if identity.person.id == driver_id or may_manage(identity, organisation_id):
        return None
    return Refused("not_yours")


def _acts_on(by: Actor, booking: Booking) -> Refused | None:
    if isinstance(by, Automatic):
        return None
    return _acts_for(by, booking.driver_id, booking.organisation_id)


def _may_move(booking: Booking, move: Move, by: Actor) -> Refused | None:
    if (refused := _acts_on(by, booking)) is not None:
        return refused
    if step(booking.status, move) is None:
        return Refused("wrong_state", {"status": str(booking.status), "move": str(move)})
    return None


def _driver_may(driver: Person, community: Community) -> Refused | None:
    if may_drive(driver, community.organisation_id, community.id):
        return None
    return Refused("not_a_driver", {"community": community.name})


def _licence_covers(licence: Licence | None, end_at: datetime, community: Community) -> Refused | None:
    if licence is None:
        return Refused("licence_missing")
    if CATEGORY not in licence.category.replace(",", " ").replace("/", " ").split():
        return Refused("licence_category", {"category": licence.category, "wanted": CATEGORY})
    if end_at.astimezone(community.zone).date() > licence.valid_until:
        return Refused("licence_expires", {"valid_until": licence.valid_until.isoformat()})
    return None


def _count_left(situation: Situation) -> Refused | None:
    most = situation.community.rules.max_upcoming
    if situation.upcoming < most:
        return None
    return Refused("too_many_upcoming", {"max_upcoming": most, "upcoming": situation.upcoming})


# --- when --------------------------------------------------------------------------------------------


def _ordered(start_at: datetime, end_at: datetime) -> Refused | None:
    return None if start_at < end_at else Refused("ends_before_start")


def _still_to_come(new_end: datetime, now: datetime) -> Refused | None:
    return None if new_end > now else Refused("in_the_past", {"now": format_instant(now)})


def _earlier(new_end: datetime, end_at: datetime) -> Refused | None:
    return None if new_end < end_at else Refused("not_shorter", {"end_at": format_instant(end_at)})


def _later(new_end: datetime, end_at: datetime) -> Refused | None:
    return None if new_end > end_at else Refused("not_longer", {"end_at": format_instant(end_at)})


def _bookable_start(start_at: datetime, community: Community, now: datetime) -> Refused | None:
    """Lead time (C20) and horizon by local date (C22); the minute that runs still counts as now."""
    rules = community.rules
    minute = now.replace(second=0, microsecond=0)
    if start_at < minute:
        return Refused("in_the_past", {"now": format_instant(now)})
    earliest = minute + timedelta(minutes=rules.lead_min)
    if start_at < earliest:
        return Refused("too_late_to_book", {"lead_min": rules.lead_min, "earliest": format_instant(earliest)})
    last_day = now.astimezone(community.zone).date() + timedelta(days=rules.horizon_days)
    certainly = start_at - now > timedelta(days=rules.horizon_days + 2)  # may lie past any calendar's end
    if certainly or start_at.astimezone(community.zone).date() > last_day:
        return Refused(
            "too_far_ahead", {"horizon_days": rules.horizon_days, "latest_on": last_day.isoformat()}
        )
    return None


def _duration(start_at: datetime, end_at: datetime, community: Community) -> Refused | None:
    """Elapsed time between UTC instants, so a DST night counts what it lasts (C23)."""
    rules, elapsed = community.rules, end_at - start_at
    if elapsed < timedelta(minutes=rules.min_duration_min):
        return Refused("too_short", {"min_duration_min": rules.min_duration_min})
    if elapsed > timedelta(hours=rules.max_duration_h):
        return Refused("too_long", {"max_duration_h": rules.max_duration_h})
    return None


def _fits_hours(start_at: datetime, end_at: datetime, community: Community) -> Refused | None:
    if not on_grid(start_at, community):
        return Refused("off_grid", {"grid_min": community.rules.grid_min})
    if (closure := closure_at(start_at, community)) is not None:
        return Refused("start_closed", _hours(closure, community))
    return _fits_end(end_at, community)


def _fits_end(end_at: datetime, community: Community) -> Refused | None:
    if not on_grid(end_at, community):
        return Refused("off_grid", {"grid_min": community.rules.grid_min})
    if (closure := closure_at(end_at, community, ending=True)) is not None:
        return Refused("end_closed", _hours(closure, community))
    return None


def _hours(closure: Timespan, community: Community) -> dict[str, str]:
    closed = community.rules.closed
    words = {} if closed is None else {"from": f"{closed[0]:%H:%M}", "until": f"{closed[1]:%H:%M}"}
    return {
        **words,
        "closed_from": format_instant(closure.start),
        "closed_until": format_instant(closure.end),
    }


# --- which car ----------------------------------------------------------------------------------------


def _in_service(vehicle: Vehicle, end_at: datetime) -> Refused | None:
    if vehicle.withdrawn_at is None or end_at <= vehicle.withdrawn_at:
        return None
    return Refused("vehicle_withdrawn", {"vehicle": vehicle.id, "from": format_instant(vehicle.withdrawn_at)})


def _free(
    situation: Situation,
    start_at: datetime,
    end_at: datetime,
    driver_id: str,
    now: datetime,
    *,
    this: str | None = None,
) -> Refused | None:
    buffer = buffer_of(situation.community.rules)
    wanted = Timespan(start_at, end_at + buffer)
    if any(wanted.overlaps(taken) for taken in occupations(situation.calendar, buffer, now, but=this)):
        return overlap(situation.vehicle.id)
    return _chain_fits(situation, start_at, end_at, driver_id)


def _chain_fits(situation: Situation, start_at: datetime, end_at: datetime, driver_id: str) -> Refused | None:
    community = situation.community
    if not community.rules.chain_counts_as_one:
        return None
    kept = chain_around(start_at, end_at, situation.calendar, chain_gap(community), driver_id)
    if kept.duration <= timedelta(hours=community.rules.max_duration_h):
        return None
    return Refused(
        "chain_too_long",
        {
            "max_duration_h": community.rules.max_duration_h,
            "start_at": format_instant(kept.start),
            "end_at": format_instant(kept.end),
        },
    )


def _counts_in_chain(booking: Booking) -> bool:
    return booking.status in HOLDING or booking.status is BookingStatus.COMPLETED


def _others(calendar: Calendar, booking_id: str) -> Iterator[Booking]:
    return (booking for booking in calendar.bookings if booking.id != booking_id)


# --- the return -----------------------------------------------------------------------------------------


def _odometer_forward(start_km: int | None, return_km: int | None) -> Refused | None:
    if start_km is None or return_km is None or return_km >= start_km:
        return None
    return Refused("odometer_went_back", {"start_km": start_km})


def _evidence_holds(evidence: ReturnEvidence, community: Community) -> Refused | None:
    if evidence.exception:
        return None
    if evidence.key_returned is False:
        return Refused("key_missing")
    if community.rules.return_needs_charge and evidence.plugged is False:
        return Refused("not_plugged")
    if community.rules.return_needs_charge and evidence.charging is False:
        return Refused("not_charging")
    return None


# --- results ----------------------------------------------------------------------------------------


def _moved(booking: Booking, new_end: datetime, community: Community, change: str) -> Accepted:
    moved = replace(
        booking,
        end_at=new_end,
        blocked_until=new_end + buffer_of(community.rules),
        late_told_at=None,
        version=booking.version + 1,
    )
    return Accepted(booking=moved, events=(BookingMoved(**_ids(booking), change=change),))


def _step(booking: Booking, move: Move, **changes: object) -> Booking:
    status = step(booking.status, move)
    if status is None:
        raise ValueError(f"{move} is not possible from {booking.status}")
    return replace(booking, status=status, version=booking.version + 1, **changes)  # type: ignore[arg-type]


def _ids(booking: Booking) -> dict[str, str]:
    return {
        "organisation_id": booking.organisation_id,
        "booking_id": booking.id,
        "vehicle_id": booking.vehicle_id,
        "station_id": booking.station_id,
    }
