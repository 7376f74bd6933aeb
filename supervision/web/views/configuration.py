"""Settings wished for and found, as their pages show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from supervision.kernel.timespan import parse_instant
from supervision.services import Services
from supervision.web.views.devices import Device
from supervision.web.views.places import names_of
from supervision.web.views.station_model import (
    ConfigurationReport,
    ConfigurationView,
    SettingLine,
    WishesView,
    WishLine,
)


async def configuration_view(services: Services, device: Device, now: datetime) -> ConfigurationView:
    """Compose the page of one station's settings."""
    identity = device.document["identity"]
    report = await services.configuration.report(device.organisation_id, identity)
    return ConfigurationView(
        report=report_from(report, device.zone),
        connected=device.document["connected"],
        policy=device.document["boot_policy"],
        registration=device.document["registration"] or "",
        now=now,
    )


async def wishes_view(
    services: Services, organisations: Sequence[str], *, administered: Sequence[str], now: datetime
) -> WishesView:
    """Compose the page of what is wished for, and of the stations that are not so."""
    wishes: list[WishLine] = []
    drifting: list[ConfigurationReport] = []
    for organisation_id in organisations:
        wishes += [_wish(item) for item in await services.configuration.wishes(organisation_id)]
        drifting += [
            report_from(item, None) for item in await services.configuration.drifting(organisation_id)
        ]
    return WishesView(
        wishes=tuple(wishes),
        drifting=tuple(drifting),
        may_edit=bool(administered),
        organisations=tuple((await names_of(services, administered)).items()),
        now=now,
    )


def report_from(document: Mapping[str, Any], zone: ZoneInfo | None) -> ConfigurationReport:
    """Read a report of the service."""
    checked = document["checked_at"]
    at = None if checked is None else parse_instant(checked)
    return ConfigurationReport(
        identity=document["charging_station"],
        state=document["state"],
        checked_at=at.astimezone(zone) if at is not None and zone is not None else at,
        lines=tuple(SettingLine(**item) for item in document["items"]),
    )


def _wish(document: Mapping[str, Any]) -> WishLine:
    kind = " ".join(str(document[name]) for name in ("vendor", "model", "firmware") if document[name])
    return WishLine(
        id=document["id"],
        ocpp=document["ocpp"],
        name=document["name"],
        value=document["value"],
        reason=document["reason"],
        kind=kind,
        charging_station=document["charging_station"] or "",
    )
