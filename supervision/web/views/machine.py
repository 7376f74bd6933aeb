"""Charging stations as machines: what they tell, what they are busy with, the files they fetch and leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from supervision.csms.devices.campaigns import Sent
from supervision.csms.devices.model import FileKind
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import parse_instant
from supervision.services import Services
from supervision.web.views.device_model import (
    ErrandLine,
    FileLine,
    FirmwareView,
    HoldLine,
    LimitLine,
    MachineView,
    NoticeLine,
    ReportView,
)
from supervision.web.views.devices import Device
from supervision.web.views.frames import facts

MOST_LINES = 50
MOST_ROWS = 2000

Document = Mapping[str, Any]
REPORTS = frozenset(
    {"report", "monitoring_report", "charging_profiles", "customer_information", "display_messages"}
)
_LISTS = ("reportData", "monitor", "chargingProfile", "messageInfo")


async def machine_view(services: Services, device: Device, *, commands: bool, now: datetime) -> MachineView:
    """Compose the page of one charging station as a machine."""
    organisation_id, identity, zone = device.organisation_id, device.document["identity"], device.zone
    devices = services.devices
    notices = await devices.notices(organisation_id, identity, limit=MOST_LINES)
    errands = await devices.errands(organisation_id, identity, limit=MOST_LINES)
    holds = await devices.reservations(organisation_id, identity)
    limits = await devices.limits(organisation_id, identity)
    files = await services.files.files(organisation_id, charging_station=identity)
    return MachineView(
        identity=identity,
        ocpp=device.document["ocpp"] or "",
        notices=tuple(_notice(document, zone) for document in notices),
        errands=tuple(_errand(document, identity, zone) for document in errands),
        holds=tuple(_hold(document, zone) for document in holds),
        limits=tuple(_limit(document, zone) for document in limits),
        files=tuple(file_line(document, zone) for document in files),
        commands=commands,
        now=now.astimezone(zone),
    )


async def report_view(services: Services, device: Device, number: str, *, now: datetime) -> ReportView | None:
    """Compose the page of one report; None when the station has none of that number."""
    if not number.isdecimal() or len(number) > 18:  # noqa: PLR2004 - digits of 64 bits
        return None
    identity = device.document["identity"]
    found = await services.devices.errand(device.organisation_id, identity, int(number))
    if found is None:
        return None
    rows = [row for page in found["pages"] for row in _rows(page)]
    return ReportView(
        identity=identity,
        errand=_errand(found, identity, device.zone),
        rows=tuple(rows[:MOST_ROWS]),
        pages=len(found["pages"]),
        now=now.astimezone(device.zone),
    )


async def firmware_view(
    services: Services,
    organisations: Mapping[str, str],
    *,
    zone: ZoneInfo,
    sent: Sequence[Sent],
    now: datetime,
) -> FirmwareView:
    """Compose the page of firmware over the organisations (id -> name) the viewer may command."""
    files, stations, errands = [], [], []
    for organisation_id in organisations:
        files += await services.files.files(organisation_id, kind=FileKind.FIRMWARE)
        found = await services.directory.stations(organisation_id, limit=1000)
        stations += [(one["identity"], _what(one)) for one in found.items]
        errands += await services.devices.firmware_errands(organisation_id, limit=MOST_LINES)
    return FirmwareView(
        organisations=organisations,
        files=tuple(file_line(document, zone) for document in files),
        stations=tuple(stations),
        errands=tuple(_errand(one, one["charging_station"], zone) for one in errands),
        sent=tuple((one.charging_station, _outcome(one)) for one in sent),
        now=now.astimezone(zone),
    )


def _outcome(sent: Sent) -> str:
    return sent.result.code if isinstance(sent.result, Refused) else sent.result.state.value


def _what(document: Document) -> str:
    boot = document["boot"] or {}
    return " ".join(boot[name] for name in ("vendor", "model", "firmware") if boot.get(name))


def _notice(document: Document, zone: ZoneInfo) -> NoticeLine:
    return NoticeLine(
        at=parse_instant(document["at"]).astimezone(zone),
        name=document["name"],
        facts=" · ".join(facts(document["details"])),
        alarming=document["alarming"],
        cleared=document["cleared"],
        evse_id=document["evse_id"],
    )


def _errand(document: Document, identity: str, zone: ZoneInfo) -> ErrandLine:
    page = f"/charging-stations/{quote(identity)}/reports/{document['id']}"
    return ErrandLine(
        kind=document["kind"],
        state=document["state"],
        word=document["word"],
        begun_at=parse_instant(document["begun_at"]).astimezone(zone),
        told_at=parse_instant(document["told_at"]).astimezone(zone),
        href=page if document["kind"] in REPORTS else "",
        charging_station=identity,
    )


def _hold(document: Document, zone: ZoneInfo) -> HoldLine:
    until = document["expires_at"]
    return HoldLine(
        evse_id=document["evse_id"],
        token_hint=document["token_hint"],
        state=document["state"],
        until=None if until is None else parse_instant(until).astimezone(zone),
    )


def _limit(document: Document, zone: ZoneInfo) -> LimitLine:
    return LimitLine(
        evse_id=document["evse_id"],
        source=document["source"],
        facts=" · ".join(facts(document["schedules"])),
        at=parse_instant(document["at"]).astimezone(zone),
    )


def file_line(document: Document, zone: ZoneInfo) -> FileLine:
    """Return a file as its line shows it."""
    shown = ("vendor", "model", "version")
    said = [str(document["details"][name]) for name in shown if document["details"].get(name)]
    return FileLine(
        id=document["id"],
        kind=document["kind"],
        name=document["name"],
        facts=" · ".join(said),
        size_bytes=document["size_bytes"],
        at=parse_instant(document["complete_at"] or document["made_at"]).astimezone(zone),
        href=f"/files/{document['id']}" if document["complete_at"] else "",
    )


def _rows(page: Document) -> list[tuple[str, str]]:
    """What a page of a report says, item by item; one that is text alone is one row."""
    if "data" in page:
        return [("", str(page["data"]))] if page["data"] else []
    about = f"EVSE {page['evseId']}" if "evseId" in page else ""
    items = [item for name in _LISTS for item in page.get(name) or [] if isinstance(item, dict)]
    return [(_name(item) or about, " · ".join(facts(_said(item)))) for item in items]


def _name(item: Document) -> str:
    component, variable = item.get("component"), item.get("variable")
    if not isinstance(component, dict) or not isinstance(variable, dict):
        return ""
    evse = component.get("evse")
    place = f" (EVSE {evse.get('id')})" if isinstance(evse, dict) else ""
    return f"{component.get('name')}.{variable.get('name')}{place}"


def _said(item: Document) -> Mapping[str, Any]:
    return {name: value for name, value in item.items() if name not in {"component", "variable"}}
