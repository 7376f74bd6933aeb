"""API: what stations tell about themselves and are busy with, their logs and their firmware."""

from __future__ import annotations

from typing import Any

from starlette.responses import FileResponse, StreamingResponse

from supervision.accounts import rules
from supervision.csms.commands import CommandResult
from supervision.csms.devices.campaigns import PATH
from supervision.csms.devices.files import Purpose
from supervision.csms.devices.model import FileKind
from supervision.csms.journal import Wanted
from supervision.kernel.errors import Refused
from supervision.web.api.charging_stations import found_station
from supervision.web.api.operation import Answer, ApiError, Call, Operation, invalid
from supervision.web.api.schemas import ID, INSTANT, TEXT, page_of, ref, strict

_LOGS = {"diagnostics": FileKind.DIAGNOSTICS, "security_log": FileKind.SECURITY_LOG}


async def list_notices(call: Call) -> object:
    """Return what a station told about itself, newest first."""
    organisation_id, station = await found_station(call)
    found = await call.services.devices.notices(
        organisation_id, station["identity"], before=call.after_number or None, limit=call.limit + 1
    )
    return _page(found, call.limit)


async def list_errands(call: Call) -> object:
    """Return what a station was or is busy with, newest first."""
    organisation_id, station = await found_station(call)
    found = await call.services.devices.errands(
        organisation_id, station["identity"], before=call.after_number or None, limit=call.limit + 1
    )
    return _page(found, call.limit)


async def get_errand(call: Call) -> object:
    """Return one errand with the pages of its report."""
    organisation_id, station = await found_station(call)
    number = call.path["errand"]
    if number.isdecimal() and len(number) < 19:  # noqa: PLR2004 - digits of 64 bits
        found = await call.services.devices.errand(organisation_id, station["identity"], int(number))
        if found is not None:
            return found
    raise ApiError(404, "errand_unknown", f"unknown errand {number!r}")


async def list_evse_reservations(call: Call) -> object:
    """Return the EVSEs held for badges."""
    organisation_id, station = await found_station(call)
    found = await call.services.devices.reservations(organisation_id, station["identity"])
    return {"items": found, "next": None}


async def list_charging_limits(call: Call) -> object:
    """Return the limits others have set in a station."""
    organisation_id, station = await found_station(call)
    found = await call.services.devices.limits(organisation_id, station["identity"])
    return {"items": found, "next": None}


async def post_log(call: Call) -> object:
    """Ask a station to upload a log to us."""
    organisation_id, station = await found_station(call)
    call.require(rules.may_command, organisation_id)
    kind = _LOGS[call.body["kind"]]
    result = await call.services.campaigns.fetch_log(
        organisation_id, station["identity"], kind, by_person_id=call.identity.person.id
    )
    return result if isinstance(result, Refused) else Answer(202, _command(result))


async def list_files(call: Call) -> object:
    """Return firmware and uploaded logs, newest first."""
    kind = call.query.get("kind") or None
    if kind is not None and kind not in set(FileKind):
        raise invalid("kind", "firmware, diagnostics or security_log is wanted")
    found = [
        document
        for organisation_id in rules.supervised(call.identity)
        for document in await call.services.files.files(
            organisation_id,
            kind=None if kind is None else FileKind(kind),
            charging_station=call.query.get("charging_station") or None,
        )
    ]
    return {"items": sorted(found, key=lambda one: one["made_at"], reverse=True), "next": None}


async def get_file(call: Call) -> object:
    """Return the bytes of a file."""
    for organisation_id in rules.supervised(call.identity):
        found = await call.services.files.file(organisation_id, call.path["file"])
        if found is not None:
            document, path = found
            return FileResponse(path, media_type="application/octet-stream", filename=document["name"])
    raise ApiError(404, "file_unknown", f"unknown file {call.path['file']!r}")


async def post_firmware(call: Call) -> object:
    """Announce a firmware; its bytes go to the address in the answer, once."""
    organisation_id = _organisation(call)
    names = ("vendor", "model", "version", "signing_certificate", "signature")
    details = {name: call.body[name] for name in names if call.body.get(name)}
    file_id = await call.services.files.create(
        organisation_id,
        FileKind.FIRMWARE,
        name=call.body["name"],
        details=details,
        by_person_id=call.identity.person.id,
    )
    token = await call.services.files.link(
        organisation_id, file_id, charging_station="", purpose=Purpose.UPLOAD
    )
    return Answer(201, {"id": file_id, "upload": f"{PATH}{token}/"})


async def post_firmware_campaign(call: Call) -> object:
    """Send stations for a firmware; answers what became of the command to each."""
    organisation_id = _organisation(call)
    sent = await call.services.campaigns.update_firmware(
        organisation_id,
        call.body["charging_stations"],
        call.path["file"],
        retrieve_at=call.body_instant("retrieve_at") if call.body.get("retrieve_at") else None,
        install_at=call.body_instant("install_at") if call.body.get("install_at") else None,
        by_person_id=call.identity.person.id,
    )
    if isinstance(sent, Refused):
        return sent
    return Answer(202, {"items": [_sent(one.charging_station, one.result) for one in sent], "next": None})


