"""StartTransaction of OCPP 1.6: stored and answered whatever it looks like."""

from __future__ import annotations

from supervision.csms import machine, v16
from supervision.csms.handlers import common, notices
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services
from supervision.csms.model import IdTokenDecision, TransactionFact
from supervision.csms.store import (
    charging_transaction_from,
    find_charging_transaction,
    reconstructed_charging_transactions,
    update_charging_transaction,
)
from supervision.store.db import Tx


async def _start(services: Services, incoming: Incoming, tx: Tx) -> Payload:
    """1.6 3.7: a repeated start gets the same id and the same status, also after the charge has ended."""
    key = v16.natural_key_of_start(incoming.payload)
    known = await find_charging_transaction(tx, incoming.station, natural_key=key)
    if known is not None:
        return _started(known["id"], common.stored_decision(known))
    fact = v16.start(incoming.payload, incoming.now)
    decision = await common.authorise_start(services, incoming, tx, fact)
    row_id = await _begin_ended(services, incoming, tx, key, fact, decision)
    if row_id is None:
        row_id, _ = await common.create(
            services, incoming, tx, fact, decision, natural_key=key, ocpp_transaction_id=None
        )
    await notices.reservation_used(incoming, tx, incoming.payload.get("reservationId"))
    return _started(row_id, decision)


async def _begin_ended(
    services: Services, incoming: Incoming, tx: Tx, key: str, fact: TransactionFact, decision: IdTokenDecision
) -> int | None:
    """Complete the charge whose stop came before this start; None when there is none that it must be."""
    rows = await reconstructed_charging_transactions(tx, incoming.station, fact.at)
    found = machine.begun_by(
        {row["id"]: charging_transaction_from(row) for row in rows},
        fact,
        max_power_w=common.max_power(incoming, None, fact),
    )
    row = next((row for row in rows if row["id"] == found), None)
    if row is None:
        return None
    known_as = {"natural_key": key, "ocpp_transaction_id": str(row["id"])}
    await update_charging_transaction(tx, incoming.station, row["id"], known_as)
    await common.extend(services, incoming, tx, {**row, **known_as}, fact, decision)
    return int(row["id"])


def _started(row_id: int, decision: IdTokenDecision) -> Payload:
    return {"transactionId": row_id, "idTagInfo": v16.id_tag_info(decision)}


_UNREADABLE: Payload = {"transactionId": -1, "idTagInfo": {"status": "Invalid"}}

HANDLER = Handler(unit=_start, fallback=_UNREADABLE)
