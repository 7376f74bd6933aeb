"""Rows of `messages` and the facts that fill them <-> values of notify.model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, insert, select, update

from supervision.booking.model import BookingStatus
from supervision.notify.model import (
    WAITING,
    Channel,
    Message,
    Recipient,
    Sender,
    State,
    Template,
    Trip,
    language_of,
)
from supervision.store.db import Reader, Tx
from supervision.store.schema import (
    access_codes,
    alerts,
    bookings,
    communities,
    invoices,
    messages,
    organisations,
    people,
    stations,
    vehicles,
)

UNDELIVERED = "undelivered"  # kind of the alert a dead message opens


@dataclass(frozen=True, kw_only=True)
class CodeWindow:
    """When the code of a booking opens; the code itself is nobody's row."""

    revision: int
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, kw_only=True)
class InvoiceFacts:
    """What a message says about an invoice."""

    person_id: str
    booking_id: str | None
    number: str
    total_cents: int
    credit: bool


async def recipient(reader: Reader, person_id: str) -> Recipient | None:
    """Return the person to tell."""
    row = await reader.first(select(people).where(people.c.id == person_id))
    if row is None:
        return None
    return Recipient(
        id=row["id"],
        name=row["name"],
        email=row["email"],
        phone=row["phone"],
        language=language_of(row["locale"]),
        disabled=row["disabled_at"] is not None,
    )


def _trips(organisation_id: str) -> Select[Any]:
    return (
        select(
            bookings.c.id.label("booking_id"),
            bookings.c.driver_id,
            bookings.c.status,
            bookings.c.start_at,
            bookings.c.end_at,
            bookings.c.quoted_cents,
            bookings.c.vehicle_id,
            bookings.c.station_id,
            vehicles.c.name.label("car"),
            vehicles.c.plate,
            vehicles.c.key_box_slot.label("slot"),
            stations.c.name.label("place"),
            communities.c.name.label("community"),
            communities.c.zone,
            communities.c.support_phone,
        )
        .join_from(bookings, vehicles, vehicles.c.id == bookings.c.vehicle_id)
        .join(stations, stations.c.id == bookings.c.station_id)
        .join(communities, communities.c.id == bookings.c.community_id)
        .where(*(table.c.organisation_id == organisation_id for table in (bookings, vehicles, stations)))
        .where(communities.c.organisation_id == organisation_id)
    )


def _trip(row: Mapping[str, Any]) -> Trip:
    sender = Sender(name=row["community"], zone=ZoneInfo(row["zone"]), help_phone=row["support_phone"] or "")
    facts = {name: row[name] for name in Trip.__dataclass_fields__ if name != "sender"}
    return Trip(**facts, sender=sender)


async def trip(reader: Reader, organisation_id: str, booking_id: str) -> Trip | None:
    """Return a booking with the names of its car and place."""
    row = await reader.first(_trips(organisation_id).where(bookings.c.id == booking_id))
    return None if row is None else _trip(row)


async def next_trip(reader: Reader, organisation_id: str, late: Trip) -> Trip | None:
    """Return the booking that waits for the car of a late one."""
    row = await reader.first(
        _trips(organisation_id)
        .where(
            bookings.c.vehicle_id == late.vehicle_id,
            bookings.c.status == BookingStatus.BOOKED,
            bookings.c.start_at >= late.end_at,
        )
        .order_by(bookings.c.start_at)
        .limit(1)
    )
    return None if row is None else _trip(row)


async def code_window(reader: Reader, organisation_id: str, booking_id: str) -> CodeWindow | None:
    """Return the window of the code in force, None when there is none."""
    row = await reader.first(
        select(access_codes.c.revision, access_codes.c.valid_from, access_codes.c.valid_until).where(
            access_codes.c.organisation_id == organisation_id,
            access_codes.c.booking_id == booking_id,
            access_codes.c.revoked_at.is_(None),
        )
    )
    return None if row is None else CodeWindow(**row)


async def told_earlier_code(
    reader: Reader, organisation_id: str, person_id: str, booking_id: str, revision: int
) -> bool:
    """Tell whether the person was sent a code that this revision makes void."""
    rows = await reader.all(
        select(messages.c.params).where(
            messages.c.organisation_id == organisation_id,
            messages.c.person_id == person_id,  # the index begins so
            messages.c.booking_id == booking_id,
            messages.c.template == Template.CODE_RELEASED,
            messages.c.state.in_((State.SENT, State.KEPT)),
        )
    )
    return any(row["params"]["revision"] < revision for row in rows)


async def invoice(reader: Reader, organisation_id: str, invoice_id: str) -> InvoiceFacts | None:
    """Return what a message says about an invoice."""
    row = await reader.first(
        select(invoices).where(invoices.c.organisation_id == organisation_id, invoices.c.id == invoice_id)
    )
    if row is None:
        return None
    return InvoiceFacts(
        person_id=row["person_id"],
        booking_id=row["booking_id"],
        number=f"{row['series']}-{row['number']:06d}",
        total_cents=row["total_cents"],
        credit=row["kind"] == "credit",
    )


