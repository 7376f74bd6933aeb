"""Getting to know a charging station."""

from __future__ import annotations

from starlette.responses import Response

from supervision.accounts.rules import may_command
from supervision.kernel.errors import Refused
from supervision.web.pages.devices import found_device
from supervision.web.views.devices import Device
from supervision.web.views.probe import probe_view
from supervision.web.visit import PageError, Visit


async def probe(visit: Visit) -> Response:
    """Show what a probe has found."""
    return await _page(visit, await found_device(visit))


async def start(visit: Visit) -> Response:
    """Begin a probe."""
    device = await found_device(visit)
    if not may_command(visit.signed_in, device.organisation_id):
        raise PageError(403)
    identity = device.document["identity"]
    made = await visit.services.probes.start(device.organisation_id, identity, by_person_id=visit.person.id)
    if isinstance(made, Refused):
        return await _page(visit.with_refusal(made, zone=device.zone), device, status=422)
    return visit.see(f"/charging-stations/{identity}/probe", done="probe_started")


async def _page(visit: Visit, device: Device, status: int = 200) -> Response:
    return visit.render("probe.html", await probe_view(visit.services, device, visit.now), status=status)


ROUTES = (
    ("GET", "/charging-stations/{identity}/probe", probe),
    ("POST", "/charging-stations/{identity}/probe", start),
)
