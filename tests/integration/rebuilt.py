"""The charging transactions of one station twice: as stored, and from nothing but its journals."""

from __future__ import annotations

from sqlalchemy import select

from supervision.csms.decisions import decision_from
from supervision.csms.frame import Version
from supervision.csms.machine import ChargingTransaction
from supervision.csms.rebuilding import JournalDecision, JournalFrame, rebuild
from supervision.csms.store import charging_transaction_from
from supervision.kernel.units import watts
from supervision.store.db import Database, across_tenants
from supervision.store.schema import charging_transaction_decisions, charging_transactions, frames

POWER = {1: watts(32, 3), 2: watts(32, 3)}
_ALL = across_tenants("tests look at everything")
Charges = dict[str, ChargingTransaction]


async def live_and_rebuilt(db: Database, identity: str, version: Version) -> tuple[Charges, Charges]:
    """Return both, by OCPP transaction id; every EVSE is one of 22 kW."""
    table, decided = charging_transactions, charging_transaction_decisions
    async with db.read(_ALL) as reader:
        rows = await reader.all(select(table).where(table.c.charging_station == identity))
        told = await reader.all(
            select(frames).where(frames.c.charging_station == identity).order_by(frames.c.id)
        )
        taken = await reader.all(
            select(decided, table.c.ocpp_transaction_id)
            .join(table, decided.c.charging_transaction_id == table.c.id)
            .where(table.c.charging_station == identity)
            .order_by(decided.c.id)
        )
    live = {row["ocpp_transaction_id"]: charging_transaction_from(row) for row in rows}
    journal = (
        JournalFrame(id=row["id"], at=row["at"], direction=row["direction"], text=row["frame"])
        for row in told
    )
    decisions = (
        JournalDecision(
            after_frame=row["after_frame"],
            ocpp_transaction_id=row["ocpp_transaction_id"],
            decision=decision_from(row),
        )
        for row in taken
    )
    return live, rebuild(journal, version, POWER, decisions)
