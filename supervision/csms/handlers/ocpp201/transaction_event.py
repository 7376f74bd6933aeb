"""TransactionEvent of OCPP 2.0.1: stored and answered whatever it looks like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supervision.csms import v201, wire
from supervision.csms.authorising import same_token
from supervision.csms.handlers import common, notices
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services
from supervision.csms.model import IdTokenDecision, IdTokenStatus, Phase, TransactionEvent
from supervision.csms.store import find_charging_transaction, insert_transaction_event
from supervision.store.db import Tx


async def _transaction_event(services: Services, incoming: Incoming, tx: Tx) -> Payload:
    """2.0.1 E01-E15: it cannot be refused; a repeated event is answered again and changes nothing."""
    event = v201.transaction_event(incoming.payload, incoming.now)
    if not event.fact.offline:
        common.note_clock(incoming, wire.moment(incoming.payload.get("timestamp")))
    await _keep(services, incoming, tx, event)
    row = await find_charging_transaction(tx, incoming.station, ocpp_transaction_id=event.ocpp_transaction_id)
    decision = await _decide(services, incoming, tx, event, row)
    row_id = await _fold(services, incoming, tx, event, row, decision)
    await notices.reservation_used(incoming, tx, incoming.payload.get("reservationId"))
    evse_id = event.fact.evse_id or (row["evse_id"] if row is not None else 0)
    services.hot.samples(incoming.job, incoming.station, evse_id, event.samples, incoming.now, row_id)
    return _answer(event, decision, incoming.payload)


async def _keep(services: Services, incoming: Incoming, tx: Tx, event: TransactionEvent) -> None:
    await insert_transaction_event(
        tx,
        services.db,
        incoming.station,
        {
            "ocpp_transaction_id": event.ocpp_transaction_id,
            "seq_no": v201.sequence_number(incoming.payload),
            "event_type": event.fact.phase.value,
            "at": event.fact.at,
            "received_at": incoming.now,
            "offline": event.fact.offline,
            "payload": incoming.payload,
        },
    )


async def _decide(
    services: Services,
    incoming: Incoming,
    tx: Tx,
    event: TransactionEvent,
    row: Mapping[str, Any] | None,
) -> IdTokenDecision | None:
    """Answer the badge of an event: as before for the same badge, else anew; None without one."""
    token = event.fact.id_token
    if token is None:
        return None
    if row is not None and row["authorisation"] is not None and same_token(row["id_token"], token):
        return common.stored_decision(row)
    if event.fact.phase is Phase.ENDED or (row is not None and row["authorisation"] is not None):
        return await common.authorise_stop(services, incoming, tx, row, token, event.token_type)
    return await common.authorise_start(services, incoming, tx, event.fact, event.token_type)


async def _fold(
    services: Services,
    incoming: Incoming,
    tx: Tx,
    event: TransactionEvent,
    row: Mapping[str, Any] | None,
    decision: IdTokenDecision | None,
) -> int:
    starting = decision if event.fact.phase is not Phase.ENDED else None
    if row is not None:
        first = starting if row["authorisation"] is None else None
        await common.extend(services, incoming, tx, row, event.fact, first, samples=event.samples)
        return int(row["id"])
    row_id, _ = await common.create(
        services,
        incoming,
        tx,
        event.fact,
        starting,
        natural_key=f"2.0.1|{event.ocpp_transaction_id}",
        ocpp_transaction_id=event.ocpp_transaction_id,
    )
    return row_id


def _answer(event: TransactionEvent, decision: IdTokenDecision | None, payload: Payload) -> Payload:
    """A free charge must say so: without totalCost the driver is told that it was not free (2.0.1 I06)."""
    answer: Payload = {"totalCost": 0.0} if event.fact.phase is Phase.ENDED else {}
    if decision is not None:
        answer["idTokenInfo"] = v201.id_token_info(decision)
    elif wire.inner(payload, "idToken"):
        answer["idTokenInfo"] = {"status": IdTokenStatus.ACCEPTED.value}
    return answer


HANDLER = Handler(unit=_transaction_event, fallback={})
