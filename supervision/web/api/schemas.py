"""JSON Schemas of the API's bodies and answers, shared by the checks and the OpenAPI document."""

from __future__ import annotations

from typing import Any

from supervision.csms.judgement import Awaits
from supervision.csms.model import Ground, SettledHow
from supervision.csms.proposing import Basis
from supervision.csms.relay.model import Owner, Trouble

TEXT: dict[str, Any] = {"type": "string"}
ID: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 255}
INSTANT: dict[str, Any] = {"type": "string", "format": "date-time"}
WHOLE: dict[str, Any] = {"type": "integer"}
NUMBER: dict[str, Any] = {"type": "number"}
FLAG: dict[str, Any] = {"type": "boolean"}
ANYTHING: dict[str, Any] = {"type": "object"}


def ref(name: str) -> dict[str, Any]:
    """Point to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Allow null beside the schema."""
    return {"anyOf": [schema, {"type": "null"}]}


def record(required: str = "", **properties: Any) -> dict[str, Any]:
    """Return an object schema; `required` lists names, separated by spaces."""
    return {"type": "object", "properties": properties, "required": required.split()}


def strict(required: str = "", **properties: Any) -> dict[str, Any]:
    """Return an object schema for a request body: unknown fields are refused."""
    return record(required, **properties) | {"additionalProperties": False}


def page_of(name: str) -> dict[str, Any]:
    """Return the schema of a list answer."""
    return record("items next", items={"type": "array", "items": ref(name)}, next=or_null(TEXT))


EVSE_IN = strict(
    "id kind",
    id={"type": "integer", "minimum": 1, "maximum": 64},
    kind={"enum": ["ac7", "ac11", "ac22", "dc11"]},
    phases={"type": "array", "items": {"enum": [1, 2, 3]}, "uniqueItems": True, "minItems": 1},
    max_a={"type": "number", "minimum": 6, "maximum": 80},
    min_a={"type": "number", "minimum": 6, "maximum": 80},
)

_LINE = record(
    "code quantity unit unit_cents amount_cents vat_rate params",
    code=TEXT,
    quantity=TEXT,
    unit=TEXT,
    unit_cents=WHOLE,
    amount_cents=WHOLE,
    vat_rate=TEXT,
    params=ANYTHING,
)
_BOOKING = {
    "id": ID,
    "vehicle": ID,
    "station": ID,
    "driver": ID,
    "status": {"enum": ["booked", "active", "completed", "cancelled", "no_show"]},
    "start_at": INSTANT,
    "end_at": INSTANT,
    "blocked_until": INSTANT,
    "planned_km": or_null(WHOLE),
    "quoted_cents": or_null(WHOLE),
    "made_at": INSTANT,
    "started_at": or_null(INSTANT),
    "returned_at": or_null(INSTANT),
    "cancelled_at": or_null(INSTANT),
}
_CODE = {
    "code": or_null(TEXT),
    "code_valid_from": or_null(INSTANT),
    "code_valid_until": or_null(INSTANT),
}
_INVOICE = {
    "id": ID,
    "number": TEXT,
    "kind": {"enum": ["trip", "credit"]},
    "booking": or_null(ID),
    "person": ID,
    "issued_at": INSTANT,
    "total_cents": WHOLE,
    "payment": or_null(TEXT),
}


_ERRAND = {
    "id": WHOLE,
    "kind": TEXT,
    "request_id": or_null(WHOLE),
    "command": or_null(ID),
    "state": {"enum": ["under_way", "waiting", "done", "failed", "cancelled", "refused"]},
    "word": TEXT,
    "begun_at": INSTANT,
    "told_at": INSTANT,
    "finished_at": or_null(INSTANT),
}
_BATCH = {
    "id": ID,
    "action": TEXT,
    "origin": TEXT,
    "created_at": INSTANT,
    "expires_at": INSTANT,
    "total": WHOLE,
    "states": {"type": "object", "additionalProperties": WHOLE},
}
_COMMAND_STATE = {
    "enum": ["queued", "sent", "answered", "error", "timeout", "offline", "refused", "cancelled"]
}


def _whole(**properties: Any) -> dict[str, Any]:
    """Return the schema of a record whose every field is always there."""
    return record(" ".join(properties), **properties)


