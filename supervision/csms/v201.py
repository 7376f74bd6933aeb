"""OCPP 2.0.1 payloads to neutral messages and back."""

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
    MeterSample,
    Phase,
    StatusReport,
    TransactionEvent,
    TransactionFact,
    register_wh,
    trusted_time,
)
from supervision.kernel.errors import FieldError
from supervision.kernel.timespan import format_instant

Payload = Mapping[str, Any]


def boot(payload: Payload) -> Boot:
    """Read BootNotificationRequest."""
    station = wire.inner(payload, "chargingStation")
    return Boot(
        vendor=wire.text(station, "vendorName") or "",
        model=wire.text(station, "model") or "",
        serial=wire.text(station, "serialNumber"),
        firmware=wire.text(station, "firmwareVersion"),
        reason=wire.text(payload, "reason"),
    )


def status(payload: Payload) -> StatusReport:
    """Read StatusNotificationRequest."""
    return StatusReport(
        evse_id=wire.whole(payload, "evseId") or 0,
        connector_id=wire.whole(payload, "connectorId") or 1,
        status=ConnectorStatus(wire.required_text(payload, "connectorStatus")),
        error_code=None,
        at=wire.moment(payload.get("timestamp")),
    )


def token(payload: Payload) -> tuple[str | None, str | None]:
    """The badge and its type; an empty token comes with type NoAuthorization."""
    told = wire.inner(payload, "idToken")
    return wire.text(told, "idToken"), wire.text(told, "type")


def transaction_event(payload: Payload, received_at: datetime) -> TransactionEvent:
    """Read TransactionEventRequest; FieldError without a charging transaction id or an event type."""
    info = wire.inner(payload, "transactionInfo")
    badge, token_type = token(payload)
    samples = wire.samples(payload.get("meterValue"))
    phase = _phase(payload)
    first, last = _registers(samples, phase)
    evse = wire.inner(payload, "evse")
    fact = TransactionFact(
        phase=phase,
        rank=RANK_OF_STOP if phase is Phase.ENDED else (wire.whole(payload, "seqNo") or 0),
        at=trusted_time(wire.moment(payload.get("timestamp")), received_at),
        received_at=received_at,
        evse_id=wire.whole(evse, "id"),
        connector_id=wire.whole(evse, "connectorId"),
        id_token=badge,
        first_register_wh=first,
        last_register_wh=last,
        charging_state=wire.text(info, "chargingState"),
        stop_reason=_stop_reason(info, phase),
        offline=payload.get("offline") is True,
    )
    return TransactionEvent(
        ocpp_transaction_id=wire.required_text(info, "transactionId"),
        fact=fact,
        token_type=token_type,
        samples=samples,
    )


def sequence_number(payload: Payload) -> int:
    """The seqNo; 0 when missing."""
    return wire.whole(payload, "seqNo") or 0


def _phase(payload: Payload) -> Phase:
    try:
        return Phase(wire.required_text(payload, "eventType"))
    except ValueError:
        raise FieldError("eventType", "not Started, Updated or Ended") from None


def _stop_reason(info: Payload, phase: Phase) -> str | None:
    """2.0.1 E06: an absent stoppedReason means Local."""
    return (wire.text(info, "stoppedReason") or "Local") if phase is Phase.ENDED else None


def _registers(samples: tuple[MeterSample, ...], phase: Phase) -> tuple[int | None, int | None]:
    """First and last register of the event, in the order of their own times."""
    registers = [(sample.at, register) for sample in samples if (register := register_wh(sample)) is not None]
    if not registers:
        return None, None
    if all(at is not None for at, _ in registers):
        registers.sort(key=lambda entry: entry[0] or _NEVER)
    if phase is Phase.ENDED and len(registers) == 1:
        return None, registers[0][1]
    return registers[0][1], registers[-1][1]


_NEVER = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def meter_values(payload: Payload) -> MeterReport:
    """Read MeterValuesRequest: readings outside any charging transaction."""
    evse_id = wire.whole(payload, "evseId")
    if evse_id is None or evse_id < 0:
        raise FieldError("evseId", "missing or negative")
    return MeterReport(
        evse_id=evse_id, ocpp_transaction_id=None, samples=wire.samples(payload.get("meterValue"))
    )


def boot_answer(
    now: datetime, interval_s: int, registration: Registration = Registration.ACCEPTED
) -> dict[str, Any]:
    """Write BootNotificationResponse."""
    return {"currentTime": format_instant(now), "interval": interval_s, "status": registration.value}


def id_token_info(decision: IdTokenDecision) -> dict[str, Any]:
    """Write IdTokenInfo."""
    info: dict[str, Any] = {"status": decision.status.value}
    if decision.parent is not None:
        info["groupIdToken"] = {"idToken": decision.parent, "type": "Central"}
    if decision.expires_at is not None:
        info["cacheExpiryDateTime"] = format_instant(decision.expires_at)
    return info