async def download_frames(call: Call) -> object:
    """Stream the journal of a station as JSON lines."""
    organisation_id, station = await found_station(call)
    wanted = Wanted(
        since=call.instant("since") if call.query.get("since") else None,
        until=call.instant("until") if call.query.get("until") else None,
    )
    name = f"{station['identity']}.jsonl"
    return StreamingResponse(
        call.services.journal.lines(organisation_id, station["identity"], wanted),
        media_type="application/jsonl",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _organisation(call: Call) -> str:
    """The organisation named in the body, else the only one the caller supervises."""
    supervised = rules.supervised(call.identity)
    wanted = call.body.get("organisation") or (supervised[0] if len(supervised) == 1 else "")
    if wanted not in supervised:
        raise invalid("organisation", "one of your organisations is wanted")
    call.require(rules.may_command, wanted)
    return wanted


def _sent(identity: str, result: CommandResult | Refused) -> dict[str, Any]:
    if isinstance(result, Refused):
        refusal = {"code": result.code, "description": result.code.replace("_", " ")}
        return {"charging_station": identity, "command": None, "state": "refused", "error": refusal}
    return {
        "charging_station": identity,
        "command": result.id,
        "state": result.state.value,
        "error": result.error,
    }


def _command(result: CommandResult) -> dict[str, Any]:
    return {"command": result.id, "state": result.state.value}


def _page(found: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    shown = found[:limit]
    return {"items": shown, "next": str(shown[-1]["id"]) if len(found) > limit else None}


_PAGING = {"limit": "Page length", "after": "Cursor of the page before"}
_STATION = "/charging-stations/{identity}"
_TAG = "devices"

OPERATIONS = (
    Operation(
        method="GET",
        path=f"{_STATION}/notices",
        summary="What the station told about itself: security events, monitored variables; newest first",
        handler=list_notices,
        query=_PAGING,
        answer=page_of("Notice"),
        tag=_TAG,
    ),
    Operation(
        method="GET",
        path=f"{_STATION}/errands",
        summary="What the station goes on doing after an answer: firmware, logs, reports; newest first",
        handler=list_errands,
        query=_PAGING,
        answer=page_of("Errand"),
        tag=_TAG,
    ),
    Operation(
        method="GET",
        path=f"{_STATION}/errands/{{errand}}",
        summary="One errand with the pages of its report, in order",
        handler=get_errand,
        answer=ref("ErrandReport"),
        tag=_TAG,
    ),
    Operation(
        method="GET",
        path=f"{_STATION}/evse-reservations",
        summary="EVSEs held for badges, newest first",
        handler=list_evse_reservations,
        answer=page_of("EvseReservation"),
        tag=_TAG,
    ),
    Operation(
        method="GET",
        path=f"{_STATION}/charging-limits",
        summary="Limits that somebody else has set in the station",
        handler=list_charging_limits,
        answer=page_of("ChargingLimit"),
        tag=_TAG,
    ),
    Operation(
        method="GET",
        path=f"{_STATION}/journal",
        summary="All raw frames as JSON lines, oldest first, secrets masked",
        handler=download_frames,
        query={"since": "From this instant on", "until": "Before this instant"},
        answer={"type": "string"},
        media_type="application/jsonl",
        tag=_TAG,
    ),
    Operation(
        method="POST",
        path=f"{_STATION}/logs",
        summary="Ask the station to upload a log to us",
        handler=post_log,
        body=strict("kind", kind={"enum": sorted(_LOGS)}),
        answer=ref("SentCommand"),
        status=202,
        tag=_TAG,
    ),
    Operation(
        method="GET",
        path="/device-files",
        summary="Firmware and uploaded logs, newest first",
        handler=list_files,
        query={"kind": "firmware, diagnostics or security_log", "charging_station": "Identity"},
        answer=page_of("DeviceFile"),
        tag=_TAG,
    ),
    Operation(
        method="GET",
        path="/device-files/{file}",
        summary="The bytes of a file",
        handler=get_file,
        answer={"type": "string", "format": "binary"},
        media_type="application/octet-stream",
        tag=_TAG,
    ),
    Operation(
        method="POST",
        path="/firmware",
        summary="Announce a firmware; its bytes go by PUT to the address in the answer, once",
        handler=post_firmware,
        body=strict(
            "name",
            name={**TEXT, "minLength": 1, "maxLength": 100, "pattern": r"^[A-Za-z0-9._+-]+$"},
            vendor={**TEXT, "maxLength": 50},
            model={**TEXT, "maxLength": 50},
            version={**TEXT, "maxLength": 50},
            signing_certificate={**TEXT, "maxLength": 5500},
            signature={**TEXT, "maxLength": 800},
            organisation=ID,
        ),
        answer=ref("NewFirmware"),
        status=201,
        tag=_TAG,
    ),
    Operation(
        method="POST",
        path="/firmware/{file}/campaigns",
        summary="Send stations for a firmware, each to an address of its own",
        handler=post_firmware_campaign,
        body=strict(
            "charging_stations",
            charging_stations={"type": "array", "items": ID, "minItems": 1, "maxItems": 500},
            retrieve_at=INSTANT,
            install_at=INSTANT,
            organisation=ID,
        ),
        answer=page_of("CampaignCommand"),
        status=202,
        tag=_TAG,
    ),
)
