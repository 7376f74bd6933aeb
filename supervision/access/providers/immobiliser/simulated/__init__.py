"""An immobiliser that stands only in the database, with the driver's hands: code, start, stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from supervision.access.providers import DeviceUnreachableError, devices
from supervision.access.providers.immobiliser import CarAddress, CarCode, ImmobiliserState
from supervision.access.providers.key_box.simulated.lock import digest
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import format_instant, parse_instant
from supervision.store.db import Database

T = TypeVar("T")
_ARMED, _RELEASED, _DRIVING = ImmobiliserState.ARMED, ImmobiliserState.RELEASED, ImmobiliserState.DRIVING
_NEW: Mapping[str, Any] = {
    "state": _ARMED,
    "codes": [],
    "arm_when_off": False,
    "booking": None,
    "offline": False,
}


class SimulatedImmobilisers:
    """The provider, and the driver in the car: `enter_code`, `switch_on`, `switch_off`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # --- the service's side ------------------------------------------------------------------------------

    async def put(self, car: CarAddress, codes: Sequence[CarCode], now: datetime) -> None:  # noqa: ARG002
        """Take exactly these codes; a car that is released or driving stays so."""
        held = [
            {
                "booking": code.booking_id,
                "digest": digest(code.booking_id, code.digits),
                "valid_from": format_instant(code.valid_from),
                "valid_until": format_instant(code.valid_until),
            }
            for code in codes
        ]
        await self._change(car, lambda device: ({**_reached(device), "codes": held}, None))

    async def arm(self, car: CarAddress, now: datetime) -> ImmobiliserState:  # noqa: ARG002
        """Forbid the next start; a car that is switched on is armed when it is switched off."""

        def act(device: devices.Document) -> tuple[devices.Document, ImmobiliserState]:
            if _reached(device)["state"] == _DRIVING:
                return {**device, "arm_when_off": True}, _DRIVING
            return {**device, "state": _ARMED, "arm_when_off": False, "booking": None}, _ARMED

        return await self._change(car, act)

    async def state(self, car: CarAddress) -> ImmobiliserState:
        """Return the state."""
        return ImmobiliserState(_reached(await self._look(car))["state"])

    # --- the driver's side -------------------------------------------------------------------------------

    async def enter_code(self, car: CarAddress, digits: str, now: datetime) -> ImmobiliserState | Refused:
        """Type the code in the car; it stays released until it is armed, however late the driver is."""

        def act(device: devices.Document) -> tuple[devices.Document, ImmobiliserState | Refused]:
            code = next((held for held in device["codes"] if _matches(held, digits, now)), None)
            if device["state"] == _DRIVING:
                return device, _DRIVING
            if code is None:
                return device, Refused("wrong_code")
            return {
                **device,
                "state": _RELEASED,
                "booking": code["booking"],
                "arm_when_off": False,
            }, _RELEASED

        return await self._change(car, act)

    async def switch_on(self, car: CarAddress) -> ImmobiliserState | Refused:
        """Start the car."""

        def act(device: devices.Document) -> tuple[devices.Document, ImmobiliserState | Refused]:
            if device["state"] == _ARMED:
                return device, Refused("immobilised")
            return {**device, "state": _DRIVING}, _DRIVING

        return await self._change(car, act)

    async def switch_off(self, car: CarAddress) -> ImmobiliserState:
        """Stop the car; what had to wait for this happens now."""

        def act(device: devices.Document) -> tuple[devices.Document, ImmobiliserState]:
            if device["state"] != _DRIVING:
                return device, ImmobiliserState(device["state"])
            after = _ARMED if device["arm_when_off"] else _RELEASED
            return {**device, "state": after, "arm_when_off": False}, after

        return await self._change(car, act)

    async def disturb(self, car: CarAddress, *, offline: bool) -> None:
        """Cut or restore the connection."""
        await self._change(car, lambda device: ({**device, "offline": offline}, None))

    async def _look(self, car: CarAddress) -> devices.Document:
        return {**_NEW, **await devices.look(self._db, car.organisation_id, _device(car))}

    async def _change(
        self, car: CarAddress, act: Callable[[devices.Document], tuple[devices.Document, T]]
    ) -> T:
        return await devices.change(
            self._db, car.organisation_id, _device(car), lambda device: act({**_NEW, **device})
        )


def _device(car: CarAddress) -> str:
    return f"immobiliser:{car.vehicle_id}"


def _matches(held: Mapping[str, Any], digits: str, now: datetime) -> bool:
    inside = parse_instant(held["valid_from"]) <= now < parse_instant(held["valid_until"])
    return inside and held["digest"] == digest(held["booking"], digits)


def _reached(device: devices.Document) -> devices.Document:
    if device["offline"]:
        raise DeviceUnreachableError("the car does not answer")
    return device
