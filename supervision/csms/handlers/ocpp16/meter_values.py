"""MeterValues of OCPP 1.6, of a charge or of none."""

from __future__ import annotations

from supervision.csms import v16
from supervision.csms.handlers import common
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services
from supervision.csms.model import MeterReport, Phase, TransactionFact, register_wh, trusted_time
from supervision.csms.store import find_charging_transaction
from supervision.kernel.timespan import to_millis
from supervision.store.db import Tx


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


HANDLER = Handler(hot=_meter_values, unit=_late_meter_values, fallback={})
