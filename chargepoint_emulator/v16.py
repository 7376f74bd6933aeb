"""OCPP 1.6J: how a station words what happens to it, and how it serves the CALLs it receives. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from string import hexdigits

from chargepoint_emulator.authorisation import IdToken, Verdict, id_token
from chargepoint_emulator.configuration import Setting
from chargepoint_emulator.evse import STATUS_16, State
from chargepoint_emulator.metering import Reading, readings
from chargepoint_emulator.profile_wire import periods_wire, profile_16, purpose_16
from chargepoint_emulator.profiles import Unit
from chargepoint_emulator.queue import Message
from chargepoint_emulator.station import ChargingTransaction, Evse, Sample, Start, Station, Stop
from chargepoint_emulator.wire import (
    Answer,
    JsonObject,
    RpcError,
    Violation,
    instant,
    objects,
    one_of,
    optional,
    required,
    stamp,
    texts,
)

STOP_REASONS = {
    Stop.LOCAL: "Local",
    Stop.REMOTE: "Remote",
    Stop.UNPLUGGED: "EVDisconnected",
    Stop.DEAUTHORISED: "DeAuthorized",
    Stop.HARD_RESET: "HardReset",
    Stop.SOFT_RESET: "SoftReset",
    Stop.UNLOCK: "UnlockCommand",
    Stop.POWER_LOSS: "PowerLoss",
    Stop.FAULT: "Other",
}
UNKNOWN_TRANSACTION = -1  # errata: what a station sends when its StartTransaction was never answered
_FIRMWARE_STEPS = ("Downloading", "Downloaded", "Installing", "Installed")
_STEP_S = 20.0


class Dialect16:
    """The words of OCPP 1.6."""

    subprotocol: str = "ocpp1.6"
    status_words: Mapping[State, str] = STATUS_16
    one_profile_per_slot: bool = True

    def boot(self, station: Station, reason: str) -> tuple[str, JsonObject]:
        """Return a BootNotification; 1.6 has no field for the reason."""
        _ = reason
        return "BootNotification", {
            "chargePointVendor": "Emulated",
            "chargePointModel": station.kind.name,
            "chargePointSerialNumber": station.identity[:25],
            "firmwareVersion": station.firmware,
        }

    def heartbeat(self, station: Station) -> tuple[str, JsonObject]:
        """Return a Heartbeat."""
        _ = station
        return "Heartbeat", {}

    def status(self, station: Station, evse: Evse) -> tuple[str, JsonObject]:
        """Return a StatusNotification of a connector."""
        return "StatusNotification", {
            "connectorId": evse.id,
            "errorCode": evse.error_code,
            "status": STATUS_16[evse.state],
            "timestamp": stamp(station.now),
        }

    def station_status(self, station: Station) -> list[tuple[str, JsonObject]]:
        """Return the StatusNotification of the charge point itself (connector 0)."""
        in_service = any(evse.operative for evse in station.evses.values())
        payload: JsonObject = {
            "connectorId": 0,
            "errorCode": "NoError",
            "status": "Available" if in_service else "Unavailable",
            "timestamp": stamp(station.now),
        }
        return [("StatusNotification", payload)]

    def authorise(self, station: Station, token: IdToken) -> tuple[str, JsonObject]:
        """Return an Authorize."""
        _ = station
        return "Authorize", {"idTag": token.value[:20]}

    def verdict(self, result: JsonObject) -> Verdict:
        """Read an idTagInfo out of an answer."""
        info: JsonObject = optional(result, "idTagInfo", dict) or {}
        return Verdict(
            status=optional(info, "status", str) or "Invalid",
            group=optional(info, "parentIdTag", str),
            expires_at=instant(info, "expiryDate"),
        )

    def started(self, station: Station, evse: Evse, start: Start) -> None:
        """Queue a StartTransaction; its answer brings the transaction id."""
        _ = start
        transaction = evse.transaction
        if transaction is None:
            return
        payload: JsonObject = {
            "connectorId": evse.id,
            "idTag": transaction.token.value[:20],
            "meterStart": round(transaction.meter_start_wh),
            "timestamp": stamp(transaction.started_at),
        }
        if transaction.reservation_id is not None:
            payload["reservationId"] = transaction.reservation_id
        station.send(
            "StartTransaction",
            payload,
            tx_key=transaction.key,
            on_result=lambda result: self._start_answered(station, evse, transaction, result),
        )

    def _start_answered(
        self, station: Station, evse: Evse, transaction: ChargingTransaction, result: JsonObject | None
    ) -> None:
        if result is None:
            transaction.wire_id = UNKNOWN_TRANSACTION
            station.wire_ids[transaction.key] = UNKNOWN_TRANSACTION
            return
        wire_id = optional(result, "transactionId", int)
        transaction.wire_id = UNKNOWN_TRANSACTION if wire_id is None else wire_id
        station.wire_ids[transaction.key] = transaction.wire_id
        station.judged(evse, transaction, self.verdict(result))

    def flowing(self, station: Station, evse: Evse) -> None:
        """1.6 tells the flow of energy by StatusNotification alone."""

    def sampled(self, station: Station, evse: Evse, sample: Sample) -> None:
        """Queue a MeterValues; inside a transaction it is kept while offline."""
        transaction = evse.transaction
        names = station.configuration.items("aligned" if sample is Sample.CLOCK else "sampled")
        values = _values(readings(evse.meter, names), sample)
        if not values:
            return
        payload: JsonObject = {
            "connectorId": evse.id,
            "meterValue": [{"timestamp": stamp(station.now), "sampledValue": values}],
        }
        station.send("MeterValues", payload, tx_key=transaction.key if transaction else None)

    def ended(self, station: Station, evse: Evse, stop: Stop, token: IdToken | None) -> None:
        """Queue a StopTransaction."""
        transaction = evse.transaction
        if transaction is None:
            return
        payload: JsonObject = {
            "meterStop": round(evse.energy_wh),
            "timestamp": stamp(station.now),
            "reason": STOP_REASONS[stop],
        }
        if token:
            payload["idTag"] = token.value[:20]
        values = _values(readings(evse.meter, station.configuration.items("stop_sampled")), Sample.END)
        if values:
            payload["transactionData"] = [{"timestamp": stamp(station.now), "sampledValue": values}]
        station.send(
            "StopTransaction",
            payload,
            tx_key=transaction.key,
            on_result=lambda _: station.forget(transaction),
        )

    def reservation_over(self, station: Station, reservation_id: int) -> None:
        """1.6 tells the end of a reservation by the status of the connector."""

    def complete(self, station: Station, message: Message) -> JsonObject:
        """Add the transaction id, unknown when the message was queued before the start was answered."""
        if message.tx_key is None or message.action == "StartTransaction":
            return message.payload
        wire_id = station.wire_ids.get(message.tx_key, UNKNOWN_TRANSACTION)
        return {**message.payload, "transactionId": wire_id}

    def handlers(self) -> Mapping[str, Callable[[Station, JsonObject], Answer]]:
        """Return what serves each CALL."""
        return _HANDLERS


def _values(found: list[Reading], sample: Sample) -> list[JsonObject]:
    return [
        {
            "value": str(reading.value).removesuffix(".0"),
            "context": sample.value,
            "measurand": reading.measurand,
            "unit": reading.unit,
            "location": "EV" if reading.measurand == "SoC" else "Outlet",
        }
        | ({"phase": reading.phase} if reading.phase else {})
        for reading in found
    ]


def _status(status: str, then: Callable[[], object] | None = None) -> Answer:
    return Answer(payload={"status": status}, then=then)


def _accepted_if(good: bool, refusal: str = "Rejected") -> Answer:  # noqa: FBT001 - reads as a sentence
    return _status("Accepted" if good else refusal)


def _change_availability(station: Station, payload: JsonObject) -> Answer:
    status = station.change_availability(
        required(payload, "connectorId", int), operative=required(payload, "type", str) == "Operative"
    )
    return _status(status, station.apply_availability)


def _change_configuration(station: Station, payload: JsonObject) -> Answer:
    setting = station.configuration.by_key(required(payload, "key", str))
    value = required(payload, "value", str)
    if setting is None:
        return _status("NotSupported")
    if not setting.writable or not setting.allows(value):
        return _status("Rejected")
    if setting.name == "password":
        return _status("Accepted", lambda: station.change_secret(key_bytes(value)))
    setting.value = value
    return _status("Accepted", station.rearm_sampling)


def key_bytes(value: str) -> bytes:
    """Return the password an AuthorizationKey stands for: 16 to 20 bytes in hexadecimal, or the text."""
    if len(value) in range(32, 41, 2) and all(character in hexdigits for character in value):
        return bytes.fromhex(value)
    return value.encode()


def _get_configuration(station: Station, payload: JsonObject) -> Answer:
    asked = texts(payload, "key")
    if not asked:
        found = [setting for setting in station.configuration if setting.key_16 and setting.readable]
        return Answer(payload={"configurationKey": [_key(setting) for setting in found]})
    known = {key: station.configuration.by_key(key) for key in asked}
    return Answer(
        payload={
            "configurationKey": [_key(one) for one in known.values() if one and one.readable],
            "unknownKey": [key for key, one in known.items() if one is None],
        }
    )


def _key(setting: Setting) -> JsonObject:
    return {"key": setting.key_16, "readonly": not setting.writable, "value": setting.value[:500]}


def _clear_cache(station: Station, _: JsonObject) -> Answer:
    station.local.clear_cache()
    return _status("Accepted")


def _data_transfer(_station: Station, payload: JsonObject) -> Answer:
    required(payload, "vendorId", str)
    return _status("UnknownVendorId")


def _remote_start(station: Station, payload: JsonObject) -> Answer:
    token = id_token(required(payload, "idTag", str))
    wire = optional(payload, "chargingProfile", dict)
    profile = profile_16(wire, evse_id=1, tx_key="") if wire else None
    then = station.remote_start(optional(payload, "connectorId", int), token, profile=profile)
    return _status("Accepted", then) if then else _status("Rejected")


def _remote_stop(station: Station, payload: JsonObject) -> Answer:
    evse = station.running_transaction(required(payload, "transactionId", int))
    if evse is None:
        return _status("Rejected")
    return _status("Accepted", lambda: station.stop(evse, Stop.REMOTE))


def _reset(station: Station, payload: JsonObject) -> Answer:
    hard = required(payload, "type", str) == "Hard"
    return _status("Accepted", lambda: station.reset(hard=hard))


def _unlock(station: Station, payload: JsonObject) -> Answer:
    evse = station.evses.get(required(payload, "connectorId", int))
    if evse is None:
        return _status("NotSupported")
    return _status("Unlocked", lambda: station.stop(evse, Stop.UNLOCK))


def _get_diagnostics(station: Station, payload: JsonObject) -> Answer:
    required(payload, "location", str)

    def tell() -> None:
        station.send("DiagnosticsStatusNotification", {"status": "Uploading"})
        station.after(_STEP_S, "diagnostics", lambda: _tell(station, "Uploaded"))

    return Answer(payload={"fileName": f"{station.identity}-diagnostics.txt"[:255]}, then=tell)


def _tell(station: Station, status: str) -> None:
    station.send("DiagnosticsStatusNotification", {"status": status})


def _update_firmware(station: Station, payload: JsonObject) -> Answer:
    required(payload, "location", str)
    wait_s = _seconds_until(station, payload, "retrieveDate")
    return Answer(payload={}, then=lambda: _firmware_steps(station, wait_s, "FirmwareStatusNotification", {}))


def _seconds_until(station: Station, payload: JsonObject, key: str) -> float:
    at = instant(payload, key)
    return max(0.0, (at - station.now).total_seconds()) if at else 0.0


def _firmware_steps(station: Station, wait_s: float, action: str, more: JsonObject) -> None:
    for position, status in enumerate(_FIRMWARE_STEPS):
        station.after(
            wait_s + position * _STEP_S,
            f"firmware-{status}",
            lambda status=status: station.send(action, {"status": status, **more}),  # type: ignore[misc]
        )


def _list_version(station: Station, _: JsonObject) -> Answer:
    return Answer(payload={"listVersion": station.local.version})


def _send_local_list(station: Station, payload: JsonObject) -> Answer:
    full = required(payload, "updateType", str) == "Full"
    entries = objects(payload, "localAuthorizationList") if "localAuthorizationList" in payload else []
    dialect = Dialect16()
    updated = station.local.update(
        version=required(payload, "listVersion", int),
        full=full,
        entries=[
            (
                id_token(required(entry, "idTag", str)),
                dialect.verdict(entry) if "idTagInfo" in entry else None,
            )
            for entry in entries
        ],
    )
    return _accepted_if(updated, "Failed" if full else "VersionMismatch")


def _reserve_now(station: Station, payload: JsonObject) -> Answer:
    until = instant(payload, "expiryDate")
    if until is None:
        raise RpcError(Violation.OCCURRENCE, "expiryDate is missing")
    return _status(
        station.reserve(
            required(payload, "connectorId", int),
            reservation_id=required(payload, "reservationId", int),
            token=id_token(required(payload, "idTag", str)),
            group=optional(payload, "parentIdTag", str),
            until=until,
        )
    )


def _cancel_reservation(station: Station, payload: JsonObject) -> Answer:
    return _accepted_if(station.cancel_reservation(required(payload, "reservationId", int)))


def _set_profile(station: Station, payload: JsonObject) -> Answer:
    evse_id = required(payload, "connectorId", int)
    wire = required(payload, "csChargingProfiles", dict)
    profile = profile_16(wire, evse_id=evse_id, tx_key=_tx_key(station, evse_id, wire))
    return _accepted_if(station.install_profile(profile) is None)


def _tx_key(station: Station, evse_id: int, wire: JsonObject) -> str | None:
    """Return the key of the transaction on the connector, unless the profile names another one."""
    evse = station.evses.get(evse_id)
    named = optional(wire, "transactionId", int)
    if evse is None or evse.transaction is None:
        return None
    return evse.transaction.key if named in {None, evse.transaction.wire_id} else None


def _clear_profile(station: Station, payload: JsonObject) -> Answer:
    profile_id = optional(payload, "id", int)
    purpose = optional(payload, "chargingProfilePurpose", str)
    cleared = station.clear_profiles(
        profile_ids=None if profile_id is None else (profile_id,),
        evse_id=optional(payload, "connectorId", int),
        purpose=purpose_16(purpose) if purpose else None,
        stack_level=optional(payload, "stackLevel", int),
    )
    return _accepted_if(cleared, "Unknown")


def _composite(station: Station, payload: JsonObject) -> Answer:
    evse_id = required(payload, "connectorId", int)
    duration_s = required(payload, "duration", int)
    unit = one_of(payload, "chargingRateUnit", Unit) if "chargingRateUnit" in payload else _unit(station)
    allowed = station.personality.capabilities.units
    if evse_id not in {0, *station.evses} or unit not in allowed or duration_s < 0:
        return _status("Rejected")
    start = stamp(station.now)
    return Answer(
        payload={
            "status": "Accepted",
            "connectorId": evse_id,
            "scheduleStart": start,
            "chargingSchedule": {
                "duration": duration_s,
                "startSchedule": start,
                "chargingRateUnit": unit.value,
                "chargingSchedulePeriod": periods_wire(
                    station.composite(evse_id, duration_s=duration_s, unit=unit)
                ),
            },
        }
    )


def _unit(station: Station) -> Unit:
    return min(station.personality.capabilities.units)


def _trigger(station: Station, payload: JsonObject) -> Answer:
    wanted = required(payload, "requestedMessage", str)
    evse_id = optional(payload, "connectorId", int)
    if evse_id is not None and evse_id not in {0, *station.evses}:
        return _status("Rejected")
    action = _TRIGGERS.get(wanted)
    if action is None:
        return _status("NotImplemented")
    return _status("Accepted", lambda: action(station, evse_id))


def _asked(station: Station, evse_id: int | None) -> list[Evse]:
    return [station.evses[evse_id]] if evse_id else list(station.evses.values())


def _trigger_status(station: Station, evse_id: int | None) -> None:
    if not evse_id:
        for action, payload in Dialect16().station_status(station):
            station.send(action, payload)
    if evse_id != 0:
        for evse in _asked(station, evse_id):
            station.send(*Dialect16().status(station, evse))


def _trigger_meter(station: Station, evse_id: int | None) -> None:
    for evse in _asked(station, evse_id):
        Dialect16().sampled(station, evse, Sample.TRIGGER)


_TRIGGERS: dict[str, Callable[[Station, int | None], object]] = {
    "BootNotification": lambda station, _: station.boot("Triggered"),
    "Heartbeat": lambda station, _: station.send(*Dialect16().heartbeat(station)),
    "StatusNotification": _trigger_status,
    "MeterValues": _trigger_meter,
    "DiagnosticsStatusNotification": lambda station, _: _tell(station, "Idle"),
    "LogStatusNotification": lambda station, _: station.send("LogStatusNotification", {"status": "Idle"}),
    "FirmwareStatusNotification": lambda station, _: station.send(
        "FirmwareStatusNotification", {"status": "Idle"}
    ),
}


def _get_log(station: Station, payload: JsonObject) -> Answer:
    request_id = required(payload, "requestId", int)

    def tell(status: str) -> None:
        station.send("LogStatusNotification", {"status": status, "requestId": request_id})

    def upload() -> None:
        tell("Uploading")
        station.after(_STEP_S, "log", lambda: tell("Uploaded"))

    return Answer(
        payload={"status": "Accepted", "filename": f"{station.identity}-log.txt"[:255]}, then=upload
    )


def _signed_update(station: Station, payload: JsonObject) -> Answer:
    request_id = required(payload, "requestId", int)
    wait_s = _seconds_until(station, required(payload, "firmware", dict), "retrieveDateTime")
    return _status(
        "Accepted",
        lambda: _firmware_steps(
            station, wait_s, "SignedFirmwareStatusNotification", {"requestId": request_id}
        ),
    )


def _always(status: str) -> Callable[[Station, JsonObject], Answer]:
    """Return a handler for what this station has no store for (certificates)."""
    return lambda _station, _payload: _status(status)


_HANDLERS: dict[str, Callable[[Station, JsonObject], Answer]] = {
    "CancelReservation": _cancel_reservation,
    "CertificateSigned": _always("Rejected"),
    "ChangeAvailability": _change_availability,
    "ChangeConfiguration": _change_configuration,
    "ClearCache": _clear_cache,
    "ClearChargingProfile": _clear_profile,
    "DataTransfer": _data_transfer,
    "DeleteCertificate": _always("NotFound"),
    "ExtendedTriggerMessage": _trigger,
    "GetCompositeSchedule": _composite,
    "GetConfiguration": _get_configuration,
    "GetDiagnostics": _get_diagnostics,
    "GetInstalledCertificateIds": _always("NotFound"),
    "GetLocalListVersion": _list_version,
    "GetLog": _get_log,
    "InstallCertificate": _always("Rejected"),
    "RemoteStartTransaction": _remote_start,
    "RemoteStopTransaction": _remote_stop,
    "ReserveNow": _reserve_now,
    "Reset": _reset,
    "SendLocalList": _send_local_list,
    "SetChargingProfile": _set_profile,
    "SignedUpdateFirmware": _signed_update,
    "TriggerMessage": _trigger,
    "UnlockConnector": _unlock,
    "UpdateFirmware": _update_firmware,
}
