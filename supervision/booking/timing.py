"""Closed hours, grids and holds: the time arithmetic of bookings, exact on DST nights.

Everything compares UTC instants; the local clock only says where a closure begins and ends, so the closed
night of 25 October 2026 lasts six hours and that of 28 March 2027 four (C25).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from supervision.accounts.model import Community, CommunityRules
from supervision.booking.model import HOLDING, Booking, BookingStatus, Calendar
from supervision.kernel.timespan import Timespan, local_instant

_DAY = timedelta(days=1)


def closures(span: Timespan, closed: tuple[time, time] | None, zone: ZoneInfo) -> Iterator[Timespan]:
    """Closed intervals that touch `span` or border on it, oldest first."""
    if closed is None or closed[0] == closed[1]:
        return
    around = Timespan(span.start - _DAY, span.end + _DAY)
    for day in around.local_days(zone):
        start = local_instant(day, closed[0], zone)
        end = local_instant(day if closed[0] < closed[1] else day + _DAY, closed[1], zone)
        if start < end and start <= span.end and span.start <= end:
            yield Timespan(start, end)


def closure_at(instant: datetime, community: Community, *, ending: bool = False) -> Timespan | None:
    """Return the closure that forbids a start (or, `ending`, an end) at `instant`.

    The instant of closing is still good for an end, the instant of opening for both.
    """
    here = Timespan(instant, instant + timedelta(microseconds=1))
    for closure in closures(here, community.rules.closed, community.zone):
        if closure.contains(instant) and not (ending and instant == closure.start):
            return closure
    return None


def on_grid(instant: datetime, community: Community) -> bool:
    """Tell whether the instant falls on the community's grid; a grid of one minute takes any instant."""
    step_min = community.rules.grid_min
    return step_min == 1 or instant == floor_to(instant, step_min, community.zone)


def floor_to(instant: datetime, step_min: int, zone: ZoneInfo) -> datetime:
    """Go back to the last multiple of `step_min` minutes since local midnight."""
    local = instant.astimezone(zone)
    over = timedelta(
        minutes=(local.hour * 60 + local.minute) % step_min,
        seconds=local.second,
        microseconds=local.microsecond,
    )
    return instant - over


def ceil_to(instant: datetime, step_min: int, zone: ZoneInfo) -> datetime:
    """Go forward to the next multiple of `step_min` minutes since local midnight."""
    floor = floor_to(instant, step_min, zone)
    return instant if floor == instant else floor_to(floor + timedelta(minutes=step_min), step_min, zone)


def buffer_of(rules: CommunityRules) -> timedelta:
    """Time kept free after a booking (C38)."""
    return timedelta(minutes=rules.buffer_min)


def occupied(booking: Booking, buffer: timedelta, now: datetime) -> Timespan | None:
    """The interval in which this booking keeps its vehicle from others, None when it no longer does.

    A car that is late keeps its next driver waiting at least until now plus the buffer; a car that came
    back is free one buffer after its return, early or late.
    """
    if booking.status is BookingStatus.COMPLETED:
        start, until = min(booking.start_at, booking.ended_at), booking.ended_at + buffer
        return Timespan(start, until) if start < until else None
    if booking.status not in HOLDING:
        return None
    until = booking.blocked_until
    if booking.status is BookingStatus.ACTIVE and booking.end_at < now:
        until = max(until, now + buffer)
    return Timespan(booking.start_at, until)


def occupations(
    calendar: Calendar, buffer: timedelta, now: datetime, *, but: str | None = None
) -> list[Timespan]:
    """Every interval the vehicle is not free, without the booking named by `but`."""
    spans = [occupied(booking, buffer, now) for booking in calendar.bookings if booking.id != but]
    return sorted([span for span in spans if span is not None] + [block.span for block in calendar.blocks])
