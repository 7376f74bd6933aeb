"""API: charging stations that knocked and are not registered, and their adoption."""

from __future__ import annotations

from supervision.accounts import rules
from supervision.kernel.errors import Refused
from supervision.web.api.charging_stations import new_evse, organisation_of_station
from supervision.web.api.operation import Answer, Call, Operation, invalid
from supervision.web.api.schemas import EVSE_IN, ID, page_of, ref, strict


async def list_unknown_stations(call: Call) -> object:
    """Return the strangers the caller may see; see `csms.adoption` for whom that is."""
    page = await call.services.adoption.strangers(
        rules.administered(call.identity),
        identity=call.query.get("identity") or None,
        after=call.after or "",
        limit=call.limit,
    )
    return {"items": page.items, "next": page.next}


async def post_adoption(call: Call) -> object:
    """Register a stranger; the answer is the only place where its password is ever told."""
    organisation_id = await organisation_of_station(call, call.body["station"])
    call.require(rules.may_administer, organisation_id)
    if len({evse["id"] for evse in call.body["evses"]}) != len(call.body["evses"]):
        raise invalid("evses", "an id appears twice")
    made = await call.services.adoption.adopt(
        organisation_id,
        call.path["identity"],
        station_id=call.body["station"],
        new_evses=[new_evse(index, evse) for index, evse in enumerate(call.body["evses"])],
        security_profile=call.body.get("security_profile", 1),
        by_person_id=call.identity.person.id,
    )
    if isinstance(made, Refused):
        return made
    return Answer(201, {"charging_station": made.document, "password": made.password})


OPERATIONS = (
    Operation(
        method="GET",
        path="/unknown-charging-stations",
        summary="Charging stations that tried to connect and are not registered",
        handler=list_unknown_stations,
        query={"identity": "Only this one", "limit": "Page length", "after": "Cursor of the page before"},
        answer=page_of("UnknownChargingStation"),
        tag="charging stations",
    ),
    Operation(
        method="POST",
        path="/unknown-charging-stations/{identity}/adopt",
        summary="Register an unknown charging station with a new password, told once",
        handler=post_adoption,
        body=strict(
            "station evses",
            station=ID,
            evses={"type": "array", "items": EVSE_IN, "minItems": 1, "maxItems": 64},
            security_profile={"type": "integer", "minimum": 0, "maximum": 2},
        ),
        answer=ref("AdoptedChargingStation"),
        status=201,
        tag="charging stations",
    ),
)
