"""Rows of the fleet <-> values of fleet.model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, select

from supervision.fleet.model import EvseReference, GridConnection, Station, Vehicle
from supervision.store.db import Reader
from supervision.store.schema import stations, vehicles

Row = Mapping[str, Any]


def station_from(row: Row) -> Station:
    """Build a station from its row."""
    first, second, third = row["grid_limit_a"]
    return Station(
        id=row["id"],
        organisation_id=row["organisation_id"],
        community_id=row["community_id"],
        name=row["name"],
        grid=GridConnection(limit_a=(first, second, third), voltage_v=row["grid_voltage_v"]),
        lat=row["lat"],
        lon=row["lon"],
        electricity_prices=tuple(row["electricity_prices"]),
    )


def vehicle_from(row: Row) -> Vehicle:
    """Build a vehicle from its row."""
    evse = None
    if row["charging_station"] is not None and row["evse_id"] is not None:
        evse = EvseReference(charging_station=row["charging_station"], evse_id=row["evse_id"])
    names = ("id", "organisation_id", "station_id", "name", "plate", "model", "battery_wh", "phases")
    more = ("max_a", "min_a", "wh_per_km", "efficiency", "tariff_id", "key_box_slot", "odometer_km")
    return Vehicle(**{name: row[name] for name in names + more}, evse=evse, withdrawn_at=row["withdrawn_at"])


async def station(reader: Reader, organisation_id: str, station_id: str) -> Station | None:
    """Return one station of the organisation."""
    row = await reader.first(_stations(organisation_id).where(stations.c.id == station_id))
    return None if row is None else station_from(row)


async def stations_of(
    reader: Reader, organisation_id: str, *, community_id: str | None = None
) -> list[Station]:
    """Return the stations of the organisation, or of one community of it, by name."""
    statement = _stations(organisation_id).order_by(stations.c.name, stations.c.id)
    if community_id is not None:
        statement = statement.where(stations.c.community_id == community_id)
    return [station_from(row) for row in await reader.all(statement)]


async def vehicle(reader: Reader, organisation_id: str, vehicle_id: str) -> Vehicle | None:
    """Return one vehicle of the organisation."""
    row = await reader.first(_vehicles(organisation_id).where(vehicles.c.id == vehicle_id))
    return None if row is None else vehicle_from(row)


async def vehicles_of(
    reader: Reader,
    organisation_id: str,
    *,
    community_id: str | None = None,
    station_id: str | None = None,
) -> list[Vehicle]:
    """Return the vehicles of the organisation, of one community or of one station, by name."""
    statement = _vehicles(organisation_id).order_by(vehicles.c.name, vehicles.c.id)
    if station_id is not None:
        statement = statement.where(vehicles.c.station_id == station_id)
    if community_id is not None:
        statement = statement.join(stations, stations.c.id == vehicles.c.station_id).where(
            stations.c.organisation_id == organisation_id, stations.c.community_id == community_id
        )
    return [vehicle_from(row) for row in await reader.all(statement)]


async def vehicle_at_evse(
    reader: Reader, organisation_id: str, charging_station: str, evse_id: int
) -> Vehicle | None:
    """Return the vehicle whose home bay this EVSE serves."""
    row = await reader.first(
        _vehicles(organisation_id).where(
            vehicles.c.charging_station == charging_station, vehicles.c.evse_id == evse_id
        )
    )
    return None if row is None else vehicle_from(row)


async def organisation_of_vehicle(reader: Reader, vehicle_id: str) -> str | None:
    """Return whose vehicle this is; the reader spans tenants."""
    found = await reader.scalar(select(vehicles.c.organisation_id).where(vehicles.c.id == vehicle_id))
    return None if found is None else str(found)


def _stations(organisation_id: str) -> Select[Any]:
    return select(stations).where(stations.c.organisation_id == organisation_id)


def _vehicles(organisation_id: str) -> Select[Any]:
    return select(vehicles).where(vehicles.c.organisation_id == organisation_id)
