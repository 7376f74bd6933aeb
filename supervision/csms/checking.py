"""`supervision rebuild`: charging transactions from the journal, held against the live tables."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import select

from supervision.csms.frame import Version
from supervision.csms.machine import ChargingTransaction
from supervision.csms.rebuilding import JournalFrame, comparable, rebuild
from supervision.csms.store import charging_transaction_from
from supervision.kernel.units import watts
from supervision.store.db import Database, Reader, across_tenants
from supervision.store.schema import charging_stations, charging_transactions, evses, frames

_EVERYBODY = across_tenants("an operator checks the whole installation")


@dataclass(frozen=True, slots=True, kw_only=True)
class StationCheck:
    """What a comparison found. `too_old`: begun before the journal begins, so that nothing can be said."""

    charging_station: str
    compared: int
    too_old: int
    differences: tuple[str, ...]


async def check_stations(db: Database, *, identity: str | None = None) -> list[StationCheck]:
    """Compare every station, or the one named, with its journal; stations that never spoke are left out."""
    async with db.read(_EVERYBODY) as reader:
        statement = select(charging_stations).order_by(charging_stations.c.identity)
        if identity is not None:
            statement = statement.where(charging_stations.c.identity == identity)
        spoken = [(row["identity"], Version.numbered(row["ocpp"])) for row in await reader.all(statement)]
        return [
            await _check(reader, identity, version) for identity, version in spoken if version is not None
        ]


async def _check(reader: Reader, identity: str, version: Version) -> StationCheck:
    journal = await _journal(reader, identity)
    rebuilt = rebuild(journal, version, await _max_power_w(reader, identity))
    table = charging_transactions
    rows = await reader.all(
        select(table)
        .where(table.c.charging_station == identity, table.c.ocpp == version.number)
        .order_by(table.c.id)
    )
    live = {row["ocpp_transaction_id"]: comparable(charging_transaction_from(row)) for row in rows}
    begins_at = journal[0].at if journal else None
    judged = {
        key: row
        for key, row in live.items()
        if begins_at is not None and row.started_received_at >= begins_at
    }
    found = [line for key, row in judged.items() for line in _compare(key, row, rebuilt.get(key))]
    found += [f"{key}: only in the journal" for key in rebuilt if key not in live]
    return StationCheck(
        charging_station=identity,
        compared=len(judged),
        too_old=len(live) - len(judged),
        differences=tuple(found),
    )


async def _journal(reader: Reader, identity: str) -> list[JournalFrame]:
    rows = await reader.all(
        select(frames.c.at, frames.c.direction, frames.c.frame)
        .where(frames.c.charging_station == identity)
        .order_by(frames.c.id)
    )
    return [JournalFrame(at=row["at"], direction=row["direction"], text=row["frame"]) for row in rows]


async def _max_power_w(reader: Reader, identity: str) -> dict[int, float]:
    rows = await reader.all(select(evses).where(evses.c.charging_station == identity))
    return {row["evse_id"]: watts(row["max_a"], len(row["phases"])) for row in rows}


def _compare(key: str, live: ChargingTransaction, rebuilt: ChargingTransaction | None) -> list[str]:
    if rebuilt is None:
        return [f"{key}: only in the tables"]
    names = [item.name for item in fields(ChargingTransaction)]
    pairs: list[tuple[str, Any, Any]] = [
        (name, getattr(live, name), getattr(rebuilt, name)) for name in names
    ]
    return [f"{key}: {name} is {mine}, the journal says {its}" for name, mine, its in pairs if mine != its]
