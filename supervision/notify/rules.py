"""Who is told what when something happens, what is no longer worth telling, and when to try again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from supervision.booking.model import HOLDING, BookingStatus
from supervision.kernel.events import (
    AccessCodeReleased,
    BookingCancelled,
    BookingLate,
    BookingMade,
    BookingMoved,
    Event,
    InvoiceIssued,
    PaymentDeclined,
    PersonInvited,
)
from supervision.notify.model import Channel, DeliveryError, Message, Receipt, State, Template, Trip

TEMPLATE_OF: Final[Mapping[type[Event], Template]] = {
    BookingMade: Template.BOOKING_MADE,
    AccessCodeReleased: Template.CODE_RELEASED,
    BookingMoved: Template.BOOKING_MOVED,
    BookingCancelled: Template.BOOKING_CANCELLED,
    BookingLate: Template.BOOKING_LATE,
    InvoiceIssued: Template.INVOICE_ISSUED,
    PaymentDeclined: Template.PAYMENT_DECLINED,
    PersonInvited: Template.PASSWORD_LINK,
}

# An SMS costs money and attention: only what one must know on the road, or what another decided.
_SMS: Final = {
    Template.CODE_RELEASED,  # C24: mail, SMS and screen
    Template.BOOKING_LATE,
    Template.NEXT_DRIVER_WARNED,
    Template.BOOKING_CANCELLED,
}

WARN_BEFORE: Final = timedelta(
    hours=3
)  # the next driver of a late car hears of it this long before the start
WARN_WITHIN: Final = timedelta(hours=24)  # later bookings are not endangered by a late car

MAX_ATTEMPTS: Final = 12
FIRST_PAUSE: Final = timedelta(seconds=2)
LONGEST_PAUSE: Final = timedelta(hours=1)
LONGEST_OUTAGE_PAUSE: Final = timedelta(minutes=1)
LONGEST_OUTAGE: Final = timedelta(hours=72)


def channels(template: Template, params: Mapping[str, Any]) -> tuple[Channel, ...]:
    """Return the channels a message goes by; who cancels a booking needs no SMS about it."""
    if template not in _SMS or params.get("by") == "driver":
        return (Channel.MAIL,)
    return (Channel.MAIL, Channel.SMS)


def params_of(event: Event) -> dict[str, Any]:
    """Return what only the event knows; everything else is read again when the message is sent."""
    match event:
        case BookingMoved():
            return {"change": event.change}
        case BookingCancelled():
            return {"by": event.by}
        case AccessCodeReleased():
            return {"revision": event.revision}
        case InvoiceIssued() | PaymentDeclined():
            return {"invoice_id": event.invoice_id}
        case _:
            return {}


def warn_at(next_start_at: datetime, now: datetime) -> datetime | None:
    """When to warn the next driver of a late car, or None when there is time enough."""
    if next_start_at > now + WARN_WITHIN:
        return None
    return max(now, next_start_at - WARN_BEFORE)


def outdated(
    message: Message, trip: Trip | None, *, late: Trip | None, revision: int | None, now: datetime
) -> str | None:
    """Say why a message is no longer true, or None.

    `trip` is the booking it is about, `late` the booking that holds its car up, `revision` that of the
    access code in force.
    """
    if trip is None:
        return None
    match message.template:
        case Template.BOOKING_MADE | Template.BOOKING_MOVED:
            return None if trip.status in HOLDING and now < trip.end_at else "booking_over"
        case Template.CODE_RELEASED:
            if trip.status not in HOLDING:
                return "booking_over"
            return None if revision == message.params.get("revision") else "code_replaced"
        case Template.BOOKING_LATE:
            return None if _is_late(trip, now) else "not_late"
        case Template.NEXT_DRIVER_WARNED:
            waiting = trip.status == BookingStatus.BOOKED and now < trip.end_at
            return None if waiting and late is not None and _is_late(late, now) else "not_late"
        case _:
            return None


def _is_late(trip: Trip, now: datetime) -> bool:
    return trip.status == BookingStatus.ACTIVE and trip.end_at <= now


def after_success(message: Message, receipt: Receipt, now: datetime) -> Message:
    """Return the settled message."""
    state = State.KEPT if receipt.kept else State.SENT
    attempts = message.attempts + 1
    return replace(message, state=state, attempts=attempts, sent_at=now, next_try_at=None, error=None)


def after_drop(message: Message, reason: str) -> Message:
    """Return the message as dropped for `reason`."""
    return replace(message, state=State.DROPPED, next_try_at=None, error=reason)


def after_failure(message: Message, error: DeliveryError, now: datetime) -> Message:
    """Return the message with its next try, or dead.

    A message refused for itself is tried 12 times with pauses from 2 s to 1 h. When the provider does not
    work, no message is to blame: it stays for 72 h, and the pauses are short, because a code that comes an
    hour after the repair comes too late.
    """
    detail = str(error)[:500]
    if error.unreachable:
        return _after_outage(message, detail, now)
    attempts = message.attempts + 1
    if error.permanent or attempts >= MAX_ATTEMPTS:
        return replace(message, state=State.DEAD, attempts=attempts, next_try_at=None, error=detail)
    again = now + pause_after(attempts)
    return replace(message, state=State.FAILED, attempts=attempts, next_try_at=again, error=detail)


def _after_outage(message: Message, detail: str, now: datetime) -> Message:
    waited = now - message.queued_at
    if waited > LONGEST_OUTAGE:
        return replace(message, state=State.DEAD, next_try_at=None, error=detail)
    pause = min(max(waited, FIRST_PAUSE), LONGEST_OUTAGE_PAUSE)  # as long again as it has waited
    return replace(message, state=State.FAILED, next_try_at=now + pause, error=detail)


def pause_after(attempts: int) -> timedelta:
    """Return how long to wait after this many failed attempts: 2 s, 4 s, 8 s ... one hour."""
    return min(FIRST_PAUSE * int(2 ** (attempts - 1)), LONGEST_PAUSE)
