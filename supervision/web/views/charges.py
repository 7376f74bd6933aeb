"""Doubtful charges and badges shown, from the documents of csms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from urllib.parse import urlencode

from supervision.accounts import store as accounts
from supervision.accounts.model import Identity
from supervision.accounts.rules import may_manage
from supervision.csms.model import SettledHow
from supervision.csms.review import Wish
from supervision.kernel.errors import FieldError
from supervision.kernel.timespan import local_instant, parse_instant
from supervision.services import Services
from supervision.web.views.charges_model import (
    AttemptLine,
    AttemptsView,
    DecisionLine,
    DoubtfulCharge,
    ReadingLine,
    ReviewView,
)
from supervision.web.views.devices import Device, find_device
from supervision.web.views.places import zone_of

PAGE = 20
ATTEMPTS_PAGE = 100
HIDDEN_TOKEN = 3  # characters of a badge or code that are shown

Document = Mapping[str, Any]


# --- doubtful charges -----------------------------------------------------------------------------------


async def review_view(
    services: Services, identity: Identity, organisations: Sequence[str], *, after: int, now: datetime
) -> ReviewView:
    """Compose the list, oldest charge first."""
    found: list[tuple[str, Document]] = []
    more = False
    for organisation_id in organisations:
        page = await services.review.charges(organisation_id, after=after, limit=PAGE)
        found += [(organisation_id, document) for document in page.items]
        more = more or page.next is not None
    found.sort(key=lambda entry: _number(entry[1]))
    shown = found[:PAGE]
    more = more or len(found) > PAGE
    names = await _names(services, organisations)
    charges = [
        await _charge(services, organisation_id, document, identity, names)
        for organisation_id, document in shown
    ]
    following = f"/charging/review?{urlencode({'after': charges[-1].id})}" if more and charges else ""
    return ReviewView(charges=tuple(charges), more=following, now=now)


def _number(document: Document) -> int:
    return int(document["charging_transaction"]["id"])


async def _charge(
    services: Services,
    organisation_id: str,
    document: Document,
    identity: Identity,
    names: Mapping[str, str],
) -> DoubtfulCharge:
    told = document["charging_transaction"]
    device = await find_device(services, [organisation_id], told["charging_station"])
    zone: tzinfo = UTC if device is None else device.zone
    proposal = document["proposal"] or {}
    return DoubtfulCharge(
        id=told["id"],
        charging_station=told["charging_station"],
        evse_id=told["evse_id"],
        station_name="" if device is None else device.station.name,
        vehicle=_vehicle(device, told["vehicle"]),
        id_token=masked(told["id_token"] or ""),
        started_at=parse_instant(told["started_at"]).astimezone(zone),
        stopped_at=parse_instant(told["stopped_at"]).astimezone(zone) if told["stopped_at"] else None,
        meter_start_wh=told["meter_start_wh"],
        meter_stop_wh=told["meter_stop_wh"] if told["state"] == "ended" else told["meter_last_wh"],
        measured_wh=told["measured_wh"],
        settled=told["settled"] or "",
        settled_wh=told["energy_wh"] if told["settled"] else None,
        reasons=tuple(document["reasons"]),
        ground=told["presumed"] or "",
        proposal_wh=proposal.get("energy_wh"),
        basis=proposal.get("basis", ""),
        readings=tuple(
            ReadingLine(
                at=parse_instant(line["at"]).astimezone(zone),
                register_wh=line["register_wh"],
                power_w=line["power_w"],
            )
            for line in document["readings"]
        ),
        decisions=tuple(_decision(line, zone, names) for line in document["decisions"]),
        may_settle=may_manage(identity, organisation_id)
        and (told["state"] == "ended" or "over_long" in document["reasons"]),
    )


def _vehicle(device: Device | None, vehicle_id: str | None) -> str:
    vehicles = () if device is None else device.vehicles
    return next((vehicle.name for vehicle in vehicles if vehicle.id == vehicle_id), "")


def _decision(line: Document, zone: tzinfo, names: Mapping[str, str]) -> DecisionLine:
    return DecisionLine(
        at=parse_instant(line["at"]).astimezone(zone),
        ground=line["ground"] or "",
        how=line["how"] or "",
        energy_wh=line["energy_wh"],
        person=names.get(line["person"] or "", ""),
        note=line["note"] or "",
    )


def masked(token: str) -> str:
    """A badge or code works like a key: its end is enough to recognise it."""
    return f"…{token[-HIDDEN_TOKEN:]}" if token else ""


def wish_from(form: Mapping[str, str]) -> Wish:
    """Read the form of one charge; FieldError for what is no choice or no number."""
    try:
        how = SettledHow(form.get("how", ""))
    except ValueError:
        raise FieldError("how", "accepted, entered or none is wanted") from None
    name = "proposal_wh" if how is SettledHow.ACCEPTED else "energy_wh"
    energy_wh = None if how is SettledHow.NONE else _whole(form.get(name, ""), name)
    return Wish(how=how, energy_wh=energy_wh, note=form.get("note", "")[:1000])


def _whole(text: str, name: str) -> int | None:
    plain = "".join(text.split())
    if not plain:
        return None
    if not (plain.isascii() and plain.isdecimal()) or len(plain) > 12:  # noqa: PLR2004 - far above any charge
        raise FieldError(name, "a whole number is wanted")
    return int(plain)


# --- badges shown ---------------------------------------------------------------------------------------


async def attempts_view(
    services: Services,
    organisations: Sequence[str],
    *,
    charging_station: str,
    status: str,
    day: str,
    before: int | None,
) -> AttemptsView:
    """Compose the log, newest first; FieldError for a day that is none."""
    on = _day(day)
    lines: list[tuple[int, AttemptLine]] = []
    stations: list[str] = []
    more = False
    names = await _names(services, organisations)
    for organisation_id in organisations:
        zone = await zone_of(services, organisation_id)
        page = await services.directory.attempts(
            organisation_id,
            identity=charging_station or None,
            status=status or None,
            since=None if on is None else local_instant(on, time(), zone),
            until=None if on is None else local_instant(on + timedelta(days=1), time(), zone),
            before=before,
            limit=ATTEMPTS_PAGE,
        )
        lines += [(line["id"], _attempt(line, zone, names)) for line in page.items]
        more = more or page.next is not None
        stations += [
            document["identity"] for document in (await services.directory.stations(organisation_id)).items
        ]
    lines.sort(key=lambda entry: -entry[0])
    shown = lines[:ATTEMPTS_PAGE]
    query = {"charging_station": charging_station, "status": status, "day": day}
    older = {
        **{name: value for name, value in query.items() if value},
        "before": shown[-1][0] if shown else 0,
    }
    return AttemptsView(
        attempts=tuple(line for _, line in shown),
        charging_stations=tuple(sorted(stations)),
        charging_station=charging_station,
        status=status,
        day=day,
        older=f"/charging/attempts?{urlencode(older)}" if more or len(lines) > len(shown) else "",
    )


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise FieldError("day", "a day is wanted") from None


def _attempt(line: Document, zone: tzinfo, names: Mapping[str, str]) -> AttemptLine:
    return AttemptLine(
        at=parse_instant(line["at"]).astimezone(zone),
        charging_station=line["charging_station"],
        evse_id=line["evse_id"],
        purpose=line["purpose"] or "",
        token=masked(line["token_hint"]),
        status=line["status"],
        person=names.get(line["person"] or "", ""),
        booking=line["booking"] or "",
    )


async def _names(services: Services, organisations: Sequence[str]) -> dict[str, str]:
    """Names of the people of these organisations by id."""
    names: dict[str, str] = {}
    for organisation_id in organisations:
        async with services.db.read(organisation_id) as reader:
            people = await accounts.people_of(reader, organisation_id)
        names |= {person.id: person.name for person in people}
    return names
