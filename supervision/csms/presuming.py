"""Ends charging transactions that nobody will end any more: one sweep, one transaction for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.sql.elements import KeyedColumnElement

from supervision.clock import Clock
from supervision.csms import deciding, zombies
from supervision.csms.machine import State
from supervision.csms.model import ConnectorStatus
from supervision.csms.registry import Registry
from supervision.csms.store import Station
from supervision.csms.zombies import OpenCharge
from supervision.kernel.timespan import from_millis
from supervision.log import Log
from supervision.store.db import Database, Reader, Tx, across_tenants
from supervision.store.schema import (
    charging_stations,
    charging_transaction_events,
    charging_transactions,
    evses,
)

log = Log("supervision.csms.presuming")

_SWEEP = across_tenants("charges of every organisation lose their end")
_V16 = "1.6"

Row = Mapping[str, Any]


class PresumingService:
    """One instance per process."""

    def __init__(self, *, db: Database, clock: Clock, registry: Registry) -> None:
        self._db = db
        self._clock = clock
        self._registry = registry

    async def end_due(self) -> int:
        """Presume the end of every open charge that gives ground for it; return how many."""
        now = self._clock.now()
        async with self._db.read(_SWEEP) as reader:
            rows = await reader.all(_open_charges(_may_have_ended()))
        due = [row for row in rows if zombies.presumed_end(open_charge(row), now) is not None]
        return sum([await self._end(row, now) for row in due])

    async def _end(self, row: Row, now: datetime) -> bool:
        """End one charge unless it has spoken again meanwhile.

        It leaves the connection's open charges first: its next message then takes the way that may resume it
        and waits for this unit, instead of only moving the register of a row that has just ended.
        """
        station = Station.of(row)
        key = row["ocpp_transaction_id"]
        self._forget(station.identity, key)
        ended = await self._db.write(station.organisation_id, lambda tx: _unit(tx, station, row["id"], now))
        connection = self._registry.get(station.identity)
        if ended:
            self._forget(station.identity, key)  # a connection that was being opened has loaded it again
        elif connection is not None:
            connection.open_transactions.setdefault(key, (row["id"], row["evse_id"]))
        return ended

    def _forget(self, identity: str, key: str) -> None:
        connection = self._registry.get(identity)
        if connection is not None:
            connection.open_transactions.pop(key, None)


async def _unit(tx: Tx, station: Station, row_id: int, now: datetime) -> bool:
    row = await find_open(tx, station.organisation_id, row_id)
    end = None if row is None else zombies.presumed_end(open_charge(row), now)
    if row is None or end is None:
        return False
    await deciding.take(tx, station, row, end, now=now)
    log.info("csms.end_presumed", charging_station=station.identity, ground=end.ground.value, id=row_id)
    return True


async def find_open(reader: Reader, organisation_id: str, row_id: int) -> Row | None:
    """Return an open charging transaction with what is known around it."""
    table = charging_transactions
    return await reader.first(_open_charges(table.c.organisation_id == organisation_id, table.c.id == row_id))


async def open_for_long(reader: Reader, organisation_id: str, now: datetime) -> list[Row]:
    """Return the open charges a person should look at."""
    rows = await reader.all(_open_charges(charging_transactions.c.organisation_id == organisation_id))
    return [row for row in rows if zombies.over_long(open_charge(row), now)]


def open_charge(row: Row) -> OpenCharge:
    """Read a row of `_open_charges` as the rules want it."""
    heard_at = row["events_at"] or row["started_at"]
    if row["ocpp"] == _V16 and row["last_rank"]:
        heard_at = from_millis(row["last_rank"])  # ranks of 1.6 are instants (csms.model)
    online = row["connected_at"] is not None and row["disconnected_at"] is None
    away_since = row["disconnected_at"] or row["seen_at"] or row["started_received_at"]
    first, last = row["meter_start_wh"], row["meter_last_wh"]
    return OpenCharge(
        started_at=row["started_at"],
        heard_at=heard_at,
        energy_flowed=first is not None and last is not None and last > first,
        newer_started_at=row["newer_started_at"],
        newer_received_at=row["newer_received_at"],
        evse_status=ConnectorStatus(row["evse_status"] or ConnectorStatus.UNKNOWN.value),
        evse_status_at=row["evse_status_at"],
        connected_since=row["connected_at"] if online else None,
        away_since=None if online else away_since,
    )


def _may_have_ended() -> ColumnElement[bool]:
    """What every ground needs, so that a sweep does not carry hundreds of sound charges to the rules."""
    newer = charging_transactions.alias("newer")
    return or_(
        evses.c.status == ConnectorStatus.AVAILABLE.value,
        charging_stations.c.connected_at.is_(None),
        charging_stations.c.disconnected_at.is_not(None),
        _of_newer(newer, newer.c.started_at).is_not(None),
    )


def _open_charges(*conditions: ColumnElement[bool]) -> Select[Any]:
    """Open charging transactions, each with its station, its EVSE, and the next charge there."""
    table, box = charging_transactions, charging_stations
    told = charging_transaction_events
    heard = select(func.max(told.c.at)).where(
        told.c.organisation_id == table.c.organisation_id,
        told.c.charging_station == table.c.charging_station,
        told.c.ocpp_transaction_id == table.c.ocpp_transaction_id,
    )
    newer = table.alias("newer")
    return (
        select(
            table,
            box.c.station_id,
            box.c.connected_at,
            box.c.disconnected_at,
            box.c.seen_at,
            evses.c.status.label("evse_status"),
            evses.c.status_at.label("evse_status_at"),
            heard.scalar_subquery().label("events_at"),
            _of_newer(newer, newer.c.started_at).label("newer_started_at"),
            _of_newer(newer, newer.c.started_received_at).label("newer_received_at"),
        )
        .join(
            box,
            (box.c.identity == table.c.charging_station) & (box.c.organisation_id == table.c.organisation_id),
        )
        .outerjoin(
            evses,
            (evses.c.charging_station == table.c.charging_station)
            & (evses.c.organisation_id == table.c.organisation_id)
            & (evses.c.evse_id == table.c.evse_id),
        )
        .where(table.c.state == State.OPEN.value, *conditions)
        .order_by(table.c.id)
    )


def _of_newer(newer: Any, column: KeyedColumnElement[Any]) -> Any:
    """The earliest value of the charges that began after this one at the same EVSE.

    Rows that came later have the higher ids, and naming every state lets the index find just those. A start
    told late has the higher id itself: its newer charge is then looked for among the open ones. Once that
    has ended too, the free EVSE or the charge after it ends this one.
    """
    table = charging_transactions
    came_later = newer.c.state.in_([state.value for state in State]) & (newer.c.id > table.c.id)
    still_open = newer.c.state == State.OPEN.value
    return func.coalesce(_earliest(newer, column, came_later), _earliest(newer, column, still_open))


def _earliest(newer: Any, column: KeyedColumnElement[Any], known: ColumnElement[bool]) -> Any:
    table = charging_transactions
    return (
        select(func.min(column))
        .where(
            newer.c.organisation_id == table.c.organisation_id,
            newer.c.charging_station == table.c.charging_station,
            known,
            newer.c.evse_id == table.c.evse_id,
            newer.c.evse_id > 0,
            newer.c.start_told,
            newer.c.started_at > table.c.started_at,
        )
        .scalar_subquery()
    )
