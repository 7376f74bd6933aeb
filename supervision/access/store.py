"""Rows of access <-> values of access.model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, insert, or_, select, update

from supervision.access.model import AccessCode
from supervision.accounts.model import CommunityRules
from supervision.booking.model import HOLDING
from supervision.store.db import Reader, Tx
from supervision.store.schema import (
    access_codes,
    access_events,
    audit_entries,
    bookings,
    communities,
    key_boxes,
    vehicles,
)

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class KeyBox:
    """A key box of a station and the provider that speaks to it."""

    id: str
    organisation_id: str
    station_id: str
    provider: str
    config: Mapping[str, Any]


def code_from(row: Row) -> AccessCode:
    """Build a code from its row."""
    return AccessCode(**{item.name: row[item.name] for item in fields(AccessCode)})


def row_from(code: AccessCode) -> dict[str, Any]:
    """Write a code as its row."""
    return {item.name: getattr(code, item.name) for item in fields(AccessCode)}


async def code(reader: Reader, organisation_id: str, booking_id: str) -> AccessCode | None:
    """Return the code of a booking."""
    row = await reader.first(_codes(organisation_id).where(access_codes.c.booking_id == booking_id))
    return None if row is None else code_from(row)


async def save(tx: Tx, code: AccessCode) -> None:
    """Insert or replace the code of a booking."""
    row = row_from(code)
    touched = await tx.execute(
        update(access_codes)
        .where(
            access_codes.c.organisation_id == code.organisation_id,
            access_codes.c.booking_id == code.booking_id,
        )
        .values(**row)
    )
    if not touched:
        await tx.execute(insert(access_codes).values(**row))


async def live_codes(
    reader: Reader, organisation_id: str, station_id: str, now: datetime, *, driver_id: str | None = None
) -> list[tuple[AccessCode, str]]:
    """Return the codes of a station that open now or later, with the status of their booking."""
    statement = (
        _codes(organisation_id)
        .add_columns(bookings.c.status)
        .join(bookings, bookings.c.id == access_codes.c.booking_id)
        .where(
            bookings.c.organisation_id == organisation_id,
            access_codes.c.station_id == station_id,
            access_codes.c.revoked_at.is_(None),
            or_(access_codes.c.valid_until > now, bookings.c.status == "active"),
        )
        .order_by(access_codes.c.valid_from, access_codes.c.booking_id)
    )
    if driver_id is not None:
        statement = statement.where(bookings.c.driver_id == driver_id)
    return [(code_from(row), row["status"]) for row in await reader.all(statement)]


async def driver_of(reader: Reader, organisation_id: str, booking_id: str) -> str | None:
    """Return whose booking this is."""
    found = await reader.scalar(
        select(bookings.c.driver_id).where(
            bookings.c.organisation_id == organisation_id, bookings.c.id == booking_id
        )
    )
    return None if found is None else str(found)


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A code that is not shown yet, and what decides when it is."""

    organisation_id: str
    booking_id: str
    start_at: datetime
    rules: CommunityRules


async def unreleased(reader: Reader, now: datetime) -> list[Waiting]:
    """Return the codes not shown yet that may be due in some community; the reader spans tenants."""
    rows = await reader.all(select(communities.c.id, communities.c.rules))
    rules = {row["id"]: CommunityRules.from_json(row["rules"]) for row in rows}
    longest_min = max((max(r.code_release_min, r.code_early_min) for r in rules.values()), default=0)
    rows = await reader.all(
        select(bookings.c.organisation_id, bookings.c.id, bookings.c.community_id, bookings.c.start_at)
        .join(access_codes, access_codes.c.booking_id == bookings.c.id)
        .where(
            access_codes.c.released_at.is_(None),
            access_codes.c.revoked_at.is_(None),
            bookings.c.status.in_(HOLDING),
            bookings.c.start_at <= now + timedelta(minutes=longest_min),
        )
        .order_by(bookings.c.start_at)
    )
    return [
        Waiting(
            organisation_id=row["organisation_id"],
            booking_id=row["id"],
            start_at=row["start_at"],
            rules=rules[row["community_id"]],
        )
        for row in rows
    ]


async def stations_behind(reader: Reader) -> list[tuple[str, str]]:
    """Return (organisation, station) whose key box does not hold what it should; the reader spans tenants."""
    missing = and_(
        access_codes.c.revoked_at.is_(None),
        or_(
            access_codes.c.box_revision.is_(None),
            access_codes.c.box_revision != access_codes.c.revision,
        ),
    )
    too_many = and_(access_codes.c.revoked_at.is_not(None), access_codes.c.box_revision.is_not(None))
    rows = await reader.all(
        select(access_codes.c.organisation_id, access_codes.c.station_id)
        .join(vehicles, vehicles.c.id == access_codes.c.vehicle_id)
        .join(key_boxes, key_boxes.c.station_id == access_codes.c.station_id)
        .where(vehicles.c.key_box_slot.is_not(None), or_(missing, too_many))
        .distinct()
    )
    return [(row["organisation_id"], row["station_id"]) for row in rows]


async def confirm(tx: Tx, codes: Sequence[AccessCode], organisation_id: str, station_id: str) -> None:
    """Note what a station's key box has confirmed: these revisions, and nothing of revoked codes."""
    for held in codes:
        await tx.execute(
            update(access_codes)
            .where(
                access_codes.c.organisation_id == organisation_id,
                access_codes.c.booking_id == held.booking_id,
            )
            .values(box_revision=held.revision)
        )
    await tx.execute(
        update(access_codes)
        .where(
            access_codes.c.organisation_id == organisation_id,
            access_codes.c.station_id == station_id,
            access_codes.c.revoked_at.is_not(None),
            access_codes.c.box_revision.is_not(None),
        )
        .values(box_revision=None)
    )


async def key_box_of(reader: Reader, organisation_id: str, station_id: str) -> KeyBox | None:
    """Return the key box of a station, None when it has none."""
    row = await reader.first(
        select(key_boxes)
        .where(key_boxes.c.organisation_id == organisation_id, key_boxes.c.station_id == station_id)
        .order_by(key_boxes.c.id)
    )
    return None if row is None else KeyBox(**{item.name: row[item.name] for item in fields(KeyBox)})


async def note_event(
    tx: Tx,
    *,
    organisation_id: str,
    at: datetime,
    device: str,
    kind: str,
    vehicle_id: str | None = None,
    booking_id: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Keep what a device reported."""
    await tx.execute(
        insert(access_events).values(
            organisation_id=organisation_id,
            at=at,
            device=device,
            kind=kind,
            vehicle_id=vehicle_id,
            booking_id=booking_id,
            details=dict(details or {}),
        )
    )


async def events_of(reader: Reader, organisation_id: str, booking_id: str) -> list[dict[str, Any]]:
    """Return what the devices reported about a booking, oldest first."""
    return await reader.all(
        select(access_events)
        .where(access_events.c.organisation_id == organisation_id, access_events.c.booking_id == booking_id)
        .order_by(access_events.c.id)
    )


async def audit(
    tx: Tx, *, organisation_id: str, at: datetime, person_id: str, action: str, subject: str
) -> None:
    """Keep that a person looked at or did something that concerns others."""
    await tx.execute(
        insert(audit_entries).values(
            organisation_id=organisation_id, at=at, person_id=person_id, action=action, subject=subject
        )
    )


def _codes(organisation_id: str) -> Select[Any]:
    return select(access_codes).where(access_codes.c.organisation_id == organisation_id)
