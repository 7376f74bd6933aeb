"""API: the second backend of a charging station."""

from __future__ import annotations

from supervision.accounts import rules
from supervision.csms.relay.model import Owner
from supervision.csms.relay.service import LONGEST_PASSWORD, Wish
from supervision.csms.relay.target import LONGEST_IDENTITY, LONGEST_URL
from supervision.web.api.charging_stations import found_station
from supervision.web.api.operation import Call, Operation
from supervision.web.api.schemas import TEXT, page_of, ref, strict


async def get_relay(call: Call) -> object:
    """Return the second backend and how it stands; its password is not part of it."""
    organisation_id, station = await found_station(call)
    return await call.services.relays.document(organisation_id, station["identity"])


async def post_relay(call: Call) -> object:
    """Set up a second backend, or change it."""
    organisation_id, station = await found_station(call)
    call.require(rules.may_administer, organisation_id)
    wish = Wish(
        url=call.body["url"],
        owner=Owner(call.body.get("owner", Owner.HERE)),
        identity=call.body.get("identity"),
        password=call.body.get("password"),
    )
    return await call.services.relays.save(
        organisation_id, station["identity"], wish, by_person_id=call.identity.person.id
    )


async def post_remove_relay(call: Call) -> object:
    """End a relay."""
    organisation_id, station = await found_station(call)
    call.require(rules.may_administer, organisation_id)
    return await call.services.relays.remove(
        organisation_id, station["identity"], by_person_id=call.identity.person.id
    )


async def list_relay_answers(call: Call) -> object:
    """Return what the second backend has answered, newest first."""
    organisation_id, station = await found_station(call)
    page = await call.services.relays.answers(
        organisation_id, station["identity"], before=call.after_number or None, limit=call.limit
    )
    return {"items": page.items, "next": page.next}


OPERATIONS = (
    Operation(
        method="GET",
        path="/charging-stations/{identity}/relay",
        summary="The second backend of a charging station: where, whose word counts, how it stands",
        handler=get_relay,
        answer=ref("RelayReport"),
        tag="second backends",
    ),
    Operation(
        method="POST",
        path="/charging-stations/{identity}/relay",
        summary="Set up a second backend or change it; a password left out stays, an empty one is removed",
        handler=post_relay,
        body=strict(
            "url",
            url={**TEXT, "maxLength": LONGEST_URL},
            owner={"enum": [*Owner]},
            identity={**TEXT, "minLength": 1, "maxLength": LONGEST_IDENTITY},
            password={**TEXT, "maxLength": LONGEST_PASSWORD, "writeOnly": True},
        ),
        answer=ref("RelayReport"),
        tag="second backends",
    ),
    Operation(
        method="POST",
        path="/charging-stations/{identity}/relay/remove",
        summary="End a relay: what was not passed on stays here alone",
        handler=post_remove_relay,
        answer=ref("RelayReport"),
        tag="second backends",
    ),
    Operation(
        method="GET",
        path="/charging-stations/{identity}/relay/answers",
        summary="What the second backend has answered, newest first",
        handler=list_relay_answers,
        answer=page_of("RelayAnswer"),
        query={"limit": "Page length", "after": "Cursor of the page before"},
        tag="second backends",
    ),
)
