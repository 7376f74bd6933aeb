"""Unknown charging stations: who knocks, and their adoption with one click."""

from __future__ import annotations

from starlette.responses import Response

from supervision.csms.directory import NewEvse
from supervision.csms.kinds import KINDS, MIN_A
from supervision.fleet import store as fleet
from supervision.kernel.errors import Refused
from supervision.web.views.adoption import strangers_view
from supervision.web.views.station_model import NewPassword
from supervision.web.visit import PageError, Visit

MOST_POINTS = 8


async def strangers(visit: Visit) -> Response:
    """List who knocked, or look for one identity."""
    return await _page(visit, None)


async def adopt(visit: Visit) -> Response:
    """Register a stranger; its password stands on this answer and nowhere else."""
    form = await visit.form()
    station_id = form.get("station", "")
    organisation_id = await _organisation_of(visit, station_id)
    kind, points = form.get("kind", ""), form.get("points", "")
    if kind not in KINDS or points not in {str(n) for n in range(1, MOST_POINTS + 1)}:
        raise PageError(422)
    made = await visit.services.adoption.adopt(
        organisation_id,
        visit.path["identity"],
        station_id=station_id,
        new_evses=[_evse(number, kind) for number in range(1, int(points) + 1)],
        by_person_id=visit.person.id,
    )
    if isinstance(made, Refused):
        raise PageError(404)
    return await _page(visit, NewPassword(identity=visit.path["identity"], password=made.password or ""))


def _evse(number: int, kind: str) -> NewEvse:
    usual = KINDS[kind]
    phases = tuple(range(1, usual.phase_count + 1))
    return NewEvse(id=number, kind=kind, phases=phases, max_a=usual.max_a, min_a=MIN_A)


async def _organisation_of(visit: Visit, station_id: str) -> str:
    """The organisation of the viewer's that has the place; a place of others is none."""
    for organisation_id in visit.administered:
        async with visit.services.db.read(organisation_id) as reader:
            if await fleet.station(reader, organisation_id, station_id) is not None:
                return organisation_id
    raise PageError(404)


async def _page(visit: Visit, adopted: NewPassword | None) -> Response:
    sought = visit.query.get("identity", "").strip()[:48]
    view = await strangers_view(
        visit.services, visit.administered, sought=sought, adopted=adopted, now=visit.now
    )
    return visit.render("unknown_stations.html", view)


ROUTES = (
    ("GET", "/unknown-charging-stations", strangers),
    ("POST", "/unknown-charging-stations/{identity}/adopt", adopt),
)
