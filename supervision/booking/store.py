"""Rows of bookings <-> values of booking.model; the queries that must stay fast over years of rows.

Holding rows are found through the partial index of the guard, which SQLite only takes when the statement
repeats the index's condition word for word: hence the literal text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ScalarSelect,
    Select,
    Update,
    and_,
    exists,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.sql.elements import ColumnElement

from supervision.booking.model import (
    Booking,
    BookingStatus,
    Calendar,
    ReturnEvidence,
    Usage,
    VehicleBlock,
)
from supervision.fleet.model import Vehicle
from supervision.fleet.store import vehicle_from
from supervision.kernel.timespan import EPOCH, Timespan
from supervision.store.booking_guard import HOLDING as HOLDING_WORDS
from supervision.store.db import Reader, Tx
from supervision.store.schema import (
    Instant,
    bookings,
    missed_searches,
    people,
    stations,
    vehicle_blocks,
    vehicles,
)

Row = Mapping[str, Any]

_LONGEST = timedelta(days=32)  # no booking is longer (CommunityRules bounds it at 31 days)


def booking_from(row: Row) -> Booking:
    """Build a booking from its row."""
    values = {item.name: row[item.name] for item in fields(Booking)}
    evidence = row["return_evidence"]
    return Booking(
        **{
            **values,
            "status": BookingStatus(row["status"]),
            "usage": Usage(row["usage"]),
            "return_evidence": None if evidence is None else ReturnEvidence.from_json(evidence),
        }
    )


def row_from(booking: Booking) -> dict[str, Any]:
    """Write a booking as its row."""
    row = {item.name: getattr(booking, item.name) for item in fields(Booking)}
    evidence = booking.return_evidence
    return {
        **row,
        "status": str(booking.status),
        "usage": str(booking.usage),
        "return_evidence": None if evidence is None else evidence.to_json(),
    }


async def add(tx: Tx, booking: Booking) -> None:
    """Store a new booking; the schema's guard raises when the vehicle is taken."""
    await tx.execute(insert(bookings).values(**row_from(booking)))


async def save(tx: Tx, booking: Booking) -> None:
    """Store a changed booking; the schema's guard raises when the vehicle is taken."""
    row = row_from(booking)
    await tx.execute(_update(booking.organisation_id, row.pop("id")).values(**row))


def _update(organisation_id: str, booking_id: str) -> Update:
    return update(bookings).where(bookings.c.organisation_id == organisation_id, bookings.c.id == booking_id)


async def remember_odometer(tx: Tx, organisation_id: str, vehicle_id: str, odometer_km: int) -> None:
    """Keep the highest reading of the vehicle's odometer."""
    await tx.execute(
        update(vehicles)
        .where(
            vehicles.c.organisation_id == organisation_id,
            vehicles.c.id == vehicle_id,
            vehicles.c.odometer_km < odometer_km,
        )
        .values(odometer_km=odometer_km)
    )


async def booking(
    reader: Reader, organisation_id: str, booking_id: str, *, lock: bool = False
) -> Booking | None:
    """Return one booking of the organisation; `lock` keeps other processes from changing it (PostgreSQL)."""
    statement = _bookings(organisation_id).where(bookings.c.id == booking_id)
    row = await reader.first(statement.with_for_update() if lock else statement)
    return None if row is None else booking_from(row)


async def organisation_of(reader: Reader, booking_id: str) -> str | None:
    """Return whose booking this is; the reader spans tenants."""
    found = await reader.scalar(select(bookings.c.organisation_id).where(bookings.c.id == booking_id))
    return None if found is None else str(found)


async def vehicle_calendar(reader: Reader, organisation_id: str, vehicle_id: str, span: Timespan) -> Calendar:
    """Return what holds the vehicle, or held it until its return, around `span`."""
    of_vehicle = _bookings(organisation_id).where(
        bookings.c.vehicle_id == vehicle_id, bookings.c.start_at < span.end
    )
    holding = of_vehicle.where(
        _is_holding(), or_(bookings.c.blocked_until > span.start, bookings.c.status == "active")
    )
    returned = of_vehicle.where(
        bookings.c.status == "completed",
        bookings.c.start_at > span.start - _LONGEST,
        or_(bookings.c.returned_at > span.start, bookings.c.end_at > span.start),
    )
    rows = [*await reader.all(holding), *await reader.all(returned)]
    return Calendar(
        bookings=tuple(sorted((booking_from(row) for row in rows), key=lambda b: (b.start_at, b.id))),
        blocks=await _blocks(reader, organisation_id, vehicle_blocks.c.vehicle_id == vehicle_id, span),
    )


