"""Takes a decision about a charging transaction: recorded, folded into its row, told to the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from supervision.csms import machine, metering
from supervision.csms.machine import ChargingTransaction, Doubt, State
from supervision.csms.model import Decision, IdTokenStatus, MeterSample
from supervision.csms.store import (
    Station,
    charging_transaction_from,
    counted_lately,
    folded_values,
    insert_decision,
    seen_readings,
    told_states,
    update_charging_transaction,
)
from supervision.kernel.events import ChargingTransactionEnded
from supervision.kernel.units import watts
from supervision.store.db import Reader, Tx
from supervision.store.schema import charging_stations, evses


async def take(
    tx: Tx,
    station: Station,
    row: Mapping[str, Any],
    decision: Decision,
    *,
    now: datetime,
    by_person_id: str | None = None,
    note: str | None = None,
) -> ChargingTransaction:
    """Record the decision and return the charging transaction as it stands then."""
    await insert_decision(tx, station, row["id"], decision, at=now, by_person_id=by_person_id, note=note)
    power_w = await max_power_w(tx, station, row["evse_id"])
    decided = machine.decide(charging_transaction_from(row), decision, max_power_w=power_w)
    values = await reviewed(tx, station, row["id"], decided, row["authorisation"])
    await update_charging_transaction(tx, station, row["id"], values)
    tx.emit(
        ChargingTransactionEnded(
            **station.about,
            evse_id=decided.evse_id,
            charging_transaction_id=row["id"],
        )
    )
    tx.touch(station.topic)
    return decided


async def reviewed(
    reader: Reader,
    station: Station,
    row_id: int | None,
    folded: ChargingTransaction,
    authorisation: str | None,
    fresh: Sequence[MeterSample] = (),
) -> dict[str, Any]:
    """The folded values, with the doubts that need more than the facts of the charge.

    They are those about its badge and about its readings as a whole; `fresh` are samples of the message in
    hand, which are stored after it. What a person settled is doubted
    by later facts only, and the fold does that.
    """
    values = folded_values(folded)
    if folded.settled is not None:
        return values
    doubts = [folded.review] if folded.review else []
    if folded.state is State.ENDED and folded.measured_wh is not None and row_id is not None:
        stored = await seen_readings(reader, station, row_id, folded)
        seen = metering.joined(stored, metering.seen_in(fresh))
        doubts += metering.doubts(folded, seen)
        if metering.hardly_any(folded, seen) and await _too_little(reader, station, row_id, folded):
            doubts.append(Doubt.TOO_LITTLE)
    if authorisation not in (None, IdTokenStatus.ACCEPTED.value):
        doubts.append(Doubt.UNKNOWN_TOKEN)
    values["review"] = ",".join(doubts) or None
    return values


async def _too_little(reader: Reader, station: Station, row_id: int, folded: ChargingTransaction) -> bool:
    until = folded.stopped_at or folded.started_at
    around = metering.Surroundings(
        charging_h=metering.charging_h(await told_states(reader, station, row_id), until),
        lately_wh=await counted_lately(reader, station, folded.evse_id, before=row_id),
        max_power_w=await max_power_w(reader, station, folded.evse_id),
    )
    return metering.too_little(folded, around)


async def max_power_w(reader: Reader, station: Station, evse_id: int) -> float | None:
    """What an EVSE can deliver; None when it is not registered."""
    row = await reader.first(
        select(evses.c.max_a, evses.c.phases).where(
            evses.c.organisation_id == station.organisation_id,
            evses.c.charging_station == station.identity,
            evses.c.evse_id == evse_id,
        )
    )
    return None if row is None else watts(row["max_a"], len(row["phases"]))


async def station_of(reader: Reader, organisation_id: str, identity: str) -> Station | None:
    """Return a charging station by its identity."""
    table = charging_stations
    row = await reader.first(
        select(table.c.station_id).where(
            table.c.organisation_id == organisation_id, table.c.identity == identity
        )
    )
    if row is None:
        return None
    return Station(identity=identity, organisation_id=organisation_id, station_id=row["station_id"])
