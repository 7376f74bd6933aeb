"""StartTransaction of OCPP 1.6: stored and answered whatever it looks like."""

from __future__ import annotations

from supervision.csms import v16
from supervision.csms.handlers import common, notices
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services
from supervision.csms.model import IdTokenDecision
from supervision.csms.store import find_charging_transaction
from supervision.store.db import Tx


async def _start(services: Services, incoming: Incoming, tx: Tx) -> Payload:
    """1.6 3.7: a repeated start gets the same id and the same status, also after the charge has ended."""
    key = v16.natural_key_of_start(incoming.payload)
    known = await find_charging_transaction(tx, incoming.station, natural_key=key)
    if known is not None:
        return _started(known["id"], common.stored_decision(known))
    fact = v16.start(incoming.payload, incoming.now)
    decision = await common.authorise_start(services, incoming, tx, fact)
    row_id, _ = await common.create(
        services, incoming, tx, fact, decision, natural_key=key, ocpp_transaction_id=None
    )
    await notices.reservation_used(incoming, tx, incoming.payload.get("reservationId"))
    return _started(row_id, decision)


def _started(row_id: int, decision: IdTokenDecision) -> Payload:
    return {"transactionId": row_id, "idTagInfo": v16.id_tag_info(decision)}


_UNREADABLE: Payload = {"transactionId": -1, "idTagInfo": {"status": "Invalid"}}

HANDLER = Handler(unit=_start, fallback=_UNREADABLE)
