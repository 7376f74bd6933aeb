"""NotifyReport of OCPP 2.0.1: the variables of a station."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from supervision.csms import wire
from supervision.csms.devices.model import ErrandKind
from supervision.csms.handlers import notices
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services
from supervision.csms.store import update_station
from supervision.store.db import Tx
from supervision.store.schema import charging_stations

_MAX_VARIABLES = 2000  # of one station, as a bound on what it can make us keep


async def _notify_report(services: Services, incoming: Incoming, tx: Tx) -> Payload:
    """Keep the page of its report, and the actual values by name though pages are lost.

    The name is `Component.Variable`, with the variable's instance in brackets when it has one: the limits of
    different messages are instances of one variable.
    """
    station = incoming.station
    known = await tx.scalar(
        select(charging_stations.c.capabilities).where(
            charging_stations.c.organisation_id == station.organisation_id,
            charging_stations.c.identity == station.identity,
        )
    )
    capabilities = dict(known or {})
    variables = {**capabilities.get("variables", {}), **_variables(incoming.payload)}
    capabilities["variables"] = dict(list(variables.items())[:_MAX_VARIABLES])
    await update_station(tx, station, capabilities=capabilities)
    await notices.keep_page(services, incoming, tx, ErrandKind.REPORT)
    return {}


def _variables(payload: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in payload.get("reportData") or []:
        instance = wire.text(item["variable"], "instance")
        name = f"{wire.text(item['component'], 'name')}.{wire.text(item['variable'], 'name')}"
        name += f"[{instance}]" if instance else ""
        for attribute in item.get("variableAttribute", []):
            if attribute.get("type", "Actual") == "Actual" and "value" in attribute:
                found[name] = str(attribute["value"])
    return found


HANDLER = Handler(unit=_notify_report)
