"""API: vehicles, and the charging plan of a station."""

from __future__ import annotations

from typing import Any

from supervision.accounts import rules
from supervision.fleet import store as fleet
from supervision.fleet.model import Vehicle
from supervision.kernel.errors import Refused
from supervision.web.api.operation import ApiError, Call, Operation
from supervision.web.api.schemas import page_of, ref


async def list_vehicles(call: Call) -> object:
    """Return the vehicles of the caller's organisations, by id."""
    found: list[dict[str, Any]] = []
    for organisation_id in call.organisations:
        async with call.services.db.read(organisation_id) as reader:
            vehicles = await fleet.vehicles_of(reader, organisation_id)
        ids = [vehicle.id for vehicle in vehicles]
        charge = await call.services.charging.expected_soc(organisation_id, ids, call.services.clock.now())
        found += [_vehicle(vehicle, charge.get(vehicle.id)) for vehicle in vehicles]
    found.sort(key=lambda vehicle: str(vehicle["id"]))
    rest = [vehicle for vehicle in found if vehicle["id"] > (call.after or "")]
    page = rest[: call.limit]
    return {"items": page, "next": page[-1]["id"] if len(rest) > len(page) else None}


async def get_charging_plan(call: Call) -> object:
    """Return needs, windows, plan, reasons, compiled profiles and their verification."""
    station_id = call.path["id"]
    for organisation_id in rules.supervised(call.identity):
        async with call.services.db.read(organisation_id) as reader:
            known = await fleet.station(reader, organisation_id, station_id)
        if known is not None:
            found = await call.services.charging.station_plan(organisation_id, station_id)
            return found if isinstance(found, Refused) else _with_windows(found)
    raise ApiError(404, "station_unknown", f"unknown station {station_id!r}")


def _with_windows(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "windows": (document["plan"] or {}).get("windows", [])}


def _vehicle(vehicle: Vehicle, soc_percent: float | None) -> dict[str, Any]:
    plain = ("id", "name", "plate", "model", "battery_wh", "phases", "max_a", "min_a", "wh_per_km")
    return {
        **{name: getattr(vehicle, name) for name in plain},
        "station": vehicle.station_id,
        "evse": None if vehicle.evse is None else str(vehicle.evse),
        "odometer_km": vehicle.odometer_km,
        "soc_percent": soc_percent,
        "in_service": vehicle.withdrawn_at is None,
    }


OPERATIONS = (
    Operation(
        method="GET",
        path="/vehicles",
        summary="Vehicles",
        handler=list_vehicles,
        query={"limit": "Page length", "after": "Cursor"},
        answer=page_of("Vehicle"),
        tag="fleet",
    ),
    Operation(
        method="GET",
        path="/stations/{id}/charging-plan",
        summary="The charging plan of a station: needs, windows, plan, reasons, profiles, verification",
        handler=get_charging_plan,
        answer=ref("ChargingPlan"),
        tag="fleet",
    ),
)
