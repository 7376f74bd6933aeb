"""OCPP 2.0.1: how a station words what happens to it, and how it serves the CALLs it receives. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby

from chargepoint_emulator.authorisation import IdToken, Verdict
from chargepoint_emulator.configuration import Variable
from chargepoint_emulator.device_model import Row, component_key, rows, variable_key
from chargepoint_emulator.evse import CHARGING_STATE_201, STATUS_201, State
from chargepoint_emulator.metering import Reading, readings
from chargepoint_emulator.profile_wire import periods_wire, profile_201
from chargepoint_emulator.profiles import Kind, Profile, Purpose, Unit
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
)

_TRIGGER_OF_START = {Start.BADGE: "Authorized", Start.CABLE: "CablePluggedIn", Start.REMOTE: "RemoteStart"}
_END_WORDS = {  # triggerReason, stoppedReason
    Stop.LOCAL: ("StopAuthorized", "Local"),
    Stop.REMOTE: ("RemoteStop", "Remote"),
    Stop.UNPLUGGED: ("EVDeparted", "EVDisconnected"),
    Stop.DEAUTHORISED: ("Deauthorized", "DeAuthorized"),
    Stop.HARD_RESET: ("ResetCommand", "ImmediateReset"),
    Stop.SOFT_RESET: ("ResetCommand", "Reboot"),
    Stop.UNLOCK: ("UnlockCommand", "Other"),
    Stop.POWER_LOSS: ("AbnormalCondition", "PowerLoss"),
    Stop.FAULT: ("AbnormalCondition", "Other"),
}
_FIRMWARE_STEPS = ("Downloading", "Downloaded", "Installing", "Installed")
_STEP_S = 20.0
_PAGE = 20


class Dialect201:
    """The words of OCPP 2.0.1."""

    subprotocol: str = "ocpp2.0.1"
    status_words: Mapping[State, str] = STATUS_201
    one_profile_per_slot: bool = False

    def boot(self, station: Station, reason: str) -> tuple[str, JsonObject]:
        """Return a BootNotification."""
        return "BootNotification", {
            "reason": reason,
            "chargingStation": {
                "vendorName": "Emulated",
                "model": station.kind.name,
                "serialNumber": station.identity[:25],
                "firmwareVersion": station.firmware,
            },
        }

    def heartbeat(self, station: Station) -> tuple[str, JsonObject]:
        """Return a Heartbeat."""
        _ = station
        return "Heartbeat", {}

    def status(self, station: Station, evse: Evse) -> tuple[str, JsonObject]:
        """Return a StatusNotification of the connector of an EVSE."""
        return "StatusNotification", {
            "timestamp": stamp(station.now),
            "connectorStatus": STATUS_201[evse.state],
            "evseId": evse.id,
            "connectorId": 1,
        }

    def station_status(self, station: Station) -> list[tuple[str, JsonObject]]:
        """2.0.1 has no status of the station itself."""
        _ = station
        return []

    def authorise(self, station: Station, token: IdToken) -> tuple[str, JsonObject]:
        """Return an Authorize."""
        _ = station
        return "Authorize", {"idToken": _token_wire(token)}

    def verdict(self, result: JsonObject) -> Verdict:
        """Read an idTokenInfo out of an answer."""
        info: JsonObject = optional(result, "idTokenInfo", dict) or {}
        group: JsonObject = optional(info, "groupIdToken", dict) or {}
        return Verdict(
            status=optional(info, "status", str) or "Invalid",
            group=optional(group, "idToken", str),
            expires_at=instant(info, "cacheExpiryDateTime"),
        )

    def started(self, station: Station, evse: Evse, start: Start) -> None:
        """Queue the first TransactionEvent; the station names the transaction itself."""
        transaction = evse.transaction
        if transaction is None:
            return
        transaction.wire_id = transaction.key
        more: JsonObject = {
            "evse": {"id": evse.id, "connectorId": 1},
            "idToken": _token_wire(transaction.token),
        }
        if transaction.reservation_id is not None:
            more["reservationId"] = transaction.reservation_id
        info: JsonObject = {"chargingState": CHARGING_STATE_201[evse.state]}
        if transaction.remote_start_id is not None:
            info["remoteStartId"] = transaction.remote_start_id
        transaction.reported = info["chargingState"]
        self._tell(
            station,
            evse,
            transaction,
            "Started",
            _TRIGGER_OF_START[start],
            info=info,
            more={**more, **_meter(station, evse, "sampled_start", Sample.BEGIN)},
        )

    def flowing(self, station: Station, evse: Evse) -> None:
        """Queue an event when the charging state has changed."""
        transaction = evse.transaction
        state = CHARGING_STATE_201.get(evse.state)
        if transaction and state and state != transaction.reported:
            transaction.reported = state
            self._tell(
                station, evse, transaction, "Updated", "ChargingStateChanged", info={"chargingState": state}
            )

    def sampled(self, station: Station, evse: Evse, sample: Sample) -> None:
        """Queue meter values: as an event inside a transaction, else as MeterValues."""
        source = "aligned" if sample is Sample.CLOCK else "sampled"
        values = _meter(station, evse, source, sample)
        if not values:
            return
        if evse.transaction and sample is not Sample.TRIGGER:
            trigger = "MeterValueClock" if sample is Sample.CLOCK else "MeterValuePeriodic"
            self._tell(station, evse, evse.transaction, "Updated", trigger, more=values)
        else:
            station.send("MeterValues", {"evseId": evse.id, **values})

    def triggered(self, station: Station, evse: Evse) -> None:
        """Queue the event TriggerMessage asked for."""
        if evse.transaction:
            self._tell(
                station,
                evse,
                evse.transaction,
                "Updated",
                "Trigger",
                info={"chargingState": CHARGING_STATE_201[evse.state]},
                more=_meter(station, evse, "sampled", Sample.TRIGGER),
            )

    def ended(self, station: Station, evse: Evse, stop: Stop, token: IdToken | None) -> None:
        """Queue the last event of a transaction."""
        transaction = evse.transaction
        if transaction is None:
            return
        trigger, reason = _END_WORDS[stop]
        more = _meter(station, evse, "sampled_end", Sample.END)
        if token:
            more = {**more, "idToken": _token_wire(token)}
        state = "Idle" if stop is Stop.UNPLUGGED else "EVConnected"
        info = {"stoppedReason": reason, "chargingState": state}
        self._tell(station, evse, transaction, "Ended", trigger, info=info, more=more)

    def _tell(
        self,
        station: Station,
        evse: Evse,
        transaction: ChargingTransaction,
        event_type: str,
        trigger: str,
        *,
        info: JsonObject | None = None,
        more: JsonObject | None = None,
    ) -> None:
        payload: JsonObject = {
            "eventType": event_type,
            "timestamp": stamp(station.now),
            "triggerReason": trigger,
            "seqNo": transaction.seq_no,
            "transactionInfo": {"transactionId": transaction.key, **(info or {})},
            **(more or {}),
        }
        if not station.online:
            payload["offline"] = True
        transaction.seq_no += 1
        station.send(
            "TransactionEvent",
            payload,
            tx_key=transaction.key,
            on_result=lambda result: self._answered(station, evse, transaction, result),
        )

    def _answered(
        self, station: Station, evse: Evse, transaction: ChargingTransaction, result: JsonObject | None
    ) -> None:
        if result is None:
            return
        transaction.total_cost = optional(result, "totalCost", float)
        if "idTokenInfo" in result:
            station.judged(evse, transaction, self.verdict(result))

    def reservation_over(self, station: Station, reservation_id: int) -> None:
        """Tell that a reservation has expired."""
        station.send(
            "ReservationStatusUpdate",
            {"reservationId": reservation_id, "reservationUpdateStatus": "Expired"},
        )

    def complete(self, station: Station, message: Message) -> JsonObject:
        """Return the payload: in 2.0.1 everything is known when a message is queued."""
        _ = station
        return message.payload

    def handlers(self) -> Mapping[str, Callable[[Station, JsonObject], Answer]]:
        """Return what serves each CALL."""
        return _HANDLERS


def _token_wire(token: IdToken) -> JsonObject:
    return {"idToken": token.value, "type": token.kind}


def _token(payload: JsonObject, key: str) -> IdToken:
    wire = required(payload, key, dict)
    return IdToken(value=required(wire, "idToken", str), kind=required(wire, "type", str))


def _group(payload: JsonObject) -> str | None:
    group = optional(payload, "groupIdToken", dict)
    return required(group, "idToken", str) if group else None


def _meter(station: Station, evse: Evse, source: str, sample: Sample) -> JsonObject:
    found = readings(evse.meter, station.configuration.items(source))
    if not found or not station.personality.reports_meter:
        return {}
    return {
        "meterValue": [
            {"timestamp": stamp(station.now), "sampledValue": [_value(one, sample) for one in found]}
        ]
    }


def _value(reading: Reading, sample: Sample) -> JsonObject:
    wire: JsonObject = {
        "value": reading.value,
        "context": sample.value,
        "measurand": reading.measurand,
        "location": "EV" if reading.measurand == "SoC" else "Outlet",
        "unitOfMeasure": {"unit": reading.unit},
    }
    if reading.phase:
        wire["phase"] = reading.phase
    return wire


def _status(status: str, then: Callable[[], object] | None = None, *, why: str | None = None) -> Answer:
    payload: JsonObject = {"status": status}
    if why:
        payload["statusInfo"] = {"reasonCode": why[:20]}
    return Answer(payload=payload, then=then)


def _always(status: str) -> Callable[[Station, JsonObject], Answer]:
    """Return a handler for what this station lacks (certificates, a screen, monitors)."""
    return lambda _station, _payload: _status(status)


# -- provisioning -----------------------------------------------------------------------------------------


def _get_variables(station: Station, payload: JsonObject) -> Answer:
    asked = objects(payload, "getVariableData")
    _check_count(asked, station.configuration.number("get_items"))
    model = list(rows(station))
    return Answer(payload={"getVariableResult": [_read(model, one) for one in asked]})


def _check_count(asked: list[JsonObject], most: int) -> None:
    if not 0 < len(asked) <= most:
        raise RpcError(Violation.OCCURRENCE, f"between 1 and {most} items are taken")


def _read(model: list[Row], asked: JsonObject) -> JsonObject:
    component, variable = required(asked, "component", dict), required(asked, "variable", dict)
    attribute = optional(asked, "attributeType", str) or "Actual"
    answer: JsonObject = {"component": component, "variable": variable, "attributeType": attribute}
    of_component = [row for row in model if component_key(row.component) == component_key(component)]
    row = next((row for row in of_component if variable_key(row.variable) == variable_key(variable)), None)
    if row is None:
        return {**answer, "attributeStatus": "UnknownVariable" if of_component else "UnknownComponent"}
    if attribute != "Actual":
        return {**answer, "attributeStatus": "NotSupportedAttributeType"}
    if row.mutability == "WriteOnly":
        return {**answer, "attributeStatus": "Rejected"}
    return {**answer, "attributeStatus": "Accepted", "attributeValue": row.value}


def _set_variables(station: Station, payload: JsonObject) -> Answer:
    asked = objects(payload, "setVariableData")
    _check_count(asked, station.configuration.number("set_items"))
    results = [_write(station, one) for one in asked]
    return Answer(payload={"setVariableResult": results}, then=station.rearm_sampling)


def _write(station: Station, asked: JsonObject) -> JsonObject:
    component, variable = required(asked, "component", dict), required(asked, "variable", dict)
    attribute = optional(asked, "attributeType", str) or "Actual"
    answer: JsonObject = {"component": component, "variable": variable, "attributeType": attribute}
    return {**answer, "attributeStatus": _write_status(station, asked, component, variable, attribute)}


def _write_status(
    station: Station, asked: JsonObject, component: JsonObject, variable: JsonObject, attribute: str
) -> str:
    name = required(component, "name", str)
    setting = station.configuration.by_variable(
        Variable(
            component=name,
            name=required(variable, "name", str),
            instance=optional(variable, "instance", str),
        )
    )
    if setting is None:
        return "UnknownVariable" if station.configuration.has_component(name) else "UnknownComponent"
    if attribute != "Actual":
        return "NotSupportedAttributeType"
    value = required(asked, "attributeValue", str)
    if not setting.writable or not setting.allows(value):
        return "Rejected"
    if setting.name == "password":
        station.change_secret(value.encode())
    else:
        setting.value = value
    return "Accepted"


def _get_base_report(station: Station, payload: JsonObject) -> Answer:
    request_id = required(payload, "requestId", int)
    base = required(payload, "reportBase", str)
    if base not in {"ConfigurationInventory", "FullInventory", "SummaryInventory"}:
        return _status("NotSupported")
    chosen = [row for row in rows(station) if base == "FullInventory" or row.mutability != "ReadOnly"]
    return _status("Accepted", lambda: _notify_report(station, request_id, chosen))


def _get_report(station: Station, payload: JsonObject) -> Answer:
    request_id = required(payload, "requestId", int)
    wanted = objects(payload, "componentVariable") if "componentVariable" in payload else None
    chosen = [row for row in rows(station) if wanted is None or any(_asked(row, one) for one in wanted)]
    if not chosen:
        return _status("EmptyResultSet")
    return _status("Accepted", lambda: _notify_report(station, request_id, chosen))


def _asked(row: Row, wanted: JsonObject) -> bool:
    variable = optional(wanted, "variable", dict)
    same = component_key(row.component) == component_key(required(wanted, "component", dict))
    return same and (variable is None or variable_key(row.variable) == variable_key(variable))


def _notify_report(station: Station, request_id: int, chosen: list[Row]) -> None:
    pages = [chosen[first : first + _PAGE] for first in range(0, len(chosen), _PAGE)]
    for number, page in enumerate(pages):
        station.send(
            "NotifyReport",
            {
                "requestId": request_id,
                "generatedAt": stamp(station.now),
                "seqNo": number,
                "tbc": number + 1 < len(pages),
                "reportData": [row.report() for row in page],
            },
        )


def _reset(station: Station, payload: JsonObject) -> Answer:
    evse_id = optional(payload, "evseId", int)
    if evse_id is not None and evse_id not in station.evses:
        return _status("Rejected", why="UnknownEvse")
    if required(payload, "type", str) == "Immediate":
        return _status("Accepted", lambda: station.reset(hard=True, evse_id=evse_id))
    busy = any(evse.transaction for evse in station.evses.values())
    return _status("Scheduled" if busy else "Accepted", station.reset_when_idle)


def _change_availability(station: Station, payload: JsonObject) -> Answer:
    evse = optional(payload, "evse", dict)
    status = station.change_availability(
        required(evse, "id", int) if evse else 0,
        operative=required(payload, "operationalStatus", str) == "Operative",
    )
    return _status(status, station.apply_availability)


def _trigger(station: Station, payload: JsonObject) -> Answer:
    wanted = required(payload, "requestedMessage", str)
    place = optional(payload, "evse", dict)
    evse_id = required(place, "id", int) if place else None
    if evse_id and evse_id not in station.evses:
        return _status("Rejected", why="UnknownEvse")
    evses = [station.evses[evse_id]] if evse_id else list(station.evses.values())
    if wanted == "TransactionEvent" and not any(evse.transaction for evse in evses):
        return _status("Rejected", why="NoTransaction")
    action = _TRIGGERS.get(wanted)
    return _status("Accepted", lambda: action(station, evses)) if action else _status("NotImplemented")


def _trigger_each(tell: Callable[[Station, Evse], object]) -> Callable[[Station, list[Evse]], object]:
    return lambda station, evses: [tell(station, evse) for evse in evses]


_TRIGGERS: dict[str, Callable[[Station, list[Evse]], object]] = {
    "BootNotification": lambda station, _: station.boot("Triggered"),
    "Heartbeat": lambda station, _: station.send("Heartbeat", {}),
    "StatusNotification": _trigger_each(
        lambda station, evse: station.send(*Dialect201().status(station, evse))
    ),
    "MeterValues": _trigger_each(lambda station, evse: Dialect201().sampled(station, evse, Sample.TRIGGER)),
    "TransactionEvent": _trigger_each(lambda station, evse: Dialect201().triggered(station, evse)),
    "LogStatusNotification": lambda station, _: station.send("LogStatusNotification", {"status": "Idle"}),
    "FirmwareStatusNotification": lambda station, _: station.send(
        "FirmwareStatusNotification", {"status": "Idle"}
    ),
}


# -- authorisation and transactions -----------------------------------------------------------------------


def _clear_cache(station: Station, _: JsonObject) -> Answer:
    station.local.clear_cache()
    return _status("Accepted")


def _list_version(station: Station, _: JsonObject) -> Answer:
    return Answer(payload={"versionNumber": station.local.version})


def _send_local_list(station: Station, payload: JsonObject) -> Answer:
    full = required(payload, "updateType", str) == "Full"
    entries = objects(payload, "localAuthorizationList") if "localAuthorizationList" in payload else []
    updated = station.local.update(
        version=required(payload, "versionNumber", int),
        full=full,
        entries=[
            (_token(entry, "idToken"), Dialect201().verdict(entry) if "idTokenInfo" in entry else None)
            for entry in entries
        ],
    )
    return _status("Accepted" if updated else "Failed" if full else "VersionMismatch")


def _request_start(station: Station, payload: JsonObject) -> Answer:
    wire = optional(payload, "chargingProfile", dict)
    then = station.remote_start(
        optional(payload, "evseId", int),
        _token(payload, "idToken"),
        group=_group(payload),
        remote_start_id=required(payload, "remoteStartId", int),
        profile=profile_201(wire, evse_id=1, tx_key="") if wire else None,
    )
    return _status("Accepted", then) if then else _status("Rejected")


def _request_stop(station: Station, payload: JsonObject) -> Answer:
    evse = station.running_transaction(required(payload, "transactionId", str))
    if evse is None:
        return _status("Rejected", why="TxNotFound")
    return _status("Accepted", lambda: station.stop(evse, Stop.REMOTE))


def _transaction_status(station: Station, payload: JsonObject) -> Answer:
    transaction_id = optional(payload, "transactionId", str)
    if transaction_id is None:
        return Answer(payload={"messagesInQueue": station.queue.holds()})
    return Answer(
        payload={
            "ongoingIndicator": station.running_transaction(transaction_id) is not None,
            "messagesInQueue": station.queue.holds(transaction_id),
        }
    )


def _unlock(station: Station, payload: JsonObject) -> Answer:
    evse = station.evses.get(required(payload, "evseId", int))
    if evse is None or required(payload, "connectorId", int) != 1:
        return _status("UnknownConnector")
    return _status("OngoingAuthorizedTransaction" if evse.transaction else "Unlocked")


def _reserve_now(station: Station, payload: JsonObject) -> Answer:
    until = instant(payload, "expiryDateTime")
    if until is None:
        raise RpcError(Violation.OCCURRENCE, "expiryDateTime is missing")
    return _status(
        station.reserve(
            optional(payload, "evseId", int) or 0,
            reservation_id=required(payload, "id", int),
            token=_token(payload, "idToken"),
            group=_group(payload),
            until=until,
        )
    )


def _cancel_reservation(station: Station, payload: JsonObject) -> Answer:
    cancelled = station.cancel_reservation(required(payload, "reservationId", int))
    return _status("Accepted" if cancelled else "Rejected")


def _cost_updated(station: Station, payload: JsonObject) -> Answer:
    evse = station.running_transaction(required(payload, "transactionId", str))
    if evse and evse.transaction:
        evse.transaction.total_cost = required(payload, "totalCost", float)
    return Answer(payload={})


def _customer_information(station: Station, payload: JsonObject) -> Answer:
    request_id = required(payload, "requestId", int)
    if not any(key in payload for key in ("idToken", "customerIdentifier", "customerCertificate")):
        return _status("Invalid")
    token = _token(payload, "idToken") if "idToken" in payload else None
    known = token is not None and station.local.verdict(token) is not None
    if token and payload.get("clear"):
        station.local.clear_cache()

    def tell() -> None:
        station.send(
            "NotifyCustomerInformation",
            {
                "requestId": request_id,
                "data": "token known" if known else "nothing stored",
                "seqNo": 0,
                "generatedAt": stamp(station.now),
            },
        )

    return _status("Accepted", tell)


def _data_transfer(_station: Station, payload: JsonObject) -> Answer:
    required(payload, "vendorId", str)
    return _status("UnknownVendorId")


# -- charging profiles ------------------------------------------------------------------------------------


def _set_profile(station: Station, payload: JsonObject) -> Answer:
    evse_id = required(payload, "evseId", int)
    wire = required(payload, "chargingProfile", dict)
    profile = profile_201(wire, evse_id=evse_id, tx_key=optional(wire, "transactionId", str))
    reason = _badly_anchored(profile) or station.install_profile(profile)
    return _status("Rejected", why=reason) if reason else _status("Accepted")


def _badly_anchored(profile: Profile) -> str | None:
    """2.0.1 refuses a relative schedule that has a start (K01.FR.41); 1.6 says nothing about it."""
    relative = profile.kind is Kind.RELATIVE
    return "RelativeWithStart" if relative and profile.start_at is not None else None


def _clear_profile(station: Station, payload: JsonObject) -> Answer:
    profile_id = optional(payload, "chargingProfileId", int)
    criteria = optional(payload, "chargingProfileCriteria", dict) or {}
    cleared = station.clear_profiles(
        profile_ids=None if profile_id is None else (profile_id,),
        evse_id=optional(criteria, "evseId", int),
        purpose=_purpose(criteria),
        stack_level=optional(criteria, "stackLevel", int),
    )
    return _status("Accepted" if cleared else "Unknown")


def _purpose(criteria: JsonObject) -> Purpose | None:
    key = "chargingProfilePurpose"
    return one_of(criteria, key, Purpose) if key in criteria else None


def _get_profiles(station: Station, payload: JsonObject) -> Answer:
    request_id = required(payload, "requestId", int)
    criteria = required(payload, "chargingProfile", dict)
    sources: list[object] = optional(criteria, "chargingLimitSource", list) or ["CSO"]
    found = station.matching_profiles(
        profile_ids=optional(criteria, "chargingProfileId", list),
        evse_id=optional(payload, "evseId", int),
        purpose=_purpose(criteria),
        stack_level=optional(criteria, "stackLevel", int),
    )
    if not found or "CSO" not in sources:
        return _status("NoProfiles")
    return _status("Accepted", lambda: _report_profiles(station, request_id, found))


def _report_profiles(station: Station, request_id: int, found: Iterable[Profile]) -> None:
    ordered = sorted(found, key=lambda profile: profile.evse_id)
    pages = [(evse_id, list(group)) for evse_id, group in groupby(ordered, lambda one: one.evse_id)]
    for number, (evse_id, page) in enumerate(pages):
        station.send(
            "ReportChargingProfiles",
            {
                "requestId": request_id,
                "chargingLimitSource": "CSO",
                "evseId": evse_id,
                "chargingProfile": [profile.wire for profile in page],
                "tbc": number + 1 < len(pages),
            },
        )


def _composite(station: Station, payload: JsonObject) -> Answer:
    evse_id = required(payload, "evseId", int)
    duration_s = required(payload, "duration", int)
    units = station.personality.capabilities.units
    unit = one_of(payload, "chargingRateUnit", Unit) if "chargingRateUnit" in payload else min(units)
    if evse_id not in {0, *station.evses} or unit not in units or duration_s < 0:
        return _status("Rejected")
    return Answer(
        payload={
            "status": "Accepted",
            "schedule": {
                "evseId": evse_id,
                "duration": duration_s,
                "scheduleStart": stamp(station.now),
                "chargingRateUnit": unit.value,
                "chargingSchedulePeriod": periods_wire(
                    station.composite(evse_id, duration_s=duration_s, unit=unit)
                ),
            },
        }
    )


# -- firmware, logs, monitoring ---------------------------------------------------------------------------


def _update_firmware(station: Station, payload: JsonObject) -> Answer:
    request_id = required(payload, "requestId", int)
    at = instant(required(payload, "firmware", dict), "retrieveDateTime")
    wait_s = max(0.0, (at - station.now).total_seconds()) if at else 0.0
    return _status("Accepted", lambda: _firmware_steps(station, wait_s, request_id))


def _firmware_steps(station: Station, wait_s: float, request_id: int) -> None:
    def tell(status: str) -> None:
        station.send("FirmwareStatusNotification", {"status": status, "requestId": request_id})

    for position, status in enumerate(_FIRMWARE_STEPS):
        station.after(
            wait_s + position * _STEP_S,
            f"firmware-{status}",
            lambda status=status: tell(status),  # type: ignore[misc]
        )


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


def _set_monitoring(_station: Station, payload: JsonObject) -> Answer:
    results = [
        {
            "status": "UnsupportedMonitorType",
            "type": required(one, "type", str),
            "severity": required(one, "severity", int),
            "component": required(one, "component", dict),
            "variable": required(one, "variable", dict),
        }
        for one in objects(payload, "setMonitoringData")
    ]
    return Answer(payload={"setMonitoringResult": results})


def _clear_monitoring(_station: Station, payload: JsonObject) -> Answer:
    ids: list[object] = required(payload, "id", list)
    return Answer(payload={"clearMonitoringResult": [{"status": "NotFound", "id": one} for one in ids]})


_HANDLERS: dict[str, Callable[[Station, JsonObject], Answer]] = {
    "CancelReservation": _cancel_reservation,
    "CertificateSigned": _always("Rejected"),
    "ChangeAvailability": _change_availability,
    "ClearCache": _clear_cache,
    "ClearChargingProfile": _clear_profile,
    "ClearDisplayMessage": _always("Unknown"),
    "ClearVariableMonitoring": _clear_monitoring,
    "CostUpdated": _cost_updated,
    "CustomerInformation": _customer_information,
    "DataTransfer": _data_transfer,
    "DeleteCertificate": _always("NotFound"),
    "GetBaseReport": _get_base_report,
    "GetChargingProfiles": _get_profiles,
    "GetCompositeSchedule": _composite,
    "GetDisplayMessages": _always("Unknown"),
    "GetInstalledCertificateIds": _always("NotFound"),
    "GetLocalListVersion": _list_version,
    "GetLog": _get_log,
    "GetMonitoringReport": _always("EmptyResultSet"),
    "GetReport": _get_report,
    "GetTransactionStatus": _transaction_status,
    "GetVariables": _get_variables,
    "InstallCertificate": _always("Rejected"),
    "PublishFirmware": _always("Rejected"),
    "RequestStartTransaction": _request_start,
    "RequestStopTransaction": _request_stop,
    "ReserveNow": _reserve_now,
    "Reset": _reset,
    "SendLocalList": _send_local_list,
    "SetChargingProfile": _set_profile,
    "SetDisplayMessage": _always("Rejected"),
    "SetMonitoringBase": _always("NotSupported"),
    "SetMonitoringLevel": _always("Rejected"),
    "SetNetworkProfile": _always("Rejected"),
    "SetVariableMonitoring": _set_monitoring,
    "SetVariables": _set_variables,
    "TriggerMessage": _trigger,
    "UnlockConnector": _unlock,
    "UnpublishFirmware": _always("NoFirmware"),
    "UpdateFirmware": _update_firmware,
}
