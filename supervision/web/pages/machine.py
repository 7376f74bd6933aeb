"""Charging stations as machines: notices, errands and reports, logs, firmware."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from zoneinfo import ZoneInfo

from starlette.datastructures import UploadFile
from starlette.responses import FileResponse, Response, StreamingResponse

from supervision.accounts import rules
from supervision.csms.devices.campaigns import Sent
from supervision.csms.devices.model import FileKind
from supervision.kernel.errors import Refused
from supervision.web.pages.devices import found_device
from supervision.web.views.machine import firmware_view, machine_view, report_view
from supervision.web.views.places import names_of, zone_of
from supervision.web.visit import PageError, Visit

CHUNK_BYTES = 256 * 1024
_LOGS = {"diagnostics": FileKind.DIAGNOSTICS, "security_log": FileKind.SECURITY_LOG}


async def machine(visit: Visit) -> Response:
    """Show what a charging station tells about itself and is busy with."""
    device = await found_device(visit)
    commands = rules.may_command(visit.signed_in, device.organisation_id)
    view = await machine_view(visit.services, device, commands=commands, now=visit.now)
    return visit.render("machine.html", view)


async def report(visit: Visit) -> Response:
    """Show one report of a charging station."""
    view = await report_view(visit.services, await found_device(visit), visit.path["number"], now=visit.now)
    if view is None:
        raise PageError(404)
    return visit.render("report.html", view)


async def log(visit: Visit) -> Response:
    """Ask a charging station to upload a log."""
    device = await found_device(visit)
    if not rules.may_command(visit.signed_in, device.organisation_id):
        raise PageError(403)
    kind = _LOGS.get((await visit.form()).get("kind", ""))
    if kind is None:
        raise PageError(400)
    identity = device.document["identity"]
    result = await visit.services.campaigns.fetch_log(
        device.organisation_id, identity, kind, by_person_id=visit.person.id
    )
    if isinstance(result, Refused):
        told = visit.with_refusal(result, zone=device.zone)
        view = await machine_view(visit.services, device, commands=True, now=visit.now)
        return told.render("machine.html", view, status=422)
    return visit.see(f"/charging-stations/{identity}/machine", done="log_asked")


async def journal(visit: Visit) -> Response:
    """Take the journal of a charging station away as a file."""
    device = await found_device(visit)
    identity = device.document["identity"]
    return StreamingResponse(
        visit.services.journal.lines(device.organisation_id, identity),
        media_type="application/jsonl",
        headers={"Content-Disposition": f'attachment; filename="{identity}.jsonl"'},
    )


async def file(visit: Visit) -> Response:
    """Take a log or a firmware away."""
    for organisation_id in visit.supervised:
        found = await visit.services.files.file(organisation_id, visit.path["id"])
        if found is not None:
            document, path = found
            return FileResponse(path, media_type="application/octet-stream", filename=document["name"])
    raise PageError(404)


async def firmware(visit: Visit) -> Response:
    """Show firmware, the stations it is for, and how far they are."""
    return await _firmware(visit, ())


async def add_firmware(visit: Visit) -> Response:
    """Take a firmware in from a form with a file."""
    form, upload = await visit.form(), await visit.file("file")
    organisation_id = _named(visit, form.get("organisation", ""))
    if upload is None or not upload.filename:
        return await _refused(visit, Refused("file_missing"))
    names = ("vendor", "model", "version", "signing_certificate", "signature")
    details = {name: form[name][:5500] for name in names if form.get(name)}
    files = visit.services.files
    file_id = await files.create(
        organisation_id,
        FileKind.FIRMWARE,
        name=upload.filename,
        details=details,
        by_person_id=visit.person.id,
    )
    stored = await files.fill(organisation_id, file_id, _chunks(upload))
    if isinstance(stored, Refused):
        return await _refused(visit, stored)
    return visit.see("/firmware", done="firmware_added")


async def send_firmware(visit: Visit) -> Response:
    """Send the chosen stations for a firmware."""
    chosen, wanted = await visit.choices("station"), (await visit.form()).get("file", "")
    for organisation_id in _commanded(visit):
        if await visit.services.files.file(organisation_id, wanted) is None:
            continue
        mine = await visit.services.directory.stations(organisation_id, limit=1000)
        identities = [one["identity"] for one in mine.items if one["identity"] in chosen]
        sent = await visit.services.campaigns.update_firmware(
            organisation_id, identities, wanted, by_person_id=visit.person.id
        )
        return await _refused(visit, sent) if isinstance(sent, Refused) else await _firmware(visit, sent)
    return await _refused(visit, Refused("unknown_file", {"file": wanted}))


async def _firmware(visit: Visit, sent: Sequence[Sent], *, status: int = 200) -> Response:
    organisations = _commanded(visit)
    zone = await _zone(visit, organisations)
    names = await names_of(visit.services, organisations)
    view = await firmware_view(visit.services, names, zone=zone, sent=sent, now=visit.now)
    return visit.render("firmware.html", view, status=status)


async def _refused(visit: Visit, refused: Refused) -> Response:
    zone = await _zone(visit, _commanded(visit))
    return await _firmware(visit.with_refusal(refused, zone=zone), (), status=422)


async def _zone(visit: Visit, organisations: Sequence[str]) -> ZoneInfo:
    return await zone_of(visit.services, organisations[0])


def _commanded(visit: Visit) -> list[str]:
    """Organisations whose stations the viewer may command; 403 for whoever has none."""
    found = [one for one in visit.supervised if rules.may_command(visit.signed_in, one)]
    if not found:
        raise PageError(403)
    return found


def _named(visit: Visit, organisation_id: str) -> str:
    commanded = _commanded(visit)
    if organisation_id in commanded:
        return organisation_id
    if organisation_id or len(commanded) != 1:
        raise PageError(404)
    return commanded[0]


async def _chunks(upload: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await upload.read(CHUNK_BYTES):
        yield chunk


ROUTES = (
    ("GET", "/charging-stations/{identity}/machine", machine),
    ("GET", "/charging-stations/{identity}/reports/{number}", report),
    ("GET", "/charging-stations/{identity}/journal", journal),
    ("POST", "/charging-stations/{identity}/logs", log),
    ("GET", "/files/{id}", file),
    ("GET", "/firmware", firmware),
    ("POST", "/firmware", add_firmware),
    ("POST", "/firmware/campaigns", send_firmware),
)
