"""API: getting to know a charger."""

from __future__ import annotations

from supervision.accounts import rules
from supervision.web.api.charging_stations import found_station
from supervision.web.api.operation import Call, Operation
from supervision.web.api.schemas import ref


async def get_probe(call: Call) -> object:
    """Return how far the probe is, and what is known of stations of its kind."""
    organisation_id, station = await found_station(call)
    return await call.services.probes.report(organisation_id, station["identity"])


async def post_probe(call: Call) -> object:
    """Begin a probe; the station must be connected."""
    organisation_id, station = await found_station(call)
    call.require(rules.may_command, organisation_id)
    return await call.services.probes.start(
        organisation_id, station["identity"], by_person_id=call.identity.person.id
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/charging-stations/{identity}/probe",
        summary="What a probe has found, and what is known of the maker's model with its firmware",
        handler=get_probe,
        answer=ref("Probe"),
        tag="probes",
    ),
    Operation(
        method="POST",
        path="/charging-stations/{identity}/probe",
        summary="Get to know a charging station; with a charging car, its limits, pause and wake too",
        handler=post_probe,
        answer=ref("Probe"),
        tag="probes",
    ),
)
