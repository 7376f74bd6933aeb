"""Why a car charges when it does: the planner's own figures, none computed anew. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from supervision.fleet.model import Vehicle
from supervision.kernel.timespan import parse_instant
from supervision.web.views.lanes import why_key
from supervision.web.views.plans import PlannedWindow, StoredPlan
from supervision.web.views.supervision_model import Why


def why_of(
    plan: StoredPlan | None,
    key: str,
    *,
    vehicles: Mapping[str, Vehicle],
    profiles: Sequence[Mapping[str, Any]],
    station: str,
    zone: ZoneInfo,
    now: datetime,
) -> Why | None:
    """Explain the window with this key, or, without one, the first that still charges."""
    windows = [window for window in (plan.windows if plan else ()) if window.car in vehicles]
    chosen = next((window for window in windows if _is(key, window)), None)
    if chosen is None and not key:
        alive = [one for one in windows if one.periods and one.periods[-1].span.end > now]
        chosen = min(alive, key=lambda one: one.periods[0].span.start, default=None)
    if chosen is None or not chosen.periods:
        return None
    vehicle = vehicles[chosen.car]
    return _explained(why_key(vehicle.station_id, chosen), chosen, vehicle, profiles, station, zone)


def _is(key: str, window: PlannedWindow) -> bool:
    return bool(key) and key == why_key(key.partition("~")[0], window)


def _explained(
    key: str,
    window: PlannedWindow,
    vehicle: Vehicle,
    profiles: Sequence[Mapping[str, Any]],
    station: str,
    zone: ZoneInfo,
) -> Why:
    need, ready_at = window.need, window.periods[-1].span.end
    until = parse_instant(need["plugged_until"])
    departure = window.booking_start
    state, at = _profile(profiles, window.evse)
    km = need.get("km")
    return Why(
        key=key,
        vehicle=vehicle.name,
        station=station,
        start=window.periods[0].span.start.astimezone(zone),
        end=ready_at.astimezone(zone),
        departure_at=departure.astimezone(zone) if departure else None,
        trip_km=round(km) if km is not None else None,
        trip_estimated=bool(need.get("km_estimated")),
        goal=str(need.get("why", "")),
        wanted_wh=need.get("needed_wh"),
        wanted_percent=_share(need.get("needed_wh"), vehicle),
        battery_wh=need.get("stored_wh"),
        battery_percent=_share(need.get("stored_wh"), vehicle),
        margin_wh=need.get("uncertainty_wh"),
        need_wh=need.get("from_grid_wh", window.delivered_wh),
        delivered_wh=window.delivered_wh,
        shortfall_wh=window.shortfall_wh,
        power_w=max(period.power_w for period in window.periods),
        ready_at=ready_at.astimezone(zone),
        spare=until - ready_at,
        reason=window.reason,
        reason_params=window.reason_params,
        profile=state,
        profile_at=at.astimezone(zone) if at else None,
    )


def _share(watt_hours: int | None, vehicle: Vehicle) -> float | None:
    return None if watt_hours is None else 100 * watt_hours / vehicle.battery_wh


_STATES: Mapping[str, Literal["sent", "refused"]] = {
    "queued": "sent",
    "accepted": "sent",
    "rejected": "refused",
    "failed": "refused",
}


def _profile(
    profiles: Sequence[Mapping[str, Any]], evse: str
) -> tuple[Literal["confirmed", "sent", "refused", "none"], datetime | None]:
    """What became of the plan's newest profile at this EVSE."""
    mine = [
        row
        for row in profiles
        if f"{row['charging_station']}/{row['evse_id']}" == evse and row["charging_plan_id"] is not None
    ]
    if not mine:
        return "none", None
    newest = mine[-1]
    if newest["state"] == "accepted" and newest["verified"] in {"composite", "measured"}:
        return "confirmed", newest["verified_at"]
    return _STATES.get(newest["state"], "none"), newest["sent_at"]
