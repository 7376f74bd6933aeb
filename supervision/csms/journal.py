"""The journal of raw frames: read, filtered, taken away as a file, and forgotten when its time is over."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, Update, delete, exists, func, or_, select, update

from supervision.csms.directory import Page
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import format_instant
from supervision.store.db import Database, Tx, across_tenants
from supervision.store.schema import charging_stations, frames, relays

Document = dict[str, Any]

AT_ONCE = 1000  # rows read or dropped in one go, so that nobody waits long for the rest
KEPT_FOR_RELAYS = timedelta(days=30)
_RETENTION = across_tenants("frames older than their time go, whoever they belong to")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which frames: `action` keeps CALLs of that name, `problems` those that could not be used."""

    action: str | None = None
    direction: str | None = None  # in | out
    since: datetime | None = None
    until: datetime | None = None
    problems: bool = False


EVERYTHING = Wanted()


class JournalService:
    """Reads of the journal. One instance per process."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def frames(
        self,
        organisation_id: str,
        identity: str,
        *,
        wanted: Wanted = EVERYTHING,
        after: int = 0,
        limit: int = 100,
    ) -> Page | Refused:
        """Raw frames, oldest first; secrets were masked before they were stored."""
        if not await self._knows(organisation_id, identity):
            return Refused("unknown_charging_station", {"charging_station": identity})
        rows = await self._after(organisation_id, identity, wanted, after, limit + 1)
        found = [_document(row) for row in rows[:limit]]
        return Page(items=found, next=str(found[-1]["id"]) if len(rows) > limit else None)

    async def latest(self, organisation_id: str, identity: str, *, limit: int = 50) -> list[Document]:
        """The newest raw frames, newest first, for the station's page."""
        async with self._db.read(organisation_id) as reader:
            rows = await reader.all(
                select(frames)
                .where(frames.c.organisation_id == organisation_id, frames.c.charging_station == identity)
                .order_by(frames.c.id.desc())
                .limit(limit)
            )
        return [_document(row) for row in rows]

    async def lines(
        self, organisation_id: str, identity: str, wanted: Wanted = EVERYTHING
    ) -> AsyncIterator[bytes]:
        """The journal as JSON lines, oldest first, read a part at a time."""
        after = 0
        while rows := await self._after(organisation_id, identity, wanted, after, AT_ONCE):
            after = rows[-1]["id"]
            text = "".join(json.dumps(_document(row), ensure_ascii=False) + "\n" for row in rows)
            yield text.encode()

    async def forget_before(self, instant: datetime) -> int:
        """Drop frames older than `instant`; return how many they were.

        What a second backend has not been told yet stays `KEPT_FOR_RELAYS` longer. What goes even so is
        counted on its relay: a gap is never silent.
        """
        dropped = 0
        while True:
            old = _forgettable(instant)

            async def unit(tx: Tx, old: Select[Any] = old) -> int:
                await tx.execute(_count_as_lost(instant))
                return await tx.execute(delete(frames).where(frames.c.id.in_(old)))

            count = await self._db.write(_RETENTION, unit)
            dropped += count
            if count < AT_ONCE:
                return dropped

    async def _knows(self, organisation_id: str, identity: str) -> bool:
        table = charging_stations
        async with self._db.read(organisation_id) as reader:
            known = await reader.scalar(
                select(table.c.identity).where(
                    table.c.organisation_id == organisation_id, table.c.identity == identity
                )
            )
        return known is not None

    async def _after(
        self, organisation_id: str, identity: str, wanted: Wanted, after: int, limit: int
    ) -> list[Mapping[str, Any]]:
        statement = (
            select(frames)
            .where(
                frames.c.organisation_id == organisation_id,
                frames.c.charging_station == identity,
                frames.c.id > after,
            )
            .order_by(frames.c.id)
            .limit(limit)
        )
        async with self._db.read(organisation_id) as reader:
            return list(await reader.all(_filtered(statement, wanted)))


def _forgettable(instant: datetime) -> Select[Any]:
    """The oldest frames that nobody needs any more."""
    is_awaited = exists().where(
        relays.c.charging_station == frames.c.charging_station,
        relays.c.organisation_id == frames.c.organisation_id,
        relays.c.after_frame < frames.c.id,
    )
    return (
        select(frames.c.id)
        .where(frames.c.at < instant, or_(~is_awaited, frames.c.at < instant - KEPT_FOR_RELAYS))
        .order_by(frames.c.at)
        .limit(AT_ONCE)
    )


def _count_as_lost(instant: datetime) -> Update:
    """Tell relays how many messages of their station go untold with `_forgettable`."""
    going = _forgettable(instant).subquery()
    untold = (
        select(func.count())
        .where(
            frames.c.id.in_(select(going.c.id)),
            frames.c.charging_station == relays.c.charging_station,
            frames.c.id > relays.c.after_frame,
            frames.c.direction == "in",
        )
        .scalar_subquery()
    )
    return update(relays).where(untold > 0).values(lost=relays.c.lost + untold)


def _filtered(statement: Select[Any], wanted: Wanted) -> Select[Any]:
    if wanted.action is not None:
        statement = statement.where(frames.c.frame.contains(f'"{wanted.action}"', autoescape=True))
    if wanted.direction is not None:
        statement = statement.where(frames.c.direction == wanted.direction)
    if wanted.since is not None:
        statement = statement.where(frames.c.at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(frames.c.at < wanted.until)
    if wanted.problems:
        statement = statement.where(frames.c.problem.is_not(None))
    return statement


def _document(row: Mapping[str, Any]) -> Document:
    return {
        "id": row["id"],
        "at": format_instant(row["at"]),
        "direction": row["direction"],
        "frame": row["frame"],
        "problem": row["problem"],
    }