COMPONENTS: dict[str, Any] = {
    "schemas": {
        "Error": _whole(code=TEXT, message=TEXT, details=ANYTHING),
        "Evse": _whole(
            id=WHOLE,
            kind={"enum": ["ac7", "ac11", "ac22", "dc11"]},
            phases={"type": "array", "items": {"enum": [1, 2, 3]}},
            max_a=NUMBER,
            min_a=NUMBER,
            status=TEXT,
            status_at=or_null(INSTANT),
            error_code=or_null(TEXT),
            power_w=or_null(WHOLE),
            power_at=or_null(INSTANT),
            current_a=or_null({}),
            soc_percent=or_null(NUMBER),
            charging_transaction=or_null(WHOLE),
        ),
        "ChargingStation": _whole(
            identity=ID,
            station=ID,
            security_profile=WHOLE,
            connected=FLAG,
            ocpp=or_null({"enum": ["1.6", "2.0.1"]}),
            boot=or_null(ANYTHING),
            booted_at=or_null(INSTANT),
            seen_at=or_null(INSTANT),
            connected_at=or_null(INSTANT),
            disconnected_at=or_null(INSTANT),
            boot_policy={"enum": ["accept", "pending", "reject"]},
            registration=or_null({"enum": ["Accepted", "Pending", "Rejected"]}),
            clock_offset_s=or_null(NUMBER),
            violations={},
            evses={"type": "array", "items": ref("Evse")},
            local_list=or_null(
                _whole(
                    state={"enum": ["waiting", "sending", "in_sync", "refused", "not_supported"]},
                    version=WHOLE,
                    entries=WHOLE,
                    changed_at=INSTANT,
                )
            ),
        ),
        "UnknownChargingStation": _whole(
            identity=ID,
            address=or_null(TEXT),
            first_seen_at=INSTANT,
            last_seen_at=INSTANT,
            attempts=WHOLE,
            offered={"type": "array", "items": TEXT},
            sent_password=FLAG,
        ),
        "AdoptedChargingStation": _whole(charging_station=ref("ChargingStation"), password=or_null(TEXT)),
        "DesiredSetting": _whole(
            id=WHOLE,
            organisation=ID,
            ocpp={"enum": ["1.6", "2.0.1"]},
            name=TEXT,
            value=or_null(TEXT),
            reason=TEXT,
            vendor=or_null(TEXT),
            model=or_null(TEXT),
            firmware=or_null(TEXT),
            charging_station=or_null(ID),
            changed_at=INSTANT,
        ),
        "Configuration": _whole(
            charging_station=ID,
            state={"enum": ["waiting", "in_sync", "drift", "reboot_required"]},
            checked_at=or_null(INSTANT),
            items={
                "type": "array",
                "items": _whole(name=TEXT, wanted=TEXT, found=or_null(TEXT), state=TEXT, reason=TEXT),
            },
        ),
        "Probe": _whole(
            charging_station=ID,
            state={"enum": ["none", "running", "done"]},
            step=or_null(TEXT),
            started_at=or_null(INSTANT),
            finished_at=or_null(INSTANT),
            findings=ANYTHING,
            kind=_whole(vendor=TEXT, model=TEXT, firmware=TEXT),
            learnt_at=or_null(INSTANT),
            learnt_from=or_null(ID),
            known=ANYTHING,
        ),
        "Verdict": _whole(
            kind={"enum": ["done", "pending", "refused", "partly"]},
            word=or_null(TEXT),
            awaits=or_null({"enum": [awaits.value for awaits in Awaits]}),
            reason=or_null(TEXT),
            items={
                "type": "array",
                "items": _whole(
                    subject=TEXT, kind={"enum": ["pending", "refused"]}, word=TEXT, reason=or_null(TEXT)
                ),
            },
        ),
        "CommandResult": _whole(
            id=ID,
            state=_COMMAND_STATE,
            response=or_null(ANYTHING),
            error=or_null(ANYTHING),
            verdict=or_null(ref("Verdict")),
        ),
        "Command": _whole(
            id=ID,
            charging_station=ID,
            action=TEXT,
            payload=ANYTHING,
            state=_COMMAND_STATE,
            response=or_null(ANYTHING),
            error=or_null(ANYTHING),
            verdict=or_null(ref("Verdict")),
            late=FLAG,
            tries=WHOLE,
            origin=TEXT,
            batch=or_null(ID),
            created_at=INSTANT,
            due_at=or_null(INSTANT),
            expires_at=INSTANT,
            sent_at=or_null(INSTANT),
            finished_at=or_null(INSTANT),
        ),
        "CommandBatchSummary": _whole(**_BATCH),
        "CommandBatch": _whole(**_BATCH, commands={"type": "array", "items": ref("Command")}),
        "StationCertificate": _whole(
            id=WHOLE,
            state={"enum": ["requested", "refused", "issued", "installed", "rejected", "revoked"]},
            reason=or_null(TEXT),
            serial=or_null(TEXT),
            fingerprint=or_null(TEXT),
            requested_at=INSTANT,
            not_before=or_null(INSTANT),
            not_after=or_null(INSTANT),
            installed_at=or_null(INSTANT),
            used_at=or_null(INSTANT),
            revoked_at=or_null(INSTANT),
        ),
        "StationSecurity": _whole(
            identity=ID,
            security_profile=WHOLE,
            wanted_profile=or_null(WHOLE),
            password_set=FLAG,
            password_on_its_way=FLAG,
            certificates={"type": "array", "items": ref("StationCertificate")},
            installed=or_null(
                _whole(
                    at=INSTANT,
                    items={
                        "type": "array",
                        "items": _whole(
                            kind=TEXT,
                            hashAlgorithm=TEXT,
                            issuerNameHash=TEXT,
                            issuerKeyHash=TEXT,
                            serialNumber=TEXT,
                            ours=FLAG,
                        ),
                    },
                )
            ),
            authority_root=TEXT,
        ),
        "RelayReport": _whole(
            charging_station=ID,
            hosts={"type": "array", "items": TEXT},
            relay=or_null(
                _whole(
                    url=TEXT,
                    identity=TEXT,
                    password_set=FLAG,
                    owner={"enum": [*Owner]},
                    made_at=INSTANT,
                    changed_at=INSTANT,
                    connected_at=or_null(INSTANT),
                    error=or_null({"enum": [*Trouble]}),
                    error_at=or_null(INSTANT),
                    waiting=WHOLE,
                    delivered=WHOLE,
                    refused=WHOLE,
                    lost=WHOLE,
                    own_answers=WHOLE,
                )
            ),
        ),
        "RelayAnswer": _whole(id=WHOLE, frame_id=WHOLE, at=INSTANT, answer=TEXT),
        "Frame": _whole(
            id=WHOLE, at=INSTANT, direction={"enum": ["in", "out"]}, frame=TEXT, problem=or_null(TEXT)
        ),
        "Notice": _whole(
            id=WHOLE,
            kind={"enum": ["security", "monitoring"]},
            name=TEXT,
            evse_id=or_null(WHOLE),
            at=INSTANT,
            alarming=FLAG,
            cleared=FLAG,
            details=ANYTHING,
        ),
        "Errand": _whole(**_ERRAND),
        "ErrandReport": _whole(**_ERRAND, pages={"type": "array", "items": ANYTHING}),
        "EvseReservation": _whole(
            id=WHOLE,
            evse_id=WHOLE,
            token_hint=TEXT,
            expires_at=or_null(INSTANT),
            state={"enum": ["held", "used", "expired", "removed", "cancelled"]},
            state_at=INSTANT,
        ),
        "ChargingLimit": _whole(
            evse_id=WHOLE,
            source=TEXT,
            grid_critical=FLAG,
            schedules={"type": "array", "items": ANYTHING},
            at=INSTANT,
        ),
        "DeviceFile": _whole(
            id=ID,
            kind={"enum": ["firmware", "diagnostics", "security_log"]},
            charging_station=or_null(TEXT),
            command=or_null(ID),
            name=TEXT,
            details=ANYTHING,
            size_bytes=or_null(WHOLE),
            sha256=or_null(TEXT),
            made_at=INSTANT,
            complete_at=or_null(INSTANT),
        ),
        "NewFirmware": _whole(id=ID, upload=TEXT),
        "SentCommand": _whole(command=ID, state=TEXT),
        "CampaignCommand": _whole(
            charging_station=ID, command=or_null(ID), state=TEXT, error=or_null(ANYTHING)
        ),
        "ChargingTransaction": _whole(
            id=WHOLE,
            ocpp_transaction_id=TEXT,
            charging_station=ID,
            evse_id=WHOLE,
            id_token=or_null(TEXT),
            person=or_null(ID),
            booking=or_null(ID),
            vehicle=or_null(ID),
            started_at=or_null(INSTANT),
            stopped_at=or_null(INSTANT),
            meter_start_wh=or_null(WHOLE),
            meter_stop_wh=or_null(WHOLE),
            meter_last_wh=or_null(WHOLE),
            measured_wh=or_null(WHOLE),
            energy_wh=or_null(WHOLE),
            stop_reason=or_null(TEXT),
            presumed=or_null({"enum": [ground.value for ground in Ground]}),
            settled=or_null({"enum": [how.value for how in SettledHow]}),
            charging_state=or_null(TEXT),
            state=TEXT,
            review=or_null(TEXT),
        ),
        "ChargeReview": _whole(
            charging_transaction=ref("ChargingTransaction"),
            reasons={"type": "array", "items": TEXT},
            proposal=or_null(_whole(energy_wh=WHOLE, basis={"enum": [basis.value for basis in Basis]})),
            readings={
                "type": "array",
                "items": _whole(at=INSTANT, register_wh=WHOLE, power_w=or_null(WHOLE)),
            },
            decisions={
                "type": "array",
                "items": _whole(
                    at=INSTANT,
                    kind={"enum": ["presumed_end", "settlement"]},
                    ground=or_null(TEXT),
                    how=or_null(TEXT),
                    energy_wh=or_null(WHOLE),
                    person=or_null(ID),
                    note=or_null(TEXT),
                ),
            },
        ),
        "AuthorisationAttempt": _whole(
            id=WHOLE,
            at=INSTANT,
            charging_station=ID,
            evse_id=or_null(WHOLE),
            purpose=or_null({"enum": ["show", "start", "stop"]}),
            token_hint=TEXT,
            status=TEXT,
            person=or_null(ID),
            booking=or_null(ID),
        ),
        "IdToken": _whole(
            token=TEXT,
            type=TEXT,
            status=TEXT,
            person=or_null(ID),
            parent=or_null(TEXT),
            expires_at=or_null(INSTANT),
            organisation=ID,
        ),
        "FreeVehicle": _whole(
            vehicle=ID,
            station=ID,
            name=TEXT,
            price_cents=or_null(WHOLE),
            lines={"type": "array", "items": _LINE},
            expected_soc_percent=or_null(NUMBER),
        ),
        "Vehicle": _whole(
            id=ID,
            station=ID,
            name=TEXT,
            plate=TEXT,
            model=TEXT,
            evse=or_null(TEXT),
            battery_wh=WHOLE,
            phases=WHOLE,
            max_a=NUMBER,
            min_a=NUMBER,
            wh_per_km=WHOLE,
            odometer_km=or_null(WHOLE),
            soc_percent=or_null(NUMBER),
            in_service=FLAG,
        ),
        "Booking": _whole(**_BOOKING),
        "BookingWithCode": _whole(**_BOOKING, **_CODE),
        "Invoice": _whole(**_INVOICE),
        "InvoiceDocument": _whole(
            **_INVOICE,
            currency=TEXT,
            lines={"type": "array", "items": _LINE},
            fee_cents=WHOLE,
            vat={"type": "array", "items": ANYTHING},
            corrects=or_null(TEXT),
        ),
        "ChargingPlan": record(
            "station plan needs windows profiles",
            station=ID,
            id=or_null(WHOLE),
            made_at=or_null(INSTANT),
            valid_until=or_null(INSTANT),
            reason=or_null(TEXT),
            problem=or_null(ANYTHING),
            plan=or_null(ANYTHING),
            needs={"type": "array", "items": ANYTHING},
            windows={"type": "array", "items": ANYTHING},
            profiles={"type": "array", "items": ANYTHING},
        ),
    }
}
