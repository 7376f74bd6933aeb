"""What other parts ask about charging: the plan of a station, the energy a car is expected to hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from supervision.charging import store
from supervision.charging.forecast import expected_wh
from supervision.charging.loading import load_site
from supervision.charging.store import Row
from supervision.fleet import store as fleet
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import format_instant, instant_text
from supervision.store.db import Reader

PERCENT = 100


async def station_plan(reader: Reader, organisation_id: str, station_id: str) -> dict[str, Any] | Refused:
    """Needs, windows, plan, reasons, compiled profiles and their verification, as JSON values."""
    if await fleet.station(reader, organisation_id, station_id) is None:
        return Refused("unknown_station", {"station": station_id})
    row = await store.last_plan(reader, organisation_id, station_id)
    found = {} if row is None else _plan_document(row)
    profiles = await _profiles(reader, organisation_id, station_id)
    return {"station": station_id, "plan": None, "needs": [], **found, "profiles": profiles}


async def _profiles(reader: Reader, organisation_id: str, station_id: str) -> list[dict[str, Any]]:
    rows = await store.evses_of(reader, organisation_id, station_id)
    identities = sorted({row["charging_station"] for row in rows})
    states = (store.WAITING, store.ACCEPTED, store.REJECTED, store.FAILED)
    found = await store.profiles_of(reader, organisation_id, identities, states=states)
    return [_profile_document(row) for row in found]


async def expected_soc(
    reader: Reader, organisation_id: str, vehicle_ids: Sequence[str], *, now: datetime, at: datetime
) -> dict[str, int]:
    """Percent each battery is expected to hold at an instant; cars nobody knows are left out."""
    wanted = set(vehicle_ids)
    vehicles = [await fleet.vehicle(reader, organisation_id, one) for one in vehicle_ids]
    found: dict[str, int] = {}
    for station_id in sorted({vehicle.station_id for vehicle in vehicles if vehicle is not None}):
        site = await load_site(reader, organisation_id, station_id, now=now)
        row = await store.last_plan(reader, organisation_id, station_id)
        for car in site.cars if site is not None else ():
            if car.id in wanted and car.state.source != "unknown":
                stored_wh = expected_wh(car, row["plan"] if row else None, now=now, at=at)
                found[car.id] = round(PERCENT * stored_wh / car.battery.capacity_wh)
    return found


def _plan_document(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "made_at": format_instant(row["made_at"]),
        "valid_until": format_instant(row["valid_until"]),
        "reason": row["reason"],
        "problem": row["problem"],
        "plan": row["plan"],
        "needs": row["needs"],
    }


def _profile_document(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "charging_station": row["charging_station"],
        "evse_id": row["evse_id"],
        "use": "standing" if row["charging_plan_id"] is None else "plan",
        "state": row["state"],
        "sent_at": format_instant(row["sent_at"]),
        "resend_at": instant_text(row["resend_at"]),
        "verified": row["verified"],
        "verified_at": instant_text(row["verified_at"]),
        "detail": row["detail"],
        "profile": row["profile"],
    }
