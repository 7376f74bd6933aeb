"""Charging profiles between the wire and the model, for both versions. Pure."""

from __future__ import annotations

from chargepoint_emulator.profiles import RECURRENCES, Kind, Period, Profile, Purpose, Unit
from chargepoint_emulator.wire import (
    JsonObject,
    RpcError,
    Violation,
    instant,
    objects,
    one_of,
    optional,
    required,
)

PURPOSES_16 = {
    "ChargePointMaxProfile": Purpose.STATION_MAX,
    "TxDefaultProfile": Purpose.TX_DEFAULT,
    "TxProfile": Purpose.TX,
}


def purpose_16(word: str) -> Purpose:
    """Return the purpose a 1.6 word names."""
    if word not in PURPOSES_16:
        raise RpcError(Violation.PROPERTY, "chargingProfilePurpose has an unknown value")
    return PURPOSES_16[word]


def profile_16(wire: JsonObject, *, evse_id: int, tx_key: str | None) -> Profile:
    """Read a csChargingProfiles object of 1.6."""
    return _profile(
        wire,
        profile_id=required(wire, "chargingProfileId", int),
        purpose=purpose_16(required(wire, "chargingProfilePurpose", str)),
        schedule=required(wire, "chargingSchedule", dict),
        evse_id=evse_id,
        tx_key=tx_key,
    )


def profile_201(wire: JsonObject, *, evse_id: int, tx_key: str | None) -> Profile:
    """Read a ChargingProfileType of 2.0.1; of several schedules (ISO 15118) the first is taken."""
    schedules = objects(wire, "chargingSchedule")
    if not schedules:
        raise RpcError(Violation.OCCURRENCE, "chargingSchedule is empty")
    return _profile(
        wire,
        profile_id=required(wire, "id", int),
        purpose=one_of(wire, "chargingProfilePurpose", Purpose),
        schedule=schedules[0],
        evse_id=evse_id,
        tx_key=tx_key,
    )


def _profile(
    wire: JsonObject,
    *,
    profile_id: int,
    purpose: Purpose,
    schedule: JsonObject,
    evse_id: int,
    tx_key: str | None,
) -> Profile:
    return Profile(
        profile_id=profile_id,
        evse_id=evse_id,
        stack_level=required(wire, "stackLevel", int),
        purpose=purpose,
        kind=one_of(wire, "chargingProfileKind", Kind),
        unit=one_of(schedule, "chargingRateUnit", Unit),
        periods=tuple(_period(period) for period in objects(schedule, "chargingSchedulePeriod")),
        start_at=instant(schedule, "startSchedule"),
        duration_s=optional(schedule, "duration", int),
        recurrence=RECURRENCES.get(optional(wire, "recurrencyKind", str) or ""),
        valid_from=instant(wire, "validFrom"),
        valid_to=instant(wire, "validTo"),
        tx_key=tx_key if purpose is Purpose.TX else None,
        wire=wire,
    )


def _period(wire: JsonObject) -> Period:
    return Period(
        start_s=required(wire, "startPeriod", int),
        limit=required(wire, "limit", float),
        phases=optional(wire, "numberPhases", int),
    )


def periods_wire(periods: tuple[Period, ...]) -> list[JsonObject]:
    """Return the periods of a composite schedule for the wire."""
    return [
        {"startPeriod": period.start_s, "limit": period.limit}
        | ({"numberPhases": period.phases} if period.phases else {})
        for period in periods
    ]
