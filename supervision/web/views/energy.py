"""How full a car will be when it is wanted, as far as anybody can know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from supervision.fleet.model import Vehicle
from supervision.services import Services
from supervision.web.views.places import Place


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Charge and range at an instant; None where nothing is known."""

    soc_percent: float | None = None
    range_km: int | None = None


NOTHING_KNOWN = Expected()


async def expected_charge(
    services: Services, place: Place, vehicle_ids: Sequence[str], at: datetime
) -> dict[str, Expected]:
    """Return what each car is expected to hold at `at`."""
    forecast = await services.charging.expected_soc(place.community.organisation_id, list(vehicle_ids), at)
    return {
        vehicle_id: _expected(place.vehicles[vehicle_id], forecast.get(vehicle_id))
        for vehicle_id in vehicle_ids
    }


def _expected(vehicle: Vehicle, soc_percent: float | None) -> Expected:
    if soc_percent is None:
        return NOTHING_KNOWN
    stored_wh = vehicle.battery_wh * soc_percent / 100
    return Expected(soc_percent=soc_percent, range_km=range_km(stored_wh, vehicle.wh_per_km))


def range_km(stored_wh: float, wh_per_km: int) -> int:
    """Distance the energy lasts for, rounded down to ten: nobody should count on the last kilometre."""
    return int(stored_wh / wh_per_km) // 10 * 10 if wh_per_km else 0
