"""The return: the booking ends on what the key box and the charging point have seen (C28, C44)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from supervision.access.service import AccessService
from supervision.accounts.model import Identity
from supervision.booking import store as bookings
from supervision.booking.model import Booking, BookingStatus, ReturnEvidence
from supervision.booking.rules import Actor, Automatic
from supervision.booking.service import BookingService
from supervision.clock import Clock
from supervision.csms.model import ConnectorStatus
from supervision.fleet import store as fleet
from supervision.fleet.model import EvseReference, Vehicle
from supervision.kernel.errors import Refused
from supervision.store.db import Database, Reader, across_tenants
from supervision.store.schema import charging_stations, charging_transactions, evses

_SWEEP = across_tenants("a sweep serves every organisation")

_PLUGGED = frozenset(
    {
        ConnectorStatus.PREPARING,
        ConnectorStatus.CHARGING,
        ConnectorStatus.SUSPENDED_EVSE,
        ConnectorStatus.SUSPENDED_EV,
        ConnectorStatus.FINISHING,
        ConnectorStatus.OCCUPIED,
    }
)
_FREE = frozenset({ConnectorStatus.AVAILABLE, ConnectorStatus.RESERVED})
STEADY_AFTER = timedelta(minutes=1)
"""Some stations flap between free and plugged (quirk 27): a younger status does not say both."""


class ReturnService:
    """Gathers the evidence of a return and ends the booking with it."""

    def __init__(
        self, db: Database, clock: Clock, *, bookings: BookingService, access: AccessService
    ) -> None:
        self._db = db
        self._clock = clock
        self._bookings = bookings
        self._access = access

    async def give_back(
        self,
        identity: Identity,
        booking_id: str,
        *,
        odometer_km: int | None = None,
        exception: str | None = None,
    ) -> Booking | Refused:
        """End a trip; refused without key or charge unless `exception` says why it must end so."""
        booking = await self._bookings.get(identity, booking_id)
        if isinstance(booking, Refused):
            return booking
        return await self._end(identity, booking, odometer_km=odometer_km, exception=exception)

    async def evidence(self, booking: Booking, *, exception: str | None = None) -> ReturnEvidence:
        """Ask the key box and the charging point of the booking's vehicle what they see now."""
        async with self._db.read(booking.organisation_id) as reader:
            vehicle = await fleet.vehicle(reader, booking.organisation_id, booking.vehicle_id)
            seen = None if vehicle is None else await _charging_point(reader, vehicle)
        key = None if vehicle is None else await self._access.key_present(vehicle)
        plugged, charging = (None, None) if seen is None else _judge(seen, self._clock.now())
        return ReturnEvidence(key_returned=key, plugged=plugged, charging=charging, exception=exception)

    async def sweep_seen_returns(self) -> int:
        """End trips past their planned end whose key is back and whose car charges; return how many.

        A penalty stops at the physical return, not when the driver thinks of his phone (C28).
        """
        async with self._db.read(_SWEEP) as reader:
            overdue = await bookings.overdue(reader, self._clock.now())
        ended = 0
        for booking in overdue:
            seen = await self.evidence(booking)
            if seen.key_returned and seen.charging and await self._is_steady(booking):
                result = await self._bookings.give_back(Automatic(cause="seen_return"), booking.id, seen)
                ended += isinstance(result, Booking) and result.status is BookingStatus.COMPLETED
        return ended

    async def _is_steady(self, booking: Booking) -> bool:
        """A moment of a plug ends no trip behind the driver's back: it lasts, or a charge has begun."""
        async with self._db.read(booking.organisation_id) as reader:
            vehicle = await fleet.vehicle(reader, booking.organisation_id, booking.vehicle_id)
            seen = None if vehicle is None else await _charging_point(reader, vehicle)
        return seen is not None and (bool(seen["open"]) or not _is_fresh(seen, self._clock.now()))

    async def _end(
        self, by: Actor, booking: Booking, *, odometer_km: int | None, exception: str | None
    ) -> Booking | Refused:
        evidence = await self.evidence(booking, exception=exception)
        return await self._bookings.give_back(by, booking.id, evidence, odometer_km=odometer_km)


def _is_fresh(seen: Mapping[str, Any], now: datetime) -> bool:
    return seen["status_at"] is not None and now - seen["status_at"] < STEADY_AFTER


def _judge(seen: Mapping[str, Any], now: datetime) -> tuple[bool | None, bool | None]:
    """Read (plugged, charging) from a charging point; None where it cannot be trusted.

    An open charging transaction counts as charging even at 0 W: the plan may wait for cheaper hours, and
    a full car takes nothing. Free since a moment ago, with the charge still open, is neither.
    """
    status = ConnectorStatus(seen["status"])
    if not seen["connected"] or status not in _PLUGGED | _FREE:
        return None, None
    if status in _FREE and seen["open"] and _is_fresh(seen, now):
        return None, None
    plugged = status in _PLUGGED
    charging = plugged and (seen["open"] or status is ConnectorStatus.CHARGING or bool(seen["power_w"]))
    return plugged, charging


async def _charging_point(reader: Reader, vehicle: Vehicle) -> Mapping[str, Any] | None:
    place = vehicle.evse
    if place is None:
        return None
    row = await reader.first(
        select(
            evses.c.status,
            evses.c.status_at,
            evses.c.power_w,
            charging_stations.c.connected_at,
            charging_stations.c.disconnected_at,
        )
        .join(charging_stations, charging_stations.c.identity == evses.c.charging_station)
        .where(
            evses.c.organisation_id == vehicle.organisation_id,
            charging_stations.c.organisation_id == vehicle.organisation_id,
            evses.c.charging_station == place.charging_station,
            evses.c.evse_id == place.evse_id,
        )
    )
    if row is None:
        return None
    connected_at, disconnected_at = row["connected_at"], row["disconnected_at"]
    connected = connected_at is not None and (disconnected_at is None or disconnected_at < connected_at)
    return {**row, "connected": connected, "open": await _has_open(reader, vehicle.organisation_id, place)}


async def _has_open(reader: Reader, organisation_id: str, place: EvseReference) -> bool:
    found = await reader.scalar(
        select(charging_transactions.c.id).where(
            charging_transactions.c.organisation_id == organisation_id,
            charging_transactions.c.charging_station == place.charging_station,
            charging_transactions.c.evse_id == place.evse_id,
            charging_transactions.c.state == "open",
        )
    )
    return found is not None
