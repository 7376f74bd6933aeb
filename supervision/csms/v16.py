"""OCPP 1.6 payloads to neutral messages and back. Connector n is EVSE n; 0 is the whole station."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from supervision.csms import wire
from supervision.csms.holding import Registration
from supervision.csms.model import (
    RANK_OF_STOP,
    Boot,
    ConnectorStatus,
    IdTokenDecision,
    MeterReport,
    Phase,
    StatusReport,
    TransactionFact,
    is_of_start,
    register_wh,
    trusted_time,
)
from supervision.kernel.errors import FieldError
from supervision.kernel.timespan import format_instant

Payload = Mapping[str, Any]
_MAX_TRANSACTION_ID = 2**31 - 1


def boot(payload: Payload) -> Boot:
    """Read BootNotification.req."""
    return Boot(
        vendor=wire.text(payload, "chargePointVendor") or "",
        model=wire.text(payload, "chargePointModel") or "",
        serial=wire.text(payload, "chargePointSerialNumber") or wire.text(payload, "chargeBoxSerialNumber"),
        firmware=wire.text(payload, "firmwareVersion"),
    )


def status(payload: Payload) -> StatusReport:
    """Read StatusNotification.req."""
    error = wire.text(payload, "errorCode")
    return StatusReport(
        evse_id=wire.whole(payload, "connectorId") or 0,
        connector_id=1,
        status=ConnectorStatus(wire.required_text(payload, "status")),
        error_code=None if error == "NoError" else error,
        at=wire.moment(payload.get("timestamp")),
    )


def id_tag(payload: Payload) -> str | None:
    """The badge of Authorize, StartTransaction and StopTransaction."""
    return wire.text(payload, "idTag")


def connector(payload: Payload) -> int:
    """The EVSE a message is about; FieldError when it names none."""
    number = wire.whole(payload, "connectorId")
    if number is None or number < 0:
        raise FieldError("connectorId", "missing or negative")
    return number


def start(payload: Payload, received_at: datetime) -> TransactionFact:
    """Read StartTransaction.req; a missing meterStart is left to the review, not refused."""
    meter = wire.whole(payload, "meterStart")
    return TransactionFact(
        phase=Phase.STARTED,
        rank=0,
        at=trusted_time(wire.moment(payload.get("timestamp")), received_at),
        received_at=received_at,
        evse_id=connector(payload),
        connector_id=1,
        id_token=id_tag(payload),
        first_register_wh=meter,
        last_register_wh=meter,
    )


def natural_key_of_start(payload: Payload) -> str:
    """What makes a repeated start the same start; 1.6 has no id of its own for that."""
    fields = ("connectorId", "idTag", "timestamp", "meterStart")
    return "1.6|" + "|".join(str(payload.get(field, "")) for field in fields)


def natural_key_of_stop(payload: Payload) -> str:
    """What makes a repeated stop of an unknown charge the same stop."""
    fields = ("transactionId", "timestamp", "meterStop")
    return "1.6 stop|" + "|".join(str(payload.get(field, "")) for field in fields)


def transaction_id(payload: Payload) -> int | None:
    """The id we gave; None for 0, negative and missing ones, which several stations send."""
    number = wire.whole(payload, "transactionId")
    return number if number is not None and 0 < number <= _MAX_TRANSACTION_ID else None


def stop(payload: Payload, received_at: datetime) -> TransactionFact:
    """Read StopTransaction.req; meterStop is the final register whatever transactionData says."""
    begin = _begin_register(payload)
    return TransactionFact(
        phase=Phase.ENDED,
        rank=RANK_OF_STOP,
        at=trusted_time(wire.moment(payload.get("timestamp")), received_at),
        received_at=received_at,
        id_token=id_tag(payload),
        first_register_wh=begin,
        last_register_wh=wire.whole(payload, "meterStop"),
        stop_reason=wire.text(payload, "reason") or "Local",  # 1.6 6.49: absent means Local
    )


def _begin_register(payload: Payload) -> int | None:
    """The register marked Transaction.Begin in transactionData: saves a charge whose start was lost."""
    for sample in wire.samples(payload.get("transactionData")):
        if is_of_start(sample):
            return register_wh(sample)
    return None


def meter_values(payload: Payload) -> MeterReport:
    """Read MeterValues.req."""
    number = transaction_id(payload)
    return MeterReport(
        evse_id=connector(payload),
        ocpp_transaction_id=None if number is None else str(number),
        samples=wire.samples(payload.get("meterValue")),
    )


def boot_answer(
    now: datetime, interval_s: int, registration: Registration = Registration.ACCEPTED
) -> dict[str, Any]:
    """Write BootNotification.conf."""
    return {"currentTime": format_instant(now), "interval": interval_s, "status": registration.value}


def id_tag_info(decision: IdTokenDecision) -> dict[str, Any]:
    """Write IdTagInfo; 1.6 parents are at most 20 characters."""
    info: dict[str, Any] = {"status": decision.status.value}
    if decision.parent is not None and len(decision.parent) <= 20:  # noqa: PLR2004
        info["parentIdTag"] = decision.parent
    if decision.expires_at is not None:
        info["expiryDate"] = format_instant(decision.expires_at)
    return info
