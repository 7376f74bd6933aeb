"""Settings of charging stations: what is wished for, what was found, what differs."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from supervision.accounts import rules
from supervision.csms.desired import Wish
from supervision.csms.holding import BootPolicy
from supervision.kernel.errors import Refused
from supervision.web.pages.devices import found_device
from supervision.web.views.configuration import configuration_view, wishes_view
from supervision.web.visit import PageError, Visit

LONGEST = {"name": 210, "value": 1000, "reason": 300, "vendor": 50, "model": 50, "firmware": 50}


async def settings(visit: Visit) -> Response:
    """Show the settings of one station."""
    view = await configuration_view(visit.services, await found_device(visit), visit.now)
    return visit.render("configuration.html", view)


async def apply(visit: Visit) -> Response:
    """Have the settings of one station read and brought to what is wished."""
    device = await found_device(visit)
    if not rules.may_command(visit.signed_in, device.organisation_id):
        raise PageError(403)
    identity = device.document["identity"]
    await visit.services.configuration.request(device.organisation_id, identity)
    return visit.see(f"/charging-stations/{identity}/configuration", done="configuration_asked")


async def boot_policy(visit: Visit) -> Response:
    """Choose how the next boots of a station are answered."""
    device = await found_device(visit)
    if not rules.may_administer(visit.signed_in, device.organisation_id):
        raise PageError(403)
    chosen = (await visit.form()).get("policy", "")
    if chosen not in set(BootPolicy):
        raise PageError(422)
    identity = device.document["identity"]
    await visit.services.directory.set_boot_policy(device.organisation_id, identity, BootPolicy(chosen))
    return visit.see(f"/charging-stations/{identity}/configuration", done="boot_policy_kept")


async def wishes(visit: Visit) -> Response:
    """Show what is wished for, and who is not so."""
    view = await wishes_view(
        visit.services,
        visit.supervised,
        administered=rules.administered(visit.signed_in),
        now=visit.now,
    )
    return visit.render("desired_settings.html", view)


async def wish(visit: Visit) -> Response:
    """Wish for a setting."""
    form = await visit.form()
    made = _wish(form)
    organisation_id = await _organisation_of(visit, made.charging_station, form.get("organisation", ""))
    result = await visit.services.configuration.wish(organisation_id, made, by_person_id=visit.person.id)
    if isinstance(result, Refused):
        raise PageError(422)
    return visit.see("/desired-settings", done="setting_kept")


async def standard(visit: Visit) -> Response:
    """Take over the standard set."""
    for organisation_id in visit.administered:
        await visit.services.configuration.take_standard(organisation_id, by_person_id=visit.person.id)
    return visit.see("/desired-settings", done="standard_taken")


async def forget(visit: Visit) -> Response:
    """Drop a wish."""
    wish_id = visit.path["id"]
    for organisation_id in visit.administered:
        known = {str(item["id"]) for item in await visit.services.configuration.wishes(organisation_id)}
        if wish_id in known:
            await visit.services.configuration.forget(organisation_id, int(wish_id))
            return visit.see("/desired-settings", done="setting_forgotten")
    raise PageError(404)


def _wish(form: Mapping[str, str]) -> Wish:
    """Read the form; an empty scope field means any."""
    fields = {name: form.get(name, "").strip() for name in (*LONGEST, "charging_station")}
    if any(len(fields[name]) > longest for name, longest in LONGEST.items()):
        raise PageError(422)
    leaves_alone = form.get("leave") == "yes"
    return Wish(
        ocpp=form.get("ocpp", ""),
        name=fields["name"],
        value=None if leaves_alone else fields["value"],
        reason=fields["reason"],
        vendor=fields["vendor"] or None,
        model=fields["model"] or None,
        firmware=fields["firmware"] or None,
        charging_station=fields["charging_station"] or None,
    )


async def _organisation_of(visit: Visit, charging_station: str | None, chosen: str) -> str:
    """The organisation of the named station; without one, that of the form, or the only one."""
    administered = visit.administered
    if charging_station is None:
        organisation_id = chosen if len(administered) > 1 else administered[0]
        if organisation_id not in administered:
            raise PageError(422)
        return organisation_id
    for organisation_id in administered:
        if await visit.services.directory.station(organisation_id, charging_station) is not None:
            return organisation_id
    raise PageError(404)


ROUTES = (
    ("GET", "/charging-stations/{identity}/configuration", settings),
    ("POST", "/charging-stations/{identity}/configuration", apply),
    ("POST", "/charging-stations/{identity}/boot-policy", boot_policy),
    ("GET", "/desired-settings", wishes),
    ("POST", "/desired-settings", wish),
    ("POST", "/desired-settings/standard", standard),
    ("POST", "/desired-settings/{id}/forget", forget),
)
