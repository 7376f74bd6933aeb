"""Immobilisers: they may only forbid *starting* a car.

No call here can stop a car that is driving or switched on, and a lost connection never blocks a running
booking (C7): arming waits until the car stands, whoever makes the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class ImmobiliserState(StrEnum):
    """Armed: the car does not start. Released: it does. Driving: it is switched on."""

    ARMED = "armed"
    RELEASED = "released"
    DRIVING = "driving"


@dataclass(frozen=True, kw_only=True)
class CarAddress:
    """One car of one organisation."""

    vehicle_id: str
    organisation_id: str


@dataclass(frozen=True, kw_only=True)
class CarCode:
    """A code the car shall take."""

    booking_id: str
    revision: int
    digits: str = field(repr=False)
    valid_from: datetime
    valid_until: datetime


class ImmobiliserProvider(Protocol):
    """One make of immobiliser."""

    async def put(self, car: CarAddress, codes: Sequence[CarCode], now: datetime) -> None:
        """Make the car take exactly these codes; DeviceUnreachableError when it is away."""
        ...

    async def arm(self, car: CarAddress, now: datetime) -> ImmobiliserState:
        """Forbid the next start, once the car is switched off; returns the state now."""
        ...

    async def state(self, car: CarAddress) -> ImmobiliserState:
        """Return the state; DeviceUnreachableError when the car is away."""
        ...
