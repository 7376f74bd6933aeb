"""StopTransaction of OCPP 1.6: stored and confirmed whatever it looks like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supervision.csms import v16
from supervision.csms.authorising import same_token
from supervision.csms.handlers import common
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services
from supervision.csms.store import find_charging_transaction, open_charging_transactions
from supervision.store.db import Tx


async def _stop(services: Services, incoming: Incoming, tx: Tx) -> Payload:
    """Always confirmed; a stop of something unknown leaves a reconstructed row for review."""
    fact = v16.stop(incoming.payload, incoming.now)
    key = v16.natural_key_of_stop(incoming.payload)
    row = await _stopped_row(incoming, tx, key)
    if row is None:
        # The station's own number may be another row's (0, -1, a foreign one): the key stands for it.
        await common.create(services, incoming, tx, fact, None, natural_key=key, ocpp_transaction_id=key)
    else:
        await common.extend(services, incoming, tx, row, fact)
    _transaction_data(services, incoming, row)
    if fact.id_token is None:
        return {}
    decision = await common.authorise_stop(services, incoming, tx, row, fact.id_token)
    return {"idTagInfo": v16.id_tag_info(decision)}


async def _stopped_row(incoming: Incoming, tx: Tx, key: str) -> Mapping[str, Any] | None:
    """Find what is stopped: by our id, else as reconstructed before, else the one charge it can be."""
    number = v16.transaction_id(incoming.payload)
    if number is not None:
        row = await find_charging_transaction(tx, incoming.station, ocpp_transaction_id=str(number))
        if row is not None:
            return row
    known = await find_charging_transaction(tx, incoming.station, natural_key=key)
    if known is not None or number is not None:
        return known
    token = v16.id_tag(incoming.payload)
    candidates = await open_charging_transactions(tx, incoming.station)
    if token is not None:
        candidates = [row for row in candidates if same_token(row["id_token"], token)]
    return candidates[0] if len(candidates) == 1 else None


def _transaction_data(services: Services, incoming: Incoming, row: Mapping[str, Any] | None) -> None:
    """Readings delivered only with the stop; they never move the final register, which is meterStop."""
    if row is None or not row["evse_id"]:
        return
    report = v16.meter_values(
        {"connectorId": row["evse_id"], "meterValue": incoming.payload.get("transactionData")}
    )
    services.hot.samples(
        incoming.job, incoming.station, report.evse_id, report.samples, incoming.now, row["id"]
    )


HANDLER = Handler(unit=_stop, fallback={})