async def station_calendar(reader: Reader, organisation_id: str, station_id: str, span: Timespan) -> Calendar:
    """Return the bookings of a station that touch `span` (cancelled ones left out) and its cars' blocks."""
    rows = await reader.all(
        _bookings(organisation_id)
        .where(
            bookings.c.station_id == station_id,
            bookings.c.start_at < span.end,
            bookings.c.start_at > span.start - _LONGEST,
            or_(bookings.c.blocked_until > span.start, bookings.c.status == "active"),
            bookings.c.status.not_in(("cancelled", "no_show")),
        )
        .order_by(bookings.c.start_at, bookings.c.id)
    )
    here = vehicle_blocks.c.vehicle_id.in_(
        select(vehicles.c.id).where(
            vehicles.c.organisation_id == organisation_id, vehicles.c.station_id == station_id
        )
    )
    return Calendar(
        bookings=tuple(booking_from(row) for row in rows),
        blocks=await _blocks(reader, organisation_id, here, span),
    )


async def of_driver(
    reader: Reader,
    organisation_id: str,
    driver_id: str,
    *,
    limit: int = 100,
    before: datetime | None = None,
    after_id: str | None = None,
) -> list[Booking]:
    """Return a driver's bookings, the latest start first, then by id.

    `before` pages towards the past; with `after_id` it still takes what starts at that instant after this id.
    """
    statement = _bookings(organisation_id).where(bookings.c.driver_id == driver_id)
    if before is not None:
        older = bookings.c.start_at < before
        beside = and_(bookings.c.start_at == before, bookings.c.id > (after_id or ""))
        statement = statement.where(older if after_id is None else or_(older, beside))
    rows = await reader.all(statement.order_by(bookings.c.start_at.desc(), bookings.c.id).limit(limit))
    return [booking_from(row) for row in rows]


async def lock_driver(tx: Tx, driver_id: str) -> None:
    """Let one process at a time book for a driver (PostgreSQL): two could both see two bookings of three."""
    await tx.scalar(select(people.c.id).where(people.c.id == driver_id).with_for_update(key_share=True))


async def count_upcoming(reader: Reader, organisation_id: str, community_id: str, driver_id: str) -> int:
    """Count the driver's bookings in the community that have not ended (C21)."""
    counted = await reader.scalar(
        select(func.count())
        .select_from(bookings)
        .where(
            bookings.c.organisation_id == organisation_id,
            bookings.c.community_id == community_id,
            bookings.c.driver_id == driver_id,
            bookings.c.status.in_(HOLDING_WORDS),
        )
    )
    return int(counted)


async def free_vehicles(
    reader: Reader,
    organisation_id: str,
    community_id: str,
    span: Timespan,
    *,
    buffer: timedelta,
    now: datetime,
) -> list[Vehicle]:
    """Return the vehicles of the community free for `span` and the buffer after it, by station and name.

    Predecessor form: the latest booking that starts before the wanted end must be over by the wanted start.
    One step in an index per vehicle, however many years of bookings there are.
    """
    until = span.end + buffer
    predecessor = _predecessor(organisation_id, until)
    statement = (
        select(vehicles)
        .join(stations, stations.c.id == vehicles.c.station_id)
        .where(
            vehicles.c.organisation_id == organisation_id,
            stations.c.organisation_id == organisation_id,
            stations.c.community_id == community_id,
            or_(vehicles.c.withdrawn_at.is_(None), vehicles.c.withdrawn_at >= span.end),
            func.coalesce(predecessor, literal(EPOCH, Instant())) <= span.start,
            ~_blocked(organisation_id, Timespan(span.start, until)),
        )
        .order_by(vehicles.c.station_id, vehicles.c.name, vehicles.c.id)
    )
    if span.start < now + buffer:
        statement = statement.where(~_still_out(organisation_id, span.start, buffer, now))
    return [vehicle_from(row) for row in await reader.all(statement)]


