"""StopTransaction of OCPP 1.6: stored and confirmed whatever it looks like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supervision.csms import machine, v16, wire
from supervision.csms.handlers import common
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services
from supervision.csms.model import MeterSample, TransactionFact
from supervision.csms.store import (
    charging_transaction_from,
    find_charging_transaction,
    stoppable_charging_transactions,
)
from supervision.store.db import Tx


async def _stop(services: Services, incoming: Incoming, tx: Tx) -> Payload:
    """Always confirmed; a stop of something unknown leaves a reconstructed row for review."""
    fact = v16.stop(incoming.payload, incoming.now)
    key = v16.natural_key_of_stop(incoming.payload)
    row = await _stopped_row(incoming, tx, key, fact)
    if row is None:
        # The station's own number may be another row's (0, -1, a foreign one): the key stands for it.
        await common.create(services, incoming, tx, fact, None, natural_key=key, ocpp_transaction_id=key)
    else:
        samples = _transaction_data(incoming, row)
        await common.extend(services, incoming, tx, row, fact, samples=samples)
        services.hot.samples(incoming.job, incoming.station, row["evse_id"], samples, incoming.now, row["id"])
    if fact.id_token is None:
        return {}
    decision = await common.authorise_stop(services, incoming, tx, row, fact.id_token)
    return {"idTagInfo": v16.id_tag_info(decision)}


async def _stopped_row(
    incoming: Incoming, tx: Tx, key: str, fact: TransactionFact
) -> Mapping[str, Any] | None:
    """Find what is stopped: by our id, else as reconstructed before, else the one charge it can be.

    A number that is not ours names none that we know, but may have ended one that its start has completed.
    """
    number = v16.transaction_id(incoming.payload)
    if number is not None:
        row = await find_charging_transaction(tx, incoming.station, ocpp_transaction_id=str(number))
        if row is not None:
            return row
    known = await find_charging_transaction(tx, incoming.station, natural_key=key)
    if known is not None:
        return known
    rows = await stoppable_charging_transactions(tx, incoming.station, fact.at)
    which = machine.stopped_by if number is None else machine.repeated_by
    found = which({row["id"]: charging_transaction_from(row) for row in rows}, fact)
    return next((row for row in rows if row["id"] == found), None)


def _transaction_data(incoming: Incoming, row: Mapping[str, Any]) -> tuple[MeterSample, ...]:
    """Readings delivered only with the stop; they never move the final register, which is meterStop."""
    return wire.samples(incoming.payload.get("transactionData")) if row["evse_id"] else ()


HANDLER = Handler(unit=_stop, fallback={})
