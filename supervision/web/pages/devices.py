"""Charging stations: list, state, messages, commands."""

from __future__ import annotations

from starlette.responses import Response

from supervision.accounts.rules import administered, may_administer, may_command
from supervision.kernel.errors import FieldError, Refused
from supervision.web import rendering
from supervision.web.i18n import translator
from supervision.web.i18n.words import Words
from supervision.web.live import Part, stream
from supervision.web.views.batches import meaning, said
from supervision.web.views.command_model import CommandOutcome
from supervision.web.views.commands import order_from
from supervision.web.views.devices import (
    Device,
    device_view,
    devices_view,
    find_device,
)
from supervision.web.views.relay import wish_in
from supervision.web.views.security import act, certificate_in
from supervision.web.views.station_model import ChargingStationView
from supervision.web.visit import PageError, Visit

ANSWER_WITHIN_S = 15


async def devices(visit: Visit) -> Response:
    """List every charging station by station."""
    return visit.render(
        "charging_stations.html",
        await devices_view(
            visit.services, visit.supervised, may_adopt=bool(administered(visit.signed_in)), now=visit.now
        ),
    )


async def device(visit: Visit) -> Response:
    """Show one charging station."""
    return await _page(visit, await found_device(visit), None)


async def device_events(visit: Visit) -> Response:
    """Stream the state of the EVSEs and the newest messages."""
    found = await found_device(visit)
    topics = {f"station:{found.station.id}", f"relay:{found.document['identity']}"}

    async def refresh(_touched: frozenset[str]) -> list[Part]:
        view = await _view(visit, await found_device(visit), None)
        language, parts = visit.language, "station_parts.html"
        points = rendering.render_part(parts, "evse_table", view.state, view.now, language=language)
        frames = rendering.render_part(parts, "frame_rows", view.frames, language=language)
        recent = rendering.render_part(parts, "recent_commands", view, visit.csrf, language=language)
        remedies = rendering.render_part(parts, "remedies", view.state, visit.csrf, language=language)
        known = rendering.render_part(parts, "security", view.security, view.now, language=language)
        relay = rendering.render_part(parts, "relay", view.relay, view.now, language=language)
        return [
            Part("points", points),
            Part("remedies", remedies),
            Part("frame-rows", frames),
            Part("recent-commands", recent),
            Part("security-known", known),
            Part("relay-known", relay),
        ]

    return stream(visit, wanted=topics.__contains__, refresh=refresh)


async def command(visit: Visit) -> Response:
    """Send a command, wait for the answer, show it: as a fragment to htmx, else as the whole page."""
    found = await found_device(visit)
    if not may_command(visit.signed_in, found.organisation_id):
        raise PageError(403)
    outcome = await _send(visit, found)
    if visit.is_fragment:
        return visit.fragment("station_parts.html", "outcome", outcome)
    return await _page(visit, found, outcome)


async def security(visit: Visit) -> Response:
    """Do something for the security of the charging station, wait for the answer, show it."""
    found = await found_device(visit)
    if not may_command(visit.signed_in, found.organisation_id):
        raise PageError(403)
    outcome = await _secure(visit, found)
    if visit.is_fragment:
        return visit.fragment("station_parts.html", "outcome", outcome)
    return await _page(visit, found, outcome)


async def revoke(visit: Visit) -> Response:
    """Take a certificate back."""
    found = await found_device(visit)
    if not may_administer(visit.signed_in, found.organisation_id):
        raise PageError(403)
    try:
        number = certificate_in(await visit.form())
    except FieldError:
        raise PageError(404) from None
    identity = found.document["identity"]
    done = await visit.services.security.revoke_certificate(found.organisation_id, identity, number)
    if isinstance(done, Refused):
        raise PageError(404)
    return visit.see(f"/charging-stations/{identity}", done="revoked")


async def _secure(visit: Visit, found: Device) -> CommandOutcome:
    form, words = await visit.form(), Words(translator(visit.language))
    title, here = words.security_action(form.get("action", "")), visit.now.astimezone(found.zone)
    try:
        result = await act(
            visit.services, found.organisation_id, found.document["identity"], form, visit.person.id
        )
    except FieldError as error:
        return CommandOutcome(action=title, state="refused", detail=str(error), at=here)
    if isinstance(result, Refused):
        detail = words.refusal(result.code, result.params, here)
        return CommandOutcome(action=title, state="refused", detail=detail, at=here)
    return CommandOutcome(
        id=result.id,
        action=title,
        state=str(result.state),
        detail=said(result.response, result.error),
        meaning=meaning(None if result.verdict is None else result.verdict.document()),
        at=visit.services.clock.now().astimezone(found.zone),
    )