async def due_for_no_show(reader: Reader, now: datetime) -> list[tuple[str, str]]:
    """Return (organisation, id) of bookings whose start passed without a start; the reader spans tenants."""
    return await _due(reader, _is_holding(), bookings.c.status == "booked", bookings.c.start_at <= now)


async def due_for_late(reader: Reader, now: datetime) -> list[tuple[str, str]]:
    """Return (organisation, id) of trips past their end that nobody was told of; the reader spans tenants."""
    late = bookings.c.end_at < now
    return await _due(reader, bookings.c.status == "active", late, bookings.c.late_told_at.is_(None))


async def overdue(reader: Reader, now: datetime) -> list[Booking]:
    """Return the trips past their planned end, the longest late first; the reader spans tenants."""
    rows = await reader.all(
        select(bookings)
        .where(bookings.c.status == "active", bookings.c.end_at < now)
        .order_by(bookings.c.end_at)
    )
    return [booking_from(row) for row in rows]


async def note_missed_search(tx: Tx, *, organisation_id: str, **row: Any) -> None:
    """Keep that somebody found nothing: unmet demand is what a municipality plans its next car with."""
    await tx.execute(insert(missed_searches).values(organisation_id=organisation_id, **row))


def _bookings(organisation_id: str) -> Select[Any]:
    return select(bookings).where(bookings.c.organisation_id == organisation_id)


def _is_holding() -> ColumnElement[bool]:
    words: list[ColumnElement[str]] = [literal_column(f"'{word}'") for word in HOLDING_WORDS]
    return bookings.c.status.in_(words)


def _predecessor(organisation_id: str, until: datetime) -> ScalarSelect[Any]:
    """When the latest booking that starts before `until` stops holding the vehicle of the outer row."""
    return (
        select(bookings.c.blocked_until)
        .where(
            bookings.c.organisation_id == organisation_id,
            bookings.c.vehicle_id == vehicles.c.id,
            _is_holding(),
            bookings.c.start_at < until,
        )
        .order_by(bookings.c.start_at.desc())
        .limit(1)
        .correlate(vehicles)
        .scalar_subquery()
    )


def _blocked(organisation_id: str, span: Timespan) -> ColumnElement[bool]:
    return exists().where(
        vehicle_blocks.c.organisation_id == organisation_id,
        vehicle_blocks.c.vehicle_id == vehicles.c.id,
        vehicle_blocks.c.start_at < span.end,
        vehicle_blocks.c.end_at > span.start,
    )


def _still_out(
    organisation_id: str, start_at: datetime, buffer: timedelta, now: datetime
) -> ColumnElement[bool]:
    """Late now, or back for less than the buffer: see `timing.occupied`, which says the same for one car."""
    of_vehicle = (bookings.c.organisation_id == organisation_id, bookings.c.vehicle_id == vehicles.c.id)
    late = exists().where(*of_vehicle, _is_holding(), bookings.c.status == "active", bookings.c.end_at < now)
    just_back = exists().where(
        *of_vehicle,
        bookings.c.status == "completed",
        bookings.c.start_at > now - _LONGEST,
        bookings.c.returned_at > start_at - buffer,
    )
    return or_(late, just_back)


async def _due(reader: Reader, *conditions: ColumnElement[bool]) -> list[tuple[str, str]]:
    rows = await reader.all(
        select(bookings.c.organisation_id, bookings.c.id).where(*conditions).order_by(bookings.c.start_at)
    )
    return [(row["organisation_id"], row["id"]) for row in rows]


async def _blocks(
    reader: Reader, organisation_id: str, which: ColumnElement[bool], span: Timespan
) -> tuple[VehicleBlock, ...]:
    rows = await reader.all(
        select(vehicle_blocks)
        .where(
            vehicle_blocks.c.organisation_id == organisation_id,
            which,
            vehicle_blocks.c.start_at < span.end,
            vehicle_blocks.c.end_at > span.start,
        )
        .order_by(vehicle_blocks.c.start_at, vehicle_blocks.c.id)
    )
    names = ("id", "vehicle_id", "start_at", "end_at", "reason")
    return tuple(VehicleBlock(**{name: row[name] for name in names}) for row in rows)
