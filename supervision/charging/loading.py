"""Reads a car-sharing station from the database into the `Site` that the planner sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from supervision.accounts import store as accounts
from supervision.accounts.model import Community
from supervision.booking import store as bookings
from supervision.booking.model import HOLDING, Booking, BookingStatus
from supervision.charging import capabilities, store
from supervision.charging.energy import battery_of, live_state
from supervision.charging.prices import price_steps
from supervision.charging.site import Site, SiteBooking, SiteCar, SiteEvse, horizon_of
from supervision.fleet import store as fleet
from supervision.fleet.model import Station, Vehicle
from supervision.kernel.timespan import Timespan
from supervision.store.db import Reader

Row = Mapping[str, Any]


async def load_site(reader: Reader, organisation_id: str, station_id: str, *, now: datetime) -> Site | None:
    """Return the station as it stands now; None when the organisation has no such station."""
    station = await fleet.station(reader, organisation_id, station_id)
    if station is None:
        return None
    community = await accounts.community(reader, organisation_id, station.community_id)
    span = Timespan(now, horizon_of(now))
    rows = await store.evses_of(reader, organisation_id, station_id)
    running = await store.open_at(reader, organisation_id, station_id)
    return Site(
        limit_a=station.grid.limit_a,
        voltage_v=station.grid.voltage_v,
        prices=price_steps(station.electricity_prices, zone=community.zone, span=span) if community else (),
        evses=tuple(_evse(row, running) for row in rows),
        cars=await _cars(reader, station, rows, running, span, early=_code_opens_early(community)),
    )


def _code_opens_early(community: Community | None) -> timedelta:
    return timedelta(minutes=community.rules.code_early_min if community else 0)


def _evse(row: Row, running: Mapping[tuple[str, int], Row]) -> SiteEvse:
    place = (row["charging_station"], row["evse_id"])
    return SiteEvse(
        charging_station=place[0],
        evse_id=place[1],
        phases=tuple(row["phases"]),
        max_a=row["max_a"],
        min_a=row["min_a"],
        charging=place in running,
        steerable=capabilities.is_steerable(row["capabilities"] or {}),
    )


async def _cars(
    reader: Reader,
    station: Station,
    rows: Sequence[Row],
    running: Mapping[tuple[str, int], Row],
    span: Timespan,
    *,
    early: timedelta,
) -> tuple[SiteCar, ...]:
    calendar = await bookings.station_calendar(reader, station.organisation_id, station.id, span)
    here = {(row["charging_station"], row["evse_id"]): row for row in rows}
    found = []
    for vehicle in await fleet.vehicles_of(reader, station.organisation_id, station_id=station.id):
        place = _place(vehicle)
        if place not in here or vehicle.withdrawn_at is not None:
            continue
        state = await live_state(
            reader, vehicle, now=span.start, open_row=running.get(place), evse=here[place]
        )
        mine = [b for b in calendar.bookings if b.vehicle_id == vehicle.id and b.status in HOLDING]
        found.append(
            SiteCar(
                id=vehicle.id,
                evse=f"{place[0]}/{place[1]}",
                phases=vehicle.phases,
                max_a=vehicle.max_a,
                min_a=vehicle.min_a,
                battery=battery_of(vehicle),
                state=state,
                bookings=tuple(_booking(booking, early) for booking in mine),
            )
        )
    return tuple(found)


def _place(vehicle: Vehicle) -> tuple[str, int]:
    return (vehicle.evse.charging_station, vehicle.evse.evse_id) if vehicle.evse else ("", 0)


def _booking(booking: Booking, early: timedelta) -> SiteBooking:
    return SiteBooking(
        id=booking.id,
        ready_at=booking.start_at - early,
        start=booking.start_at,
        end=booking.end_at,
        km=booking.planned_km,
        away=booking.status is BookingStatus.ACTIVE,
    )
