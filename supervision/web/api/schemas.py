"""JSON Schemas of the API's bodies and answers, shared by the checks and the OpenAPI document."""

from __future__ import annotations

from typing import Any

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

COMPONENTS: dict[str, Any] = {
    "schemas": {
        "Error": record("code message details", code=TEXT, message=TEXT, details=ANYTHING),
        "Evse": record(
            "id status power_w charging_transaction",
            id=WHOLE,
            kind=TEXT,
            status=TEXT,
            power_w=or_null(WHOLE),
            charging_transaction=or_null(WHOLE),
        ),
        "ChargingStation": record(
            "identity station connected ocpp boot evses",
            identity=ID,
            station=ID,
            security_profile=WHOLE,
            connected=FLAG,
            ocpp=or_null(TEXT),
            boot=or_null(ANYTHING),
            seen_at=or_null(INSTANT),
            evses={"type": "array", "items": ref("Evse")},
        ),
        "CommandResult": record(
            "id state",
            id=ID,
            state={"enum": ["answered", "error", "timeout", "offline", "refused"]},
            response=or_null(ANYTHING),
            error=or_null(ANYTHING),
        ),
        "Frame": record(
            "id at direction frame", id=WHOLE, at=INSTANT, direction={"enum": ["in", "out"]}, frame=TEXT
        ),
        "ChargingTransaction": record(
            "id ocpp_transaction_id charging_station evse_id state",
            id=WHOLE,
            ocpp_transaction_id=TEXT,
            charging_station=ID,
            evse_id=WHOLE,
            id_token=or_null(TEXT),
            started_at=INSTANT,
            stopped_at=or_null(INSTANT),
            meter_start_wh=or_null(WHOLE),
            meter_stop_wh=or_null(WHOLE),
            energy_wh=or_null(WHOLE),
            stop_reason=or_null(TEXT),
            state=TEXT,
            review=or_null(TEXT),
        ),
        "IdToken": record(
            "token type status",
            token=TEXT,
            type=TEXT,
            status=TEXT,
            person=or_null(TEXT),
            parent=or_null(TEXT),
            expires_at=or_null(INSTANT),
        ),
        "FreeVehicle": record(
            "vehicle station price_cents",
            vehicle=ID,
            station=ID,
            name=TEXT,
            price_cents=or_null(WHOLE),
            lines={"type": "array", "items": ANYTHING},
            expected_soc_percent=or_null(NUMBER),
        ),
        "Vehicle": record(
            "id station name plate model",
            id=ID,
            station=ID,
            name=TEXT,
            plate=TEXT,
            model=TEXT,
            evse=or_null(TEXT),
            battery_wh=WHOLE,
            soc_percent=or_null(NUMBER),
        ),
        "Booking": record(
            "id vehicle driver start_at end_at status",
            id=ID,
            vehicle=ID,
            station=ID,
            driver=ID,
            status=TEXT,
            start_at=INSTANT,
            end_at=INSTANT,
            blocked_until=INSTANT,
            planned_km=or_null(WHOLE),
            quoted_cents=or_null(WHOLE),
            made_at=INSTANT,
            started_at=or_null(INSTANT),
            returned_at=or_null(INSTANT),
            cancelled_at=or_null(INSTANT),
            code=or_null(TEXT),
            code_valid_from=or_null(INSTANT),
            code_valid_until=or_null(INSTANT),
        ),
        "Invoice": record(
            "id number total_cents issued_at",
            id=ID,
            number=TEXT,
            kind=TEXT,
            booking=or_null(TEXT),
            person=ID,
            issued_at=INSTANT,
            total_cents=WHOLE,
            payment=or_null(TEXT),
            document=ANYTHING,
        ),
        "ChargingPlan": record(
            "station",
            station=ID,
            made_at=or_null(INSTANT),
            needs={"type": "array", "items": ANYTHING},
            windows={"type": "array", "items": ANYTHING},
            plan=or_null(ANYTHING),
            profiles={"type": "array", "items": ANYTHING},
        ),
    }
}