async def _send(visit: Visit, found: Device) -> CommandOutcome:
    form = await visit.form()
    here = visit.now.astimezone(found.zone)
    try:
        order = order_from(form, found.target)
    except FieldError as error:
        return CommandOutcome(action=form.get("command", ""), state="refused", detail=str(error), at=here)
    result = await visit.services.commands.send(
        found.organisation_id,
        found.document["identity"],
        order.action,
        order.payload,
        timeout_s=ANSWER_WITHIN_S,
        origin="portal",
        by_person_id=visit.person.id,
    )
    if isinstance(result, Refused):
        raise PageError(404)
    return CommandOutcome(
        id=result.id,
        action=order.action,
        state=str(result.state),
        detail=said(result.response, result.error),
        meaning=meaning(None if result.verdict is None else result.verdict.document()),
        at=visit.services.clock.now().astimezone(found.zone),
    )


async def cancel(visit: Visit) -> Response:
    """Call off a command that waits."""
    found = await found_device(visit)
    if not may_command(visit.signed_in, found.organisation_id):
        raise PageError(403)
    identity = found.document["identity"]
    cancelled = await visit.services.commands.cancel(found.organisation_id, identity, visit.path["id"])
    if not isinstance(cancelled, Refused):
        return visit.see(f"/charging-stations/{identity}", done="called_off")
    if cancelled.code == "unknown_command":
        raise PageError(404)
    return await _page(visit.with_refusal(cancelled, zone=found.zone), found, None)


async def _page(visit: Visit, found: Device, outcome: CommandOutcome | None) -> Response:
    return visit.render("charging_station.html", await _view(visit, found, outcome))


async def _view(visit: Visit, found: Device, outcome: CommandOutcome | None) -> ChargingStationView:
    return await device_view(
        visit.services,
        found,
        action=visit.query.get("action", ""),
        kind=visit.query.get("kind", ""),
        limit=int(visit.query["limit"]) if visit.query.get("limit", "").isdecimal() else 0,
        outcome=outcome,
        may_administer=may_administer(visit.signed_in, found.organisation_id),
        now=visit.services.clock.now(),
    )


async def found_device(visit: Visit) -> Device:
    """Return the charging station of the address; 404 for one the viewer does not supervise."""
    found = await find_device(visit.services, visit.supervised, visit.path["identity"])
    if found is None:
        raise PageError(404)
    return found


async def relay(visit: Visit) -> Response:
    """Set up a second backend or change it."""
    found = await _administered(visit)
    identity = found.document["identity"]
    try:
        wish = wish_in(await visit.form())
    except FieldError:
        raise PageError(422) from None
    saved = await visit.services.relays.save(
        found.organisation_id, identity, wish, by_person_id=visit.person.id
    )
    if isinstance(saved, Refused):
        told = visit.with_refusal(saved, zone=found.zone)
        return told.render("charging_station.html", await _view(visit, found, None), status=422)
    return visit.see(f"/charging-stations/{identity}", done="relay_saved")


async def remove_relay(visit: Visit) -> Response:
    """End a relay."""
    found = await _administered(visit)
    identity = found.document["identity"]
    removed = await visit.services.relays.remove(
        found.organisation_id, identity, by_person_id=visit.person.id
    )
    if isinstance(removed, Refused):
        raise PageError(404)
    return visit.see(f"/charging-stations/{identity}", done="relay_removed")


async def _administered(visit: Visit) -> Device:
    found = await found_device(visit)
    if not may_administer(visit.signed_in, found.organisation_id):
        raise PageError(403)
    return found


ROUTES = (
    ("GET", "/charging-stations", devices),
    ("GET", "/charging-stations/{identity}", device),
    ("GET", "/charging-stations/{identity}/events", device_events),
    ("POST", "/charging-stations/{identity}/commands", command),
    ("POST", "/charging-stations/{identity}/commands/{id}/cancel", cancel),
    ("POST", "/charging-stations/{identity}/security", security),
    ("POST", "/charging-stations/{identity}/security/revoke", revoke),
    ("POST", "/charging-stations/{identity}/relay", relay),
    ("POST", "/charging-stations/{identity}/relay/remove", remove_relay),
)