async def sender(reader: Reader, organisation_id: str) -> Sender:
    """Return who speaks when no booking is meant: the organisation, in the zone of its first community."""
    name = await reader.scalar(select(organisations.c.name).where(organisations.c.id == organisation_id))
    row = await reader.first(
        select(communities.c.zone, communities.c.support_phone)
        .where(communities.c.organisation_id == organisation_id)
        .order_by(communities.c.id)
        .limit(1)
    )
    if row is None:
        return Sender(name=name or "", zone=ZoneInfo("Europe/Paris"), help_phone="")
    return Sender(name=name or "", zone=ZoneInfo(row["zone"]), help_phone=row["support_phone"] or "")


# --- messages ---------------------------------------------------------------------------------------


async def queue(tx: Tx, organisation_id: str, fresh: Sequence[Message]) -> list[Message]:
    """Insert the messages that are not there yet and return them; a repeat changes nothing."""
    ids = [message.id for message in fresh]
    known = await tx.all(
        select(messages.c.id).where(messages.c.organisation_id == organisation_id, messages.c.id.in_(ids))
    )
    there = {row["id"] for row in known}
    added = [message for message in fresh if message.id not in there]
    if added:
        await tx.execute(insert(messages), [_row(message) for message in added])
        tx.touch(f"messages:{organisation_id}")
    return added


async def due(reader: Reader, now: datetime, limit: int) -> list[Message]:
    """Return waiting messages whose turn has come, oldest first (the reader spans every organisation)."""
    rows = await reader.all(
        select(messages)
        .where(messages.c.state.in_(WAITING), messages.c.next_try_at <= now)
        .order_by(messages.c.next_try_at, messages.c.id)
        .limit(limit)
    )
    return [_message(row) for row in rows]


async def message(reader: Reader, organisation_id: str, message_id: str) -> Message | None:
    """Return one message."""
    row = await reader.first(
        select(messages).where(messages.c.organisation_id == organisation_id, messages.c.id == message_id)
    )
    return None if row is None else _message(row)


async def history(
    reader: Reader,
    organisation_id: str,
    *,
    states: Sequence[State] = (),
    person_id: str | None = None,
    booking_id: str | None = None,
    limit: int = 50,
) -> list[Message]:
    """Return messages, newest first, narrowed by what is given."""
    statement = select(messages).where(messages.c.organisation_id == organisation_id)
    if states:
        statement = statement.where(messages.c.state.in_(states))
    if person_id is not None:
        statement = statement.where(messages.c.person_id == person_id)
    if booking_id is not None:
        statement = statement.where(messages.c.booking_id == booking_id)
    rows = await reader.all(
        statement.order_by(messages.c.queued_at.desc(), messages.c.id.desc()).limit(limit)
    )
    return [_message(row) for row in rows]


async def save(tx: Tx, before: Message, after: Message) -> bool:
    """Write what became of a message; False when another process settled it meanwhile."""
    changed = await tx.execute(
        update(messages)
        .where(
            messages.c.organisation_id == before.organisation_id,
            messages.c.id == before.id,
            messages.c.state == before.state,
            messages.c.attempts == before.attempts,
        )
        .values(_row(after))
    )
    tx.touch(f"messages:{before.organisation_id}")
    return changed == 1


async def open_alert(
    tx: Tx, lost: Message, *, cause: str, severity: str, station_id: str | None, at: datetime
) -> None:
    """Tell the portal that somebody was not reached; once per cause as long as it is open."""
    still_open = select(alerts.c.id).where(
        alerts.c.organisation_id == lost.organisation_id,
        alerts.c.cause == cause,
        alerts.c.closed_at.is_(None),
    )
    if await tx.scalar(still_open) is not None:
        return
    facts = {
        "message": lost.id,
        "person": lost.person_id,
        "template": lost.template,
        "channel": lost.channel,
        "recipient": lost.recipient,
        "attempts": lost.attempts,
        "error": lost.error,
    }
    await tx.execute(
        insert(alerts).values(
            organisation_id=lost.organisation_id,
            station_id=station_id,
            kind=UNDELIVERED,
            cause=cause,
            severity=severity,
            params=facts,
            opened_at=at,
        )
    )
    tx.touch(f"alerts:{lost.organisation_id}")


async def close_alert(tx: Tx, organisation_id: str, cause: str, at: datetime) -> None:
    """Close the alert of a message that is tried again."""
    await tx.execute(
        update(alerts)
        .where(
            alerts.c.organisation_id == organisation_id,
            alerts.c.cause == cause,
            alerts.c.closed_at.is_(None),
        )
        .values(closed_at=at)
    )
    tx.touch(f"alerts:{organisation_id}")


def _row(message: Message) -> dict[str, Any]:
    row = {name: getattr(message, name) for name in Message.__dataclass_fields__}
    return {**row, "params": dict(message.params)}


def _message(row: Mapping[str, Any]) -> Message:
    words = {"template": Template(row["template"]), "channel": Channel(row["channel"])}
    return Message(**{**row, **words, "state": State(row["state"])})
