"""The messages of an OCPP 1.6 station."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supervision.csms import v16
from supervision.csms.handlers import common
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services, answer_with
from supervision.csms.model import (
    IdTokenDecision,
    IdTokenStatus,
    MeterReport,
    Phase,
    TransactionFact,
    register_wh,
    trusted_time,
)
from supervision.csms.store import find_charging_transaction, open_charging_transactions
from supervision.kernel.timespan import format_instant, to_millis
from supervision.store.db import Tx


async def _boot(services: Services, incoming: Incoming, tx: Tx) -> Payload:
    await common.boot(incoming, tx, v16.boot(incoming.payload))
    return v16.boot_answer(incoming.now, services.boot_interval_s)


def _heartbeat(services: Services, incoming: Incoming) -> Payload:
    common.heartbeat(services, incoming)
    return {"currentTime": format_instant(incoming.now)}


def _status(services: Services, incoming: Incoming) -> Payload:
    common.status(services, incoming, v16.status(incoming.payload))
    return {}


async def _authorize(services: Services, incoming: Incoming, tx: Tx) -> Payload:
    token = v16.id_tag(incoming.payload) or ""
    return {"idTagInfo": v16.id_tag_info(await common.authorise_shown(services, incoming, tx, token, None))}


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
    return _started(row_id, decision)


def _started(row_id: int, decision: IdTokenDecision) -> Payload:
    return {"transactionId": row_id, "idTagInfo": v16.id_tag_info(decision)}


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
    return {"idTagInfo": v16.id_tag_info(await _stopper(services, incoming, tx, row, fact.id_token))}


async def _stopper(
    services: Services, incoming: Incoming, tx: Tx, row: Mapping[str, Any] | None, token: str
) -> IdTokenDecision:
    if row is not None and common.same_token(row["id_token"], token):
        return IdTokenDecision(status=IdTokenStatus.ACCEPTED, parent=row["parent"])
    return await common.authorise(services, incoming, tx, token, None, None)


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
        candidates = [row for row in candidates if common.same_token(row["id_token"], token)]
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


def _meter_values(services: Services, incoming: Incoming) -> Payload | None:
    report = v16.meter_values(incoming.payload)
    if report.ocpp_transaction_id is None:
        common.readings(services, incoming, report, None)
        return {}
    known = incoming.connection.open_transactions.get(report.ocpp_transaction_id)
    if known is None:
        return None
    common.readings(services, incoming, report, known[0])
    return {}


async def _late_meter_values(services: Services, incoming: Incoming, tx: Tx) -> Payload:
    """Values of a charge that is not open here: ended already, or another station's number."""
    report = v16.meter_values(incoming.payload)
    row = await find_charging_transaction(
        tx, incoming.station, ocpp_transaction_id=report.ocpp_transaction_id or ""
    )
    common.readings(services, incoming, report, None if row is None else row["id"])
    if row is not None:
        for fact in _facts_of(incoming, report):
            await common.extend(services, incoming, tx, row, fact)
            row = (
                await find_charging_transaction(
                    tx, incoming.station, ocpp_transaction_id=row["ocpp_transaction_id"]
                )
                or row
            )
    return {}


def _facts_of(incoming: Incoming, report: MeterReport) -> list[TransactionFact]:
    facts = []
    for sample in report.samples:
        register, at = register_wh(sample), trusted_time(sample.at, incoming.now)
        if register is not None:
            facts.append(
                TransactionFact(
                    phase=Phase.UPDATED,
                    rank=to_millis(at),
                    at=at,
                    received_at=incoming.now,
                    evse_id=report.evse_id,
                    last_register_wh=register,  # never a first one: only meterStart tells that in 1.6
                )
            )
    return facts


_UNREADABLE_START: Payload = {"transactionId": -1, "idTagInfo": {"status": "Invalid"}}

HANDLERS: Mapping[str, Handler] = {
    "Authorize": Handler(unit=_authorize),
    "BootNotification": Handler(unit=_boot),
    "DataTransfer": answer_with({"status": "UnknownVendorId"}),
    "DiagnosticsStatusNotification": answer_with({}),
    "FirmwareStatusNotification": answer_with({}),
    "Heartbeat": Handler(hot=_heartbeat),
    "LogStatusNotification": answer_with({}),
    "MeterValues": Handler(hot=_meter_values, unit=_late_meter_values, fallback={}),
    "SecurityEventNotification": answer_with({}),
    "SignCertificate": answer_with({"status": "Rejected"}),
    "SignedFirmwareStatusNotification": answer_with({}),
    "StartTransaction": Handler(unit=_start, fallback=_UNREADABLE_START),
    "StatusNotification": Handler(hot=_status),
    "StopTransaction": Handler(unit=_stop, fallback={}),
}
