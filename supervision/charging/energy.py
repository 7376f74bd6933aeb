"""Keeps the energy ledger of every car up to date: charges, trips, and anchors when something tells.

Each movement is written once, named by its cause (``booking:ID``, ``charging_transaction:ID``), so an event
that comes twice moves nothing; a charge whose energy is revised moves the balance by the difference. While a
car charges its live balance is the last entry plus what the meter has counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from supervision.booking import store as bookings
from supervision.booking.model import Booking
from supervision.charging import ledger, store
from supervision.charging.ledger import Battery, EnergyState, Observation
from supervision.charging.need import estimated_km
from supervision.charging.store import Booked
from supervision.clock import Clock
from supervision.fleet import store as fleet
from supervision.fleet.model import Vehicle
from supervision.kernel.errors import Refused
from supervision.kernel.events import (
    BookingReturned,
    ChargingTransactionEnded,
    ChargingTransactionResumed,
    VehicleEnergyChanged,
)
from supervision.store.db import Database, Reader, Tx, across_tenants

Row = Mapping[str, Any]

WATCHED = timedelta(minutes=30)
"""How far back a stop of the car is looked for."""
PERCENT = 100

_SWEEP = across_tenants("cars of every organisation stop by themselves")


def battery_of(vehicle: Vehicle) -> Battery:
    """What the ledger must know of a vehicle."""
    return Battery(capacity_wh=vehicle.battery_wh, wh_per_km=vehicle.wh_per_km, efficiency=vehicle.efficiency)


async def live_state(
    reader: Reader, vehicle: Vehicle, *, now: datetime, open_row: Row | None = None, evse: Row | None = None
) -> EnergyState:
    """Balance of a car at this instant; `open_row` is the charging transaction that runs at its EVSE."""
    battery = battery_of(vehicle)
    entry = await store.last_entry(reader, vehicle.organisation_id, vehicle.id)
    state = entry[0] if entry is not None else ledger.unknown(battery, at=now)
    if open_row is None or (entry is not None and entry[1] == _cause(open_row) and state.source == "full"):
        return state
    soc = _reported_soc(open_row, evse)
    if soc is not None:
        return ledger.reported(battery, percent=soc, at=now)
    return ledger.charged(state, battery, meter_wh=_counted_wh(open_row), at=now)


def _cause(charging_transaction: Row) -> str:
    return f"charging_transaction:{charging_transaction['id']}"


def _counted_wh(row: Row) -> int:
    """Energy of a charging transaction so far: settled or final, or the last register seen less the first."""
    if row["settled"] is not None:
        return max(0, int(row["settled_wh"] or 0))
    if row["energy_wh"] is not None:
        return max(0, int(row["energy_wh"]))
    if row["meter_last_wh"] is None or row["meter_start_wh"] is None:
        return 0
    return max(0, int(row["meter_last_wh"] - row["meter_start_wh"]))


def _reported_soc(row: Row, evse: Row | None) -> float | None:
    """State of charge told during this charging transaction."""
    if evse is None or evse["soc_percent"] is None or evse["soc_at"] is None:
        return None
    return float(evse["soc_percent"]) if evse["soc_at"] >= row["started_at"] else None


class EnergyLedger:
    """Use cases of the ledger."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def booking_returned(self, event: BookingReturned) -> None:
        """Subtract the trip: kilometres read, else announced, else estimated from its length."""

        async def unit(tx: Tx) -> None:
            booking = await bookings.booking(tx, event.organisation_id, event.booking_id)
            vehicle = await fleet.vehicle(tx, event.organisation_id, event.vehicle_id)
            if booking is None or vehicle is None:
                return
            km, estimated = _distance(booking)
            before = await self._before(tx, vehicle)
            after = ledger.driven(
                before, battery_of(vehicle), km=km, at=booking.ended_at, estimated=estimated
            )
            await self._move(tx, vehicle, "trip", f"booking:{booking.id}", before, after)

        await self._db.write(event.organisation_id, unit)

    async def charging_changed(self, event: ChargingTransactionEnded | ChargingTransactionResumed) -> None:
        """Add what was charged, then believe a state of charge if the station told one.

        An end may be revised, settled by a person, or withdrawn: what was added follows by the difference.
        """
        organisation_id = event.organisation_id

        async def unit(tx: Tx) -> None:
            row = await store.charging_transaction(tx, organisation_id, event.charging_transaction_id)
            vehicle = await _vehicle_of(tx, organisation_id, row) if row is not None else None
            if row is None or vehicle is None:
                return
            cause, at = _cause(row), row["stopped_at"] or self._clock.now()
            if await store.has_entry(tx, organisation_id, vehicle.id, kind="full", cause=cause):
                return  # full already: what trickled in since then is the car's own standby
            booked = await store.booked_charge(tx, organisation_id, vehicle.id, cause)
            if booked is not None:
                await self._correct(tx, vehicle, row, booked, at)
            elif row["stopped_at"] is not None:
                await self._add_charge(tx, vehicle, row, at)

        await self._db.write(organisation_id, unit)

    async def _add_charge(self, tx: Tx, vehicle: Vehicle, row: Row, at: datetime) -> None:
        before, meter_wh = await self._before(tx, vehicle), _counted_wh(row)
        after = ledger.charged(before, battery_of(vehicle), meter_wh=meter_wh, at=at)
        await self._move(tx, vehicle, "charging", _cause(row), before, after, meter_wh=meter_wh)
        await self._believe_soc(tx, vehicle, row, after, at)

    async def _correct(self, tx: Tx, vehicle: Vehicle, row: Row, booked: Booked, at: datetime) -> None:
        """Book the difference; nothing once the car has told its charge since."""
        meter_wh = 0 if row["stopped_at"] is None else _counted_wh(row)
        if booked.replaced or meter_wh == booked.meter_wh:
            return
        before = await self._before(tx, vehicle)
        after = ledger.corrected(
            before,
            battery_of(vehicle),
            before=booked.before or ledger.unknown(battery_of(vehicle), at=at),
            booked_wh=booked.meter_wh,
            meter_wh=meter_wh,
            at=at,
        )
        cause = f"{_cause(row)}#{booked.corrections + 1}"
        difference = meter_wh - booked.meter_wh
        await self._move(tx, vehicle, store.CORRECTION, cause, before, after, meter_wh=difference)

    async def _believe_soc(
        self, tx: Tx, vehicle: Vehicle, row: Row, before: EnergyState, at: datetime
    ) -> None:
        evse = await store.evse(tx, vehicle.organisation_id, row["charging_station"], row["evse_id"])
        soc = _reported_soc(row, evse)
        if soc is not None:
            after = ledger.reported(battery_of(vehicle), percent=soc, at=at)
            await self._move(tx, vehicle, "soc", _cause(row), before, after)

    async def enter(
        self, organisation_id: str, vehicle_id: str, *, percent: float, cause: str
    ) -> Refused | None:
        """A person read the dashboard; `cause` names the entry (``person:ID:INSTANT``)."""
        if not 0 <= percent <= PERCENT:
            return Refused("percent_out_of_range", {"percent": percent})

        async def unit(tx: Tx) -> Refused | None:
            vehicle = await fleet.vehicle(tx, organisation_id, vehicle_id)
            if vehicle is None:
                return Refused("unknown_vehicle", {"vehicle": vehicle_id})
            before = await self._before(tx, vehicle)
            after = ledger.entered(battery_of(vehicle), percent=percent, at=self._clock.now())
            await self._move(tx, vehicle, "entry", cause, before, after)
            return None

        return await self._db.write(organisation_id, unit)

    async def anchor_full_cars(self) -> int:
        """Square the books of cars that have refused current for 10 minutes; return how many."""
        async with self._db.read(_SWEEP) as reader:
            rows = await store.suspended_by_car(reader)
        return sum([await self._anchor(row) for row in rows])

    async def _anchor(self, row: Row) -> bool:
        organisation_id, now = row["organisation_id"], self._clock.now()

        async def unit(tx: Tx) -> bool:
            vehicle = await _vehicle_of(tx, organisation_id, row)
            if vehicle is None or await store.has_entry(
                tx, organisation_id, vehicle.id, kind="full", cause=_cause(row)
            ):
                return False
            seen = await self._observations(tx, row, now)
            if ledger.stopped_by_itself(seen, min_a=vehicle.min_a) is None:
                return False
            before = await self._before(tx, vehicle)
            battery = battery_of(vehicle)
            charged = ledger.charged(before, battery, meter_wh=_counted_wh(row), at=now)
            after = ledger.full(charged, battery, at=now)
            if after is None:
                return False
            await self._move(tx, vehicle, "full", _cause(row), before, after)
            return True

        return await self._db.write(organisation_id, unit)

    async def _observations(self, tx: Tx, row: Row, now: datetime) -> list[Observation]:
        place = row["charging_station"], row["evse_id"]
        powers = await store.powers_since(tx, row["organisation_id"], *place, now - WATCHED)
        offered = await store.offered(tx, row["organisation_id"], *place, since=now - WATCHED, until=now)
        return [
            Observation(
                at=at, suspended_by_car=True, offered_a=offered(at, row["evse_max_a"]), power_w=power_w
            )
            for at, power_w in powers
            if at >= row["started_at"]
        ]

    async def _before(self, tx: Tx, vehicle: Vehicle) -> EnergyState:
        entry = await store.last_entry(tx, vehicle.organisation_id, vehicle.id)
        return entry[0] if entry is not None else ledger.unknown(battery_of(vehicle), at=self._clock.now())

    async def _move(
        self,
        tx: Tx,
        vehicle: Vehicle,
        kind: str,
        cause: str,
        before: EnergyState,
        after: EnergyState,
        *,
        meter_wh: int | None = None,
    ) -> None:
        """Write a movement unless it was written before, and tell that the car's energy changed."""
        organisation_id = vehicle.organisation_id
        if await store.has_entry(tx, organisation_id, vehicle.id, kind=kind, cause=cause):
            return
        await store.add_entry(
            tx,
            organisation_id,
            vehicle.id,
            kind=kind,
            cause=cause,
            before=before,
            after=after,
            meter_wh=meter_wh,
        )
        tx.emit(
            VehicleEnergyChanged(
                organisation_id=organisation_id, vehicle_id=vehicle.id, station_id=vehicle.station_id
            )
        )


def _distance(booking: Booking) -> tuple[float, bool]:
    if booking.start_km is not None and booking.return_km is not None:
        return max(0, booking.return_km - booking.start_km), False
    if booking.planned_km is not None:
        return booking.planned_km, True
    started = booking.started_at or booking.start_at
    return estimated_km(max(timedelta(0), booking.ended_at - started)), True


async def _vehicle_of(reader: Reader, organisation_id: str, row: Row) -> Vehicle | None:
    """The car of a charging transaction: the one of its booking, else the one at home there."""
    if row["vehicle_id"] is not None:
        return await fleet.vehicle(reader, organisation_id, row["vehicle_id"])
    return await fleet.vehicle_at_evse(reader, organisation_id, row["charging_station"], row["evse_id"])
