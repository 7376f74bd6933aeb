"""Commands to many charging stations: the list with its form, and the results of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from supervision.accounts.rules import may_command
from supervision.kernel.errors import FieldError, Refused
from supervision.web import rendering
from supervision.web.live import Part, stream
from supervision.web.views.batches import batch_view, batches_view, targets_from, wanted_from
from supervision.web.views.command_model import BatchView
from supervision.web.views.places import zone_of
from supervision.web.visit import PageError, Visit


async def batches(visit: Visit) -> Response:
    """List the newest batches and offer another one."""
    return visit.render(
        "command_batches.html", await batches_view(visit.services, visit.supervised, now=visit.now)
    )


async def create(visit: Visit) -> Response:
    """Send a command to many stations; show its results."""
    view = await batches_view(visit.services, visit.supervised, now=visit.now)
    form = await visit.form()
    try:
        where, targets = targets_from(form, view)
        for ocpp in ("1.6", "2.0.1"):  # a wrong field is told before anything is sent
            wanted_from(form, ocpp)
    except FieldError as error:
        refused = Refused("wrong_field", {"field": error.path})
        return visit.with_refusal(refused, zone=await _zone(visit)).render(
            "command_batches.html", view, status=422
        )
    organisation_id = await _organisation_of(visit, where)
    if not may_command(visit.signed_in, organisation_id):
        raise PageError(403)
    made = await visit.services.batches.create(
        organisation_id,
        targets,
        lambda ocpp: wanted_from(form, ocpp),
        origin="portal",
        by_person_id=visit.person.id,
    )
    if isinstance(made, Refused):
        return visit.with_refusal(made, zone=await _zone(visit)).render(
            "command_batches.html", view, status=422
        )
    return visit.see(f"/command-batches/{made['id']}")


async def batch(visit: Visit) -> Response:
    """Show what became of a command at each station."""
    return visit.render("command_batch.html", await _view(visit))


async def batch_events(visit: Visit) -> Response:
    """Stream the results as they come."""
    organisation_id, document = await _found(visit)
    identities = {command["charging_station"] for command in document["commands"]}
    stations = await visit.services.directory.stations(organisation_id, limit=len(identities) + 2000)
    topics = {f"station:{one['station']}" for one in stations.items if one["identity"] in identities}

    async def refresh(_touched: frozenset[str]) -> list[Part]:
        html = rendering.render_part(
            "command_parts.html", "results", await _view(visit), language=visit.language
        )
        return [Part("results", html)]

    return stream(visit, wanted=lambda topic: topic in topics, refresh=refresh)


async def cancel(visit: Visit) -> Response:
    """Call off what was not sent."""
    organisation_id, document = await _found(visit)
    if not may_command(visit.signed_in, organisation_id):
        raise PageError(403)
    await visit.services.batches.cancel(organisation_id, document["id"])
    return visit.see(f"/command-batches/{document['id']}", done="called_off")


async def _view(visit: Visit) -> BatchView:
    organisation_id, document = await _found(visit)
    now = visit.services.clock.now()
    return await batch_view(visit.services, organisation_id, document, now=now)


async def _found(visit: Visit) -> tuple[str, Mapping[str, Any]]:
    for organisation_id in visit.supervised:
        found = await visit.services.batches.batch(organisation_id, visit.path["id"])
        if found is not None:
            return organisation_id, found
    raise PageError(404)


async def _organisation_of(visit: Visit, where: str) -> str:
    kind, _, name = where.partition(":")
    if kind == "organisation":
        return name
    for organisation_id in visit.supervised:
        page = await visit.services.directory.stations(organisation_id, station_id=name, limit=1)
        if page.items:
            return organisation_id
    return visit.supervised[0]  # a place without charging stations: nothing fits, whoever asks


async def _zone(visit: Visit) -> Any:
    return await zone_of(visit.services, visit.supervised[0])


ROUTES = (
    ("GET", "/command-batches", batches),
    ("POST", "/command-batches", create),
    ("GET", "/command-batches/{id}", batch),
    ("GET", "/command-batches/{id}/events", batch_events),
    ("POST", "/command-batches/{id}/cancel", cancel),
)
