"""What key box and charging station see of a return, as the page counts it down."""

from __future__ import annotations

from dataclasses import dataclass

from supervision.booking.model import Booking
from supervision.fleet.model import Vehicle
from supervision.services import Services
from supervision.web.views.driver_model import CheckState


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Each check, and the power that proves the charge."""

    key: CheckState
    plugged: CheckState
    charging: CheckState
    power_w: int


async def seen_at_return(services: Services, vehicle: Vehicle, booking: Booking) -> Seen:
    """Ask the devices."""
    evidence = await services.returns.evidence(booking)
    return Seen(
        key=_check(evidence.key_returned),
        plugged=_check(evidence.plugged),
        charging=_check(evidence.charging),
        power_w=await _power_w(services, vehicle),
    )


def _check(answer: bool | None) -> CheckState:  # noqa: FBT001 - the evidence is what it is
    return "unknown" if answer is None else "done" if answer else "waiting"


async def _power_w(services: Services, vehicle: Vehicle) -> int:
    if vehicle.evse is None:
        return 0
    document = await services.directory.station(vehicle.organisation_id, vehicle.evse.charging_station)
    evses = document["evses"] if document else []
    return next((evse["power_w"] or 0 for evse in evses if evse["id"] == vehicle.evse.evse_id), 0)
