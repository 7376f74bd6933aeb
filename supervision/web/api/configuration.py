"""API: the settings that charging stations should have, and what they have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supervision.accounts import rules
from supervision.csms.desired import Wish
from supervision.kernel.errors import Refused
from supervision.web.api.charging_stations import found_station
from supervision.web.api.operation import Answer, ApiError, Call, Operation, forbidden, invalid
from supervision.web.api.schemas import ID, TEXT, WHOLE, or_null, record, ref, strict

_SCOPE = ("vendor", "model", "firmware", "charging_station")


async def get_configuration(call: Call) -> object:
    """Return what was found at the last look."""
    organisation_id, station = await found_station(call)
    return await call.services.configuration.report(organisation_id, station["identity"])


async def post_apply(call: Call) -> object:
    """Have the settings read and brought to what is wished, as soon as the station can be reached."""
    organisation_id, station = await found_station(call)
    call.require(rules.may_command, organisation_id)
    refused = await call.services.configuration.request(organisation_id, station["identity"])
    return refused or await call.services.configuration.report(organisation_id, station["identity"])


async def list_desired_settings(call: Call) -> object:
    """Return the wishes of the organisations the caller supervises."""
    items = [
        item
        for organisation_id in rules.supervised(call.identity)
        for item in await call.services.configuration.wishes(organisation_id)
    ]
    return {"items": items}


async def post_desired_setting(call: Call) -> object:
    """Wish for a setting, in place of the wish for the same stations."""
    organisation_id = _organisation(call)
    charging_station = call.body.get("charging_station")
    if charging_station is not None:
        known = await call.services.directory.station(organisation_id, charging_station)
        if known is None:
            raise ApiError(404, "charging_station_unknown", f"unknown charging station {charging_station!r}")
    made = await call.services.configuration.wish(
        organisation_id, _wish(call.body), by_person_id=call.identity.person.id
    )
    return made if isinstance(made, Refused) else Answer(201, made)


def _wish(body: Mapping[str, Any]) -> Wish:
    return Wish(
        ocpp=body["ocpp"],
        name=body["name"],
        value=body["value"],
        reason=body.get("reason", ""),
        **{name: body.get(name) for name in _SCOPE},
    )


async def post_standard(call: Call) -> object:
    """Take over the standard set where nothing is wished for yet."""
    organisation_id = _organisation(call)
    taken = await call.services.configuration.take_standard(
        organisation_id, by_person_id=call.identity.person.id
    )
    return {"taken": taken}


async def post_forget(call: Call) -> object:
    """Drop a wish; stations keep the value they have."""
    wish_id = int(call.path["id"]) if call.path["id"].isdecimal() and len(call.path["id"]) < 19 else 0  # noqa: PLR2004
    for organisation_id in rules.supervised(call.identity):
        known = await call.services.configuration.wishes(organisation_id)
        if wish_id in {item["id"] for item in known}:
            call.require(rules.may_administer, organisation_id)
            refused = await call.services.configuration.forget(organisation_id, wish_id)
            return refused or {"id": wish_id}
    raise ApiError(404, "unknown_setting", "there is no such setting")


def _organisation(call: Call) -> str:
    """The organisation named in the body, or the only one there is."""
    supervised = rules.supervised(call.identity)
    if not supervised:
        raise forbidden()
    organisation_id = str(call.body.get("organisation") or (supervised[0] if len(supervised) == 1 else ""))
    if organisation_id not in supervised:
        raise invalid("organisation", "one of your organisations is wanted")
    call.require(rules.may_administer, organisation_id)
    return organisation_id


_SHORT = or_null({**TEXT, "minLength": 1, "maxLength": 50})

OPERATIONS = (
    Operation(
        method="GET",
        path="/charging-stations/{identity}/configuration",
        summary="Settings wished for and found at the last look",
        handler=get_configuration,
        answer=ref("Configuration"),
        tag="configuration",
    ),
    Operation(
        method="POST",
        path="/charging-stations/{identity}/configuration/apply",
        summary="Read the settings and write what differs, as soon as the station can be reached",
        handler=post_apply,
        answer=ref("Configuration"),
        tag="configuration",
    ),
    Operation(
        method="GET",
        path="/desired-settings",
        summary="Settings wished for, by organisation, version and name",
        handler=list_desired_settings,
        answer=record("items", items={"type": "array", "items": ref("DesiredSetting")}),
        tag="configuration",
    ),
    Operation(
        method="POST",
        path="/desired-settings",
        summary="Wish for a setting of all stations, of a kind, or of one; never a password",
        handler=post_desired_setting,
        body=strict(
            "ocpp name value",
            ocpp={"enum": ["1.6", "2.0.1"]},
            name={"type": "string", "minLength": 1, "maxLength": 210},
            value=or_null({**TEXT, "maxLength": 1000}),
            reason={**TEXT, "maxLength": 300},
            vendor=_SHORT,
            model=_SHORT,
            firmware=_SHORT,
            charging_station=or_null(ID),
            organisation=ID,
        ),
        answer=ref("DesiredSetting"),
        status=201,
        tag="configuration",
    ),
    Operation(
        method="POST",
        path="/desired-settings/standard",
        summary="Take over the standard set where nothing is wished for yet",
        handler=post_standard,
        body=strict("", organisation=ID),
        answer=record("taken", taken=WHOLE),
        tag="configuration",
    ),
    Operation(
        method="POST",
        path="/desired-settings/{id}/forget",
        summary="Drop a wish; stations keep the value they have",
        handler=post_forget,
        answer=record("id", id=WHOLE),
        tag="configuration",
    ),
)
