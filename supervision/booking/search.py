"""What could be booked instead, and how far a booking can be extended; pure.

Both look only at the instants where a rule begins or ends to bind, nearest first, and ask the rule itself:
an answer is always one that would be accepted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, time, timedelta

from supervision.accounts.model import Community, Identity
from supervision.booking.model import Booking, BookingRequest, Proposal
from supervision.booking.rules import (
    Accepted,
    Automatic,
    Situation,
    chain_around,
    chain_gap,
    decide_booking,
    decide_extend,
)
from supervision.booking.timing import buffer_of, ceil_to, closures, floor_to, occupations
from supervision.kernel.timespan import Timespan, local_instant

REACH = timedelta(days=7)  # how far from the wanted time a proposal may lie
PLEASANT_MIN = 5  # proposals fall on multiples of five minutes, not on 10:07
_MIDNIGHT = time(0)


def nearest_slot(
    request: BookingRequest, situation: Situation, *, asked_by: Identity, now: datetime
) -> Proposal | None:
    """Return the bookable slot of the same length nearest to the wanted one; the later of two equals."""
    for start in _candidate_starts(request, situation, now):
        moved = replace(request, start_at=start, end_at=start + (request.end_at - request.start_at))
        decision = decide_booking(moved, situation, asked_by=asked_by, booking_id="", now=now)
        if isinstance(decision, Accepted):
            return Proposal(vehicle_id=request.vehicle_id, start_at=moved.start_at, end_at=moved.end_at)
    return None


def latest_end(booking: Booking, situation: Situation, *, now: datetime) -> datetime | None:
    """Return the latest end `decide_extend` accepts, None when the booking cannot be extended."""
    asking = Automatic(cause="latest_end")
    for end in _candidate_ends(booking, situation, now):
        if isinstance(decide_extend(booking, end, situation, by=asking, now=now), Accepted):
            return end
    return None


def _candidate_starts(request: BookingRequest, situation: Situation, now: datetime) -> list[datetime]:
    community = situation.community
    wanted, length = request.start_at, request.end_at - request.start_at
    step_min = _step_min(community)
    later, earlier = set[datetime](), set[datetime]()
    for taken in occupations(situation.calendar, buffer_of(community.rules), now):
        later.add(taken.end)
        earlier.add(taken.start - buffer_of(community.rules) - length)
    for closure in closures(
        Timespan(wanted - REACH, wanted + length + REACH), community.rules.closed, community.zone
    ):
        later |= {closure.end, closure.end - length}
        earlier |= {closure.start - length, closure.start - timedelta(minutes=step_min)}
    later.add(now.replace(second=0, microsecond=0) + timedelta(minutes=community.rules.lead_min))
    starts = {ceil_to(start, step_min, community.zone) for start in later}
    starts |= {floor_to(start, step_min, community.zone) for start in earlier}
    near = [start for start in starts if abs(start - wanted) <= REACH]
    return sorted(near, key=lambda start: (abs(start - wanted), wanted - start))


def _candidate_ends(booking: Booking, situation: Situation, now: datetime) -> list[datetime]:
    step_min = _step_min(situation.community)
    zone = situation.community.zone
    ends = {floor_to(end, step_min, zone) for end in _binding_ends(booking, situation, now)}
    return sorted((end for end in ends if end > booking.end_at), reverse=True)


def _binding_ends(booking: Booking, situation: Situation, now: datetime) -> Iterator[datetime]:
    """Instants at which some rule stops an extension."""
    community, rules = situation.community, situation.community.rules
    longest = timedelta(hours=rules.max_duration_h)
    buffer, gap = buffer_of(rules), chain_gap(community)
    yield booking.start_at + longest
    before = tuple(b for b in situation.calendar.bookings if b.start_at <= booking.start_at)
    chain = chain_around(
        booking.start_at, booking.end_at, replace(situation.calendar, bookings=before), gap, booking.driver_id
    )
    yield chain.start + longest
    for taken in occupations(situation.calendar, buffer, now, but=booking.id):
        yield taken.start - buffer
        yield taken.start - gap
    reach = Timespan(booking.end_at, booking.end_at + longest)
    for closure in closures(reach, rules.closed, community.zone):
        yield closure.start
    if situation.vehicle.withdrawn_at is not None:
        yield situation.vehicle.withdrawn_at
    if situation.driver.licence is not None:
        day_after = situation.driver.licence.valid_until + timedelta(days=1)
        yield local_instant(day_after, _MIDNIGHT, community.zone) - timedelta(minutes=_step_min(community))


def _step_min(community: Community) -> int:
    """The smallest multiple of the grid that reads well."""
    grid_min = community.rules.grid_min
    return grid_min * -(-PLEASANT_MIN // grid_min)
