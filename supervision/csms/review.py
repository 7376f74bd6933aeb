"""The charges a person must look at: why, what is known, what is proposed, and how one is settled.

Documents are JSON as in `csms.directory`. What a person decides is a decision beside the facts (ADR 17): who,
when and why stand in `charging_transaction_decisions`, and in the audit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, insert, or_, select

from supervision.clock import Clock
from supervision.csms import deciding, machine, presuming, zombies
from supervision.csms.decisions import PRESUMED_END
from supervision.csms.directory import Document, Page, charging_transaction_document
from supervision.csms.machine import ChargingTransaction, State
from supervision.csms.model import Ground, PresumedEnd, SettledHow, Settlement
from supervision.csms.proposing import Proposal, RegisterReading, propose
from supervision.csms.registry import Registry
from supervision.csms.store import Station, charging_transaction_from
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import format_instant
from supervision.store.db import Database, Reader, Tx
from supervision.store.schema import (
    audit_entries,
    charging_transaction_decisions,
    charging_transactions,
    meter_values,
)

OVER_LONG = "over_long"
MOST_WH = 10_000_000
MOST_READINGS = 5000
SHOWN_READINGS = 10

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a person wants a charge settled. `energy_wh` of an acceptance is the proposal that was shown."""

    how: SettledHow
    energy_wh: int | None = None
    note: str = ""


class ReviewService:
    """One instance per process."""

    def __init__(self, *, db: Database, clock: Clock, registry: Registry) -> None:
        self._db = db
        self._clock = clock
        self._registry = registry

    async def charges(self, organisation_id: str, *, after: int = 0, limit: int = 100) -> Page:
        """List what waits for a person, by id."""
        now = self._clock.now()
        async with self._db.read(organisation_id) as reader:
            long = {row["id"]: row for row in await presuming.open_for_long(reader, organisation_id, now)}
            rows = await reader.all(_waiting(organisation_id, list(long), after).limit(limit + 1))
            found = [
                await _document(reader, organisation_id, row, long.get(row["id"])) for row in rows[:limit]
            ]
        more = len(rows) > limit
        return Page(items=found, next=str(rows[limit - 1]["id"]) if more else None)

    async def charge(self, organisation_id: str, row_id: int) -> Document | None:
        """Return one charge with its reasons and its history, whether it waits or not."""
        now = self._clock.now()
        async with self._db.read(organisation_id) as reader:
            row = await _row(reader, organisation_id, row_id)
            if row is None:
                return None
            return await _document(
                reader, organisation_id, row, await _long(reader, organisation_id, row, now)
            )

    async def settle(
        self, organisation_id: str, row_id: int, wish: Wish, *, by_person_id: str
    ) -> Document | Refused:
        """Settle a charge in one transaction; the energy ledger follows by its event."""
        now = self._clock.now()

        async def unit(tx: Tx) -> Refused | None:
            return await self._settle(tx, organisation_id, row_id, wish, now, by_person_id)

        refused = await self._db.write(organisation_id, unit)
        return refused or await self.charge(organisation_id, row_id) or _unknown(row_id)

    async def _settle(
        self, tx: Tx, organisation_id: str, row_id: int, wish: Wish, now: datetime, by_person_id: str
    ) -> Refused | None:
        row = await _row(tx, organisation_id, row_id)
        station = (
            None if row is None else await deciding.station_of(tx, organisation_id, row["charging_station"])
        )
        if row is None or station is None:
            return _unknown(row_id)
        long = await _long(tx, organisation_id, row, now)
        ending = _end_by_hand(long)
        refused = _refuse(row, long, wish) or _refuse_energy(
            wish, await _proposal(tx, station, _as_ended(row, ending), row_id)
        )
        if refused is not None:
            return refused
        if ending is not None:
            await self._end(tx, station, row, ending, now, by_person_id)
            row = await _row(tx, organisation_id, row_id) or row
        await self._keep(tx, station, row, wish, now, by_person_id)
        return None

    async def _end(
        self, tx: Tx, station: Station, row: Row, end: PresumedEnd, now: datetime, by_person_id: str
    ) -> None:
        connection = self._registry.get(station.identity)
        if connection is not None:
            connection.open_transactions.pop(row["ocpp_transaction_id"], None)
        await deciding.take(tx, station, row, end, now=now, by_person_id=by_person_id)

    async def _keep(
        self, tx: Tx, station: Station, row: Row, wish: Wish, now: datetime, by_person_id: str
    ) -> None:
        proposal = await _proposal(tx, station, charging_transaction_from(row), row["id"])
        energy_wh = wish.energy_wh
        if wish.how is SettledHow.ACCEPTED and proposal is not None:
            energy_wh = proposal.energy_wh
        settlement = Settlement(how=wish.how, energy_wh=None if wish.how is SettledHow.NONE else energy_wh)
        note = wish.note.strip() or None
        await deciding.take(tx, station, row, settlement, now=now, by_person_id=by_person_id, note=note)
        details = {
            "how": wish.how.value,
            "energy_wh": settlement.energy_wh,
            "before_wh": row["energy_wh"],
            "note": note,
        }
        await tx.execute(
            insert(audit_entries).values(
                organisation_id=station.organisation_id,
                at=now,
                person_id=by_person_id,
                action="charging_transaction.settled",
                subject=f"charging_transaction:{row['id']}",
                details=details,
            )
        )


def _refuse(row: Row, long: Row | None, wish: Wish) -> Refused | None:
    if row["state"] == State.OPEN.value and long is None:
        return Refused("still_charging", {"charging_transaction": row["id"]})
    if row["state"] == State.ENDED.value and row["review"] is None:
        return Refused("nothing_to_review", {"charging_transaction": row["id"]})
    if wish.how is SettledHow.ENTERED and not wish.note.strip():
        return Refused("note_missing")
    return None


