"""OCPP 2.0.1 payloads to neutral messages and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

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
    in_order,
    is_of_start,
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
    registers = _registers(samples, phase, received_at)
    evse = wire.inner(payload, "evse")
    fact = TransactionFact(
        phase=phase,
        rank=RANK_OF_STOP if phase is Phase.ENDED else (wire.whole(payload, "seqNo") or 0),
        at=trusted_time(wire.moment(payload.get("timestamp")), received_at),
        received_at=received_at,
        evse_id=wire.whole(evse, "id"),
        connector_id=wire.whole(evse, "connectorId"),
        id_token=badge,
        first_register_wh=registers.first_wh,
        first_read_at=registers.first_read_at,
        last_register_wh=registers.last_wh,
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


class _Registers(NamedTuple):
    """The registers of one event; `first_read_at` as in `TransactionFact`."""

    first_wh: int | None = None
    first_read_at: datetime | None = None
    last_wh: int | None = None


def _registers(samples: tuple[MeterSample, ...], phase: Phase, received_at: datetime) -> _Registers:
    """First and last register of the event, in the order of their own times.

    The start of a charge may be told late: by a reading that calls itself Transaction.Begin, or by none, and
    then the first that comes says nothing of what was delivered before it.
    """
    told = in_order([sample for sample in samples if register_wh(sample) is not None])
    if phase is Phase.STARTED:
        return _Registers(_register(told, 0), None, _register(told, -1))
    begun = [sample for sample in told if is_of_start(sample)]
    later = [sample for sample in told if not is_of_start(sample)]
    if begun:
        return _Registers(_register(begun, 0), None, _register(later, -1))
    if not later or (phase is Phase.ENDED and len(later) == 1):
        return _Registers(last_wh=_register(later, -1))
    return _Registers(_register(later, 0), trusted_time(later[0].at, received_at), _register(later, -1))


def _register(samples: list[MeterSample], position: int) -> int | None:
    return register_wh(samples[position]) if samples else None


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
