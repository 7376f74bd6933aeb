"""The page of one car-sharing station."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from supervision.services import Services
from supervision.web.views.devices import device_state, find_device, plan_limits_a
from supervision.web.views.scene import Scene
from supervision.web.views.station_model import ChargingStationState, PlanLine, StationView
from supervision.web.views.supervision import scenes_of, station_card


async def station_view(
    services: Services, organisations: Sequence[str], station_id: str, *, now: datetime
) -> StationView | None:
    """Compose the page; None when no such station is supervised by the viewer."""
    scenes = await scenes_of(services, organisations, now=now, only=frozenset({station_id}))
    if not scenes:
        return None
    scene = scenes[0]
    plan = scene.plan
    return StationView(
        card=station_card(scene),
        charging_stations=tuple([await _device(services, scene, one["identity"]) for one in scene.devices]),
        plan=tuple(_lines(scene)),
        planned_at=plan.made_at.astimezone(scene.zone) if plan else None,
        solver=plan.solver if plan else "",
        limit_a=scene.station.grid.limit_a,
        voltage_v=scene.station.grid.voltage_v,
        now=now.astimezone(scene.zone),
    )


async def _device(services: Services, scene: Scene, identity: str) -> ChargingStationState:
    found = await find_device(services, [scene.station.organisation_id], identity)
    if found is None:
        raise LookupError(f"charging station {identity} is gone")
    return device_state(found, plan_limits_a(scene.plan, found, scene.now))


def _lines(scene: Scene) -> list[PlanLine]:
    """What is planned from now on, in time order."""
    names = {vehicle.id: vehicle.name for vehicle in scene.vehicles}
    windows = scene.plan.windows if scene.plan else ()
    lines = [
        PlanLine(
            vehicle=names.get(window.car, window.car),
            start=period.span.start.astimezone(scene.zone),
            end=period.span.end.astimezone(scene.zone),
            power_w=period.power_w,
            amps=period.current_a,
            energy_wh=period.energy_wh,
            reason=window.reason,
            reason_params=window.reason_params,
        )
        for window in windows
        for period in window.periods
        if period.span.end > scene.now
    ]
    return sorted(lines, key=lambda line: line.start)