def _refuse_energy(wish: Wish, proposal: Proposal | None) -> Refused | None:
    if wish.how is SettledHow.ENTERED:
        if wish.energy_wh is None:
            return Refused("energy_missing")
        if not 0 <= wish.energy_wh <= MOST_WH:
            return Refused("energy_out_of_range", {"most_wh": MOST_WH})
    if wish.how is SettledHow.ACCEPTED:
        if proposal is None:
            return Refused("no_proposal")
        if wish.energy_wh not in (None, proposal.energy_wh):
            return Refused("proposal_changed", {"energy_wh": proposal.energy_wh})
    return None


def _unknown(row_id: int) -> Refused:
    return Refused("charging_transaction_unknown", {"charging_transaction": row_id})


def _waiting(organisation_id: str, long: list[int], after: int) -> Any:
    table = charging_transactions
    doubtful = and_(
        table.c.review.is_not(None), or_(table.c.state == State.ENDED.value, table.c.settled.is_not(None))
    )
    return (
        select(table)
        .where(
            table.c.organisation_id == organisation_id,
            table.c.id > after,
            or_(doubtful, table.c.id.in_(long)) if long else doubtful,
        )
        .order_by(table.c.id)
    )


async def _row(reader: Reader, organisation_id: str, row_id: int) -> Row | None:
    table = charging_transactions
    return await reader.first(
        select(table).where(table.c.organisation_id == organisation_id, table.c.id == row_id)
    )


async def _long(reader: Reader, organisation_id: str, row: Row, now: datetime) -> Row | None:
    """The row with its surroundings when it is open and has been silent for too long."""
    found = await presuming.find_open(reader, organisation_id, row["id"])
    if found is None or not zombies.over_long(presuming.open_charge(found), now):
        return None
    return found


def _end_by_hand(long: Row | None) -> PresumedEnd | None:
    if long is None:
        return None
    return PresumedEnd(ground=Ground.BY_HAND, at=zombies.last_heard(presuming.open_charge(long)))


def _as_ended(row: Row, ending: PresumedEnd | None) -> ChargingTransaction:
    folded = charging_transaction_from(row)
    return folded if ending is None else machine.decide(folded, ending)


async def _document(reader: Reader, organisation_id: str, row: Row, long: Row | None) -> Document:
    ended = _as_ended(row, _end_by_hand(long))
    readings = await _readings(reader, organisation_id, row["charging_station"], row["id"], ended)
    station = await deciding.station_of(reader, organisation_id, row["charging_station"])
    proposal = None
    if station is not None and ended.state is State.ENDED:
        power_w = await deciding.max_power_w(reader, station, row["evse_id"])
        proposal = propose(ended, readings, max_power_w=power_w)
    reasons = (row["review"] or "").split(",") if row["review"] else []
    return {
        "charging_transaction": charging_transaction_document(row),
        "reasons": [*reasons, *([OVER_LONG] if long is not None else [])],
        "proposal": None
        if proposal is None
        else {"energy_wh": proposal.energy_wh, "basis": proposal.basis.value},
        "readings": [_reading_document(reading) for reading in _first_and_last(readings)],
        "decisions": await _decisions(reader, organisation_id, row["id"]),
    }


async def _proposal(
    reader: Reader, station: Station, ended: ChargingTransaction, row_id: int
) -> Proposal | None:
    if ended.state is not State.ENDED:
        return None
    readings = await _readings(reader, station.organisation_id, station.identity, row_id, ended)
    power_w = await deciding.max_power_w(reader, station, ended.evse_id)
    return propose(ended, readings, max_power_w=power_w)


async def _readings(
    reader: Reader, organisation_id: str, identity: str, row_id: int, ended: ChargingTransaction
) -> list[RegisterReading]:
    """Readings of the counter from start to end, oldest first."""
    table = meter_values
    statement = (
        select(table.c.at, table.c.register_wh, table.c.power_w)
        .where(
            table.c.organisation_id == organisation_id,
            table.c.charging_station == identity,
            table.c.charging_transaction_id == row_id,
            table.c.register_wh.is_not(None),
            table.c.at >= ended.started_at,
        )
        .order_by(table.c.at, table.c.id)
        .limit(MOST_READINGS)
    )
    if ended.stopped_at is not None:
        statement = statement.where(table.c.at <= ended.stopped_at)
    return [RegisterReading(**row) for row in await reader.all(statement)]


def _first_and_last(readings: list[RegisterReading]) -> list[RegisterReading]:
    if len(readings) <= SHOWN_READINGS:
        return readings
    return [readings[0], *readings[1 - SHOWN_READINGS :]]


def _reading_document(reading: RegisterReading) -> Document:
    return {
        "at": format_instant(reading.at),
        "register_wh": reading.register_wh,
        "power_w": reading.power_w,
    }


async def _decisions(reader: Reader, organisation_id: str, row_id: int) -> list[Document]:
    table = charging_transaction_decisions
    rows = await reader.all(
        select(table)
        .where(table.c.organisation_id == organisation_id, table.c.charging_transaction_id == row_id)
        .order_by(table.c.id)
    )
    return [
        {
            "at": format_instant(row["at"]),
            "kind": row["kind"],
            "ground": row["facts"]["ground"] if row["kind"] == PRESUMED_END else None,
            "how": row["facts"].get("how"),
            "energy_wh": row["facts"].get("energy_wh"),
            "person": row["by_person_id"],
            "note": row["note"],
        }
        for row in rows
    ]
