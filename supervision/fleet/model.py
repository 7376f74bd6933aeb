"""Stations, grid connections, vehicles: what bookings and charging both refer to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class GridConnection:
    """The metered limit of a station, amperes per phase L1, L2, L3."""

    limit_a: tuple[float, float, float]
    voltage_v: int = 230

    @property
    def limit_w(self) -> int:
        """Power when every phase is at its limit."""
        return round(sum(self.limit_a) * self.voltage_v)


@dataclass(frozen=True, kw_only=True)
class Station:
    """A place where shared cars are taken and brought back."""

    id: str
    organisation_id: str
    community_id: str
    name: str
    grid: GridConnection
    lat: float | None = None
    lon: float | None = None
    electricity_prices: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, kw_only=True)
class EvseReference:
    """The charging point of a bay: ``EURRE-1/1`` is EVSE 1 of charging station EURRE-1."""

    charging_station: str
    evse_id: int

    def __str__(self) -> str:
        """Return the text form used in import documents."""
        return f"{self.charging_station}/{self.evse_id}"


@dataclass(frozen=True, kw_only=True)
class Vehicle:
    """A shared car with what charging and booking must know of it."""

    id: str
    organisation_id: str
    station_id: str
    name: str
    plate: str
    model: str
    battery_wh: int
    phases: int
    max_a: float
    min_a: float
    wh_per_km: int
    efficiency: float = 0.9
    evse: EvseReference | None = None
    tariff_id: str | None = None
    key_box_slot: int | None = None
    odometer_km: int = 0
    withdrawn_at: datetime | None = None
