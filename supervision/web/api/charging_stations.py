"""API: charging stations, their frames, charging transactions and commands; id tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from supervision.accounts import rules
from supervision.csms.directory import ChargingStationState, NewIdToken, Registration
from supervision.fleet import store as fleet
from supervision.importing.document import KINDS, STATION_PASSWORD_BYTES
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import format_instant
from supervision.web.api.operation import Answer, ApiError, Call, Operation
from supervision.web.api.schemas import (
    ANYTHING,
    EVSE_IN,
    ID,
    INSTANT,
    TEXT,
    page_of,
    ref,
    strict,
)

_IDENTITY = r"^[A-Za-z0-9._~-]{1,48}$"


async def post_charging_station(call: Call) -> object:
    """Register a charging station."""
    organisation_id = await _organisation_of_station(call, call.body["station"])
    call.require(rules.may_administer, organisation_id)
    profile, password = call.body["security_profile"], call.body.get("password")
    _check_password(profile, password)
    wanted = Registration(
        identity=call.body["identity"],
        station_id=call.body["station"],
        security_profile=profile,
        password=password,
        evses=[_evse_row(evse) for evse in call.body["evses"]],
    )
    refused = await call.services.directory.register(organisation_id, wanted)
    if refused is not None:
        return refused
    return Answer(201, _document(await _found(call, wanted.identity)))


async def list_charging_stations(call: Call) -> object:
    """Return the charging stations the caller may supervise."""
    now = call.services.clock.now()
    found = [
        station
        for organisation_id in rules.supervised(call.identity)
        for station in await call.services.directory.charging_stations(organisation_id, now=now)
    ]
    after = call.after or ""
    page = [station for station in found if station.identity > after][: call.limit]
    cursor = page[-1].identity if len(page) == call.limit else None
    return {"items": [_document(station) for station in page], "next": cursor}


async def get_charging_station(call: Call) -> object:
    """Return one charging station with its EVSEs."""
    return _document(await _found(call, call.path["identity"]))


async def post_command(call: Call) -> object:
    """Send a CALL and wait for its answer."""
    station = await _found(call, call.path["identity"])
    call.require(rules.may_command, station.organisation_id)
    result = await call.services.commands.send(
        station.organisation_id,
        station.identity,
        call.body["action"],
        call.body.get("payload", {}),
        timeout_s=call.body.get("timeout_s", 30),
        by_person_id=call.identity.person.id,
    )
    if isinstance(result, Refused):
        return result
    return {
        "id": result.id,
        "state": result.state.value,
        "response": result.response,
        "error": result.error,
    }


async def list_frames(call: Call) -> object:
    """Return raw frames, oldest first, secrets masked."""
    station = await _found(call, call.path["identity"])
    found = await call.services.directory.frames(
        station.organisation_id, station.identity, after=_cursor(call), limit=call.limit
    )
    items = [
        {"id": frame.id, "at": format_instant(frame.at), "direction": frame.direction, "frame": frame.text}
        for frame in found
    ]
    return {"items": items, "next": str(found[-1].id) if len(found) == call.limit else None}


async def list_charging_transactions(call: Call) -> object:
    """Return charging transactions, oldest first."""
    is_open = {"": None, "true": True, "1": True, "false": False, "0": False}.get(call.query.get("open", ""))
    rows: list[Mapping[str, Any]] = []
    for organisation_id in rules.supervised(call.identity):
        rows += await call.services.directory.charging_transactions(
            organisation_id,
            charging_station=call.query.get("charging_station") or None,
            is_open=is_open,
            after=_cursor(call),
            limit=call.limit,
        )
    page = sorted(rows, key=lambda row: row["id"])[: call.limit]
    cursor = str(page[-1]["id"]) if len(page) == call.limit else None
    return {"items": [_charging_transaction(row) for row in page], "next": cursor}


async def list_id_tokens(call: Call) -> object:
    """Return badges and app tokens."""
    rows: list[Mapping[str, Any]] = []
    for organisation_id in rules.supervised(call.identity):
        rows += await call.services.directory.id_tokens(
            organisation_id, after=_cursor(call), limit=call.limit
        )
    page = sorted(rows, key=lambda row: row["id"])[: call.limit]
    cursor = str(page[-1]["id"]) if len(page) == call.limit else None
    return {"items": [_id_token(row) for row in page], "next": cursor}


async def post_id_token(call: Call) -> object:
    """Add a badge or an app token, or change the one with the same text."""
    supervised = rules.supervised(call.identity)
    organisation_id = call.body.get("organisation") or (supervised[0] if len(supervised) == 1 else "")
    if organisation_id not in supervised:
        raise ApiError(422, "invalid_field", "organisation: one of your organisations is wanted")
    call.require(rules.may_administer, organisation_id)
    expires_at = call.body_instant("expires_at") if call.body.get("expires_at") else None
    token = NewIdToken(
        token=call.body["token"],
        type=call.body["type"],
        status=call.body["status"],
        expires_at=expires_at,
        parent=call.body.get("parent"),
    )
    await call.services.directory.put_id_token(organisation_id, token)
    return Answer(201, {**call.body, "person": None, "expires_at": _instant(expires_at)})


def _check_password(profile: int, password: str | None) -> None:
    low, high = STATION_PASSWORD_BYTES
    if profile in (1, 2) and password is None:
        raise ApiError(422, "invalid_field", f"password: security profile {profile} needs one")
    if profile == 0 and password is not None:
        raise ApiError(422, "invalid_field", "password: a station of security profile 0 has none")
    if password is not None and not low <= len(password.encode()) <= high:
        raise ApiError(422, "invalid_field", f"password: {low} to {high} bytes are wanted")


def _evse_row(evse: Mapping[str, Any]) -> dict[str, Any]:
    phase_count, top_a = KINDS[evse["kind"]]
    low, high = float(evse.get("min_a", 6)), float(evse.get("max_a", top_a))
    if low > high:
        raise ApiError(422, "invalid_field", "evses: min_a is above max_a")
    return {
        "evse_id": evse["id"],
        "kind": evse["kind"],
        "phases": evse.get("phases", list(range(1, phase_count + 1))),
        "max_a": high,
        "min_a": low,
    }


async def _organisation_of_station(call: Call, station_id: str) -> str:
    for organisation_id in call.organisations:
        async with call.services.db.read(organisation_id) as reader:
            if await fleet.station(reader, organisation_id, station_id) is not None:
                return organisation_id
    raise ApiError(404, "station_unknown", f"unknown station {station_id!r}")


async def _found(call: Call, identity: str) -> ChargingStationState:
    """Return a charging station of an organisation the caller supervises; others are not confirmed to exist."""
    if re.match(_IDENTITY, identity):
        for organisation_id in rules.supervised(call.identity):
            station = await call.services.directory.charging_station(
                organisation_id, identity, now=call.services.clock.now()
            )
            if station is not None:
                return station
    raise ApiError(404, "charging_station_unknown", f"unknown charging station {identity!r}")


def _cursor(call: Call) -> int:
    text = call.after or "0"
    if not (text.isascii() and text.isdigit()) or len(text) > 18:  # noqa: PLR2004 - digits of a 64-bit id
        raise ApiError(422, "invalid_field", "after: a cursor of this list is wanted")
    return int(text)


def _document(station: ChargingStationState) -> dict[str, Any]:
    return {
        "identity": station.identity,
        "station": station.station_id,
        "security_profile": station.security_profile,
        "connected": station.connected,
        "ocpp": station.ocpp,
        "boot": station.boot,
        "seen_at": _instant(station.seen_at),
        "clock_offset_ms": station.clock_offset_ms,
        "violations": station.violations,
        "evses": [
            {
                "id": evse.evse_id,
                "kind": evse.kind,
                "phases": list(evse.phases),
                "max_a": evse.max_a,
                "min_a": evse.min_a,
                "status": evse.status,
                "error_code": evse.error_code,
                "power_w": evse.power_w,
                "soc_percent": evse.soc_percent,
                "charging_transaction": evse.charging_transaction,
            }
            for evse in station.evses
        ],
    }


def _charging_transaction(row: Mapping[str, Any]) -> dict[str, Any]:
    plain = ("id", "ocpp_transaction_id", "charging_station", "evse_id", "id_token", "meter_start_wh")
    more = ("meter_stop_wh", "energy_wh", "stop_reason", "state", "review", "booking_id", "vehicle_id")
    return {
        **{name: row[name] for name in plain + more},
        "started_at": _instant(row["started_at"]),
        "stopped_at": _instant(row["stopped_at"]),
    }


def _id_token(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "token": row["token"],
        "type": row["type"],
        "status": row["status"],
        "person": row["person_id"],
        "parent": row["parent"],
        "expires_at": _instant(row["expires_at"]),
    }


def _instant(value: datetime | None) -> str | None:
    return None if value is None else format_instant(value)


_PAGING = {"limit": "Page length", "after": "Cursor of the page before"}

OPERATIONS = (
    Operation(
        method="POST",
        path="/charging-stations",
        summary="Register a charging station",
        handler=post_charging_station,
        body=strict(
            "identity station evses security_profile",
            identity={"type": "string", "pattern": _IDENTITY},
            station=ID,
            evses={"type": "array", "items": EVSE_IN, "minItems": 1, "maxItems": 64},
            security_profile={"type": "integer", "minimum": 0, "maximum": 3},
            password={"anyOf": [{"type": "string"}, {"type": "null"}]},
        ),
        answer=ref("ChargingStation"),
        status=201,
        tag="charging stations",
    ),
    Operation(
        method="GET",
        path="/charging-stations",
        summary="Charging stations",
        handler=list_charging_stations,
        query=_PAGING,
        answer=page_of("ChargingStation"),
        tag="charging stations",
    ),
    Operation(
        method="GET",
        path="/charging-stations/{identity}",
        summary="One charging station",
        handler=get_charging_station,
        answer=ref("ChargingStation"),
        tag="charging stations",
    ),
    Operation(
        method="POST",
        path="/charging-stations/{identity}/commands",
        summary="Any CALL of either OCPP version, through the station's command queue",
        handler=post_command,
        body=strict(
            "action",
            action={"type": "string", "minLength": 1, "maxLength": 50},
            payload=ANYTHING,
            timeout_s={"type": "number", "exclusiveMinimum": 0, "maximum": 600},
        ),
        answer=ref("CommandResult"),
        tag="charging stations",
    ),
    Operation(
        method="GET",
        path="/charging-stations/{identity}/frames",
        summary="Raw frames, oldest first, secrets masked",
        handler=list_frames,
        query=_PAGING,
        answer=page_of("Frame"),
        tag="charging stations",
    ),
    Operation(
        method="GET",
        path="/charging-transactions",
        summary="Charging transactions, oldest first",
        handler=list_charging_transactions,
        query={"charging_station": "Identity", "open": "true or false", **_PAGING},
        answer=page_of("ChargingTransaction"),
        tag="charging stations",
    ),
    Operation(
        method="GET",
        path="/id-tokens",
        summary="Badges and app tokens",
        handler=list_id_tokens,
        query=_PAGING,
        answer=page_of("IdToken"),
        tag="id tokens",
    ),
    Operation(
        method="POST",
        path="/id-tokens",
        summary="Add or change a badge or an app token",
        handler=post_id_token,
        body=strict(
            "token type status",
            token={"type": "string", "minLength": 1, "maxLength": 36},
            type={**TEXT, "maxLength": 40},
            status={"enum": ["Accepted", "Blocked", "Expired", "Invalid"]},
            expires_at={"anyOf": [INSTANT, {"type": "null"}]},
            parent={"anyOf": [{**TEXT, "maxLength": 36}, {"type": "null"}]},
            organisation=ID,
        ),
        answer=ref("IdToken"),
        status=201,
        tag="id tokens",
    ),
)
