"""Batches of commands for their pages: who can be chosen, what was asked, what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from supervision.accounts import store as accounts
from supervision.csms.batches import Targets
from supervision.fleet import store as fleet
from supervision.kernel.errors import FieldError
from supervision.kernel.timespan import parse_instant
from supervision.services import Services
from supervision.web.views.command_model import (
    BatchesView,
    BatchLine,
    BatchView,
    Choice,
    CommandOutcome,
    Meaning,
)
from supervision.web.views.commands import Target, order_from
from supervision.web.views.frames import facts
from supervision.web.views.places import zone_of

Document = Mapping[str, Any]

SHOWN_BATCHES = 30
MOST_STATIONS = 2000
FOR_MANY = ("reset", "trigger", "configuration", "limit", "clear_limit")  # what needs no point and no badge


def command_outcome(document: Document, zone: ZoneInfo) -> CommandOutcome:
    """A stored command as pages show it."""
    due_at = document["due_at"] if document["state"] == "queued" and document["tries"] else None
    return CommandOutcome(
        id=document["id"],
        charging_station=document["charging_station"],
        action=document["action"],
        state=document["state"],
        detail=said(document["response"], document["error"]),
        at=parse_instant(document["finished_at"] or document["created_at"]).astimezone(zone),
        meaning=meaning(document["verdict"]),
        late=document["late"],
        tries=document["tries"],
        due_at=None if due_at is None else parse_instant(due_at).astimezone(zone),
    )


def meaning(verdict: Document | None) -> Meaning | None:
    """A verdict as pages show it."""
    if verdict is None:
        return None
    return Meaning(
        kind=verdict["kind"],
        awaits=verdict["awaits"] or "",
        word=verdict["word"] or "",
        reason=verdict["reason"] or "",
        items=tuple((item["subject"], item["word"], item["reason"] or "") for item in verdict["items"]),
    )


def said(response: Mapping[str, Any] | None, error: Mapping[str, Any] | None) -> str:
    """What the charging station said, in a line."""
    if error and not response:
        return ": ".join(str(error[name]) for name in ("code", "description") if error.get(name))
    return " · ".join(facts(response or {}))


def targets_from(form: Mapping[str, str], view: BatchesView) -> tuple[str, Targets]:
    """Read who is meant: the value of `where` ("organisation:ID" or "station:ID"), and Targets.

    FieldError for what the form did not offer.
    """
    where, model = form.get("where", ""), form.get("model", "")
    if where not in {choice.value for choice in (*view.everywhere, *view.places)}:
        raise FieldError("where", "unknown")
    if model and model not in {choice.value for choice in view.models}:
        raise FieldError("model", "unknown")
    kind, _, name = where.partition(":")
    vendor, name_of_model, firmware = model.split("\t") if model else (None, None, None)
    return where, Targets(
        station_id=name if kind == "station" else None,
        vendor=vendor or None,
        model=name_of_model or None,
        firmware=firmware or None,
    )


def wanted_from(form: Mapping[str, str], ocpp: str | None) -> tuple[str, Mapping[str, Any]]:
    """The message that the form means for a station of this version; FieldError names a wrong field."""
    if form.get("command") not in FOR_MANY:
        raise FieldError("command", "unknown")
    order = order_from({"evse_id": "1", **form}, Target(ocpp=ocpp or "", running={}))
    return order.action, order.payload


async def batches_view(services: Services, organisations: Sequence[str], *, now: datetime) -> BatchesView:
    """Compose the list and what the form offers."""
    lines: list[BatchLine] = []
    everywhere: list[Choice] = []
    places: list[Choice] = []
    models: set[tuple[str, str, str]] = set()
    for organisation_id in organisations:
        async with services.db.read(organisation_id) as reader:
            organisation = await accounts.organisation(reader, organisation_id)
            stations = await fleet.stations_of(reader, organisation_id)
        name = organisation_id if organisation is None else organisation.name
        everywhere.append(Choice(value=f"organisation:{organisation_id}", label=name))
        places += [Choice(value=f"station:{station.id}", label=station.name) for station in stations]
        found = await services.directory.stations(organisation_id, limit=MOST_STATIONS)
        models |= {_model(document["boot"]) for document in found.items if document["boot"]}
        page = await services.batches.batches(organisation_id, limit=SHOWN_BATCHES)
        zone = await zone_of(services, organisation_id)
        lines += [batch_line(item, zone) for item in page.items]
    newest = sorted(lines, key=lambda line: line.at, reverse=True)
    return BatchesView(
        lines=tuple(newest[:SHOWN_BATCHES]),
        everywhere=tuple(everywhere),
        places=tuple(places),
        models=tuple(
            Choice(value="\t".join(parts), label=" ".join(part for part in parts if part))
            for parts in sorted(models)
        ),
        now=now,
    )


def _model(boot: Mapping[str, Any]) -> tuple[str, str, str]:
    vendor, model, firmware = (str(boot.get(name) or "") for name in ("vendor", "model", "firmware"))
    return vendor, model, firmware


async def batch_view(
    services: Services, organisation_id: str, document: Document, *, now: datetime
) -> BatchView:
    """Compose the page of one batch."""
    zone = await zone_of(services, organisation_id)
    return BatchView(
        line=batch_line(document, zone),
        commands=tuple(command_outcome(command, zone) for command in document["commands"]),
        now=now.astimezone(zone),
    )


def batch_line(document: Document, zone: ZoneInfo) -> BatchLine:
    """A batch in a line."""
    return BatchLine(
        id=document["id"],
        action=document["action"],
        at=parse_instant(document["created_at"]).astimezone(zone),
        total=document["total"],
        states=tuple(document["states"].items()),
    )
