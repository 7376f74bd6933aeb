"""What happens outside any computer: keys are taken, cars are driven, cables are plugged.

The demo's drivers do by themselves what drivers do; for the visitor's own bookings the page /street has
a button for each of these acts. Codes are typed at simulated boxes and cars, cables at the emulators.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from supervision.access.hands import Hands
from supervision.booking.model import Booking, BookingStatus
from supervision.demo import towns
from supervision.demo.chargers import Chargers
from supervision.demo.past import FIRST_ODOMETER_KM, People
from supervision.fleet import store as fleet
from supervision.fleet.model import EvseReference, Vehicle
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import Timespan
from supervision.log import Log
from supervision.services import Services

log = Log("supervision.demo")

VISITOR = towns.DRIVER_IDS[0]
_LATE_EVERY = 9  # one trip in so many comes back late
_LATE_BY = timedelta(minutes=35)
_BADGE = "04A1B2C3"
_BADGE_TRIES = 5
_BADGE_WAIT_S = 2.0


@dataclass
class Away:
    """A car on the road."""

    km: int = 0
    plugged: bool = False


@dataclass
class Street:
    """The cars as the world knows them, beside what the service believes."""

    services: Services
    hands: Hands
    chargers: Chargers
    people: People
    away: dict[str, Away] = field(default_factory=dict)  # booking id -> trip under way

    # --- acts, by anybody -----------------------------------------------------------------------------

    async def fetch(self, booking: Booking) -> Refused | None:
        """Type the code at the box, take the key, type it in the car, unplug."""
        digits = await self.services.access.digits_to_send(booking.organisation_id, booking.id)
        if digits is None:
            return Refused("code_not_released")
        taken = await self.hands.fetch(booking.organisation_id, booking.station_id, digits)
        if isinstance(taken, Refused):
            return taken
        await self.hands.enter_in_car(booking.organisation_id, booking.vehicle_id, digits)
        vehicle = await self.vehicle(booking)
        if vehicle.evse is not None:
            await self.chargers.press(vehicle.evse, "unplug")
        self.away[booking.id] = Away()
        return None

    async def drive(self, booking: Booking, km: int) -> None:
        """Drive; the battery in the emulator loses what the car needs."""
        vehicle = await self.vehicle(booking)
        self.away.setdefault(booking.id, Away()).km += km
        if vehicle.evse is not None:
            await self.chargers.press(vehicle.evse, "drive", km * vehicle.wh_per_km)

    async def plug(self, booking: Booking) -> None:
        """Park at the home bay, plug the cable, type the code at the charging station."""
        vehicle = await self.vehicle(booking)
        if vehicle.evse is None:
            return
        await self.chargers.press(vehicle.evse, "plug", vehicle.model)
        digits = await self.services.access.digits_to_send(booking.organisation_id, booking.id)
        if digits is not None:
            await self.chargers.press(vehicle.evse, "code", digits)
        self.away.setdefault(booking.id, Away()).plugged = True

    async def bring(self, booking: Booking) -> Refused | None:
        """Hang the key back with the code."""
        digits = await self.services.access.digits_to_send(booking.organisation_id, booking.id)
        if digits is None:
            return Refused("code_not_released")
        brought = await self.hands.bring(booking.organisation_id, booking.station_id, digits)
        return brought if isinstance(brought, Refused) else None

    async def vehicle(self, booking: Booking) -> Vehicle:
        """Return the booking's car."""
        async with self.services.db.read(booking.organisation_id) as reader:
            found = await fleet.vehicle(reader, booking.organisation_id, booking.vehicle_id)
        if found is None:
            raise LookupError(f"booking {booking.id} has lost its vehicle")
        return found

    # --- the beginning ----------------------------------------------------------------------------------

    async def park_everything(self, soc_percent: dict[str, int]) -> None:
        """Plug every car at its bay, then show the service's badge until every charge has begun."""
        bays = {}
        for vehicle, _, _, model, _, place, _ in towns.VEHICLES:
            identity, _, number = place.rpartition("/")
            bays[place] = EvseReference(charging_station=identity, evse_id=int(number))
            await self.chargers.press(bays[place], "plug", model, f"soc={soc_percent[vehicle]}")
        for _ in range(_BADGE_TRIES):
            await asyncio.sleep(_BADGE_WAIT_S)  # a badge shown twice would end the charge it began
            waiting = [bays[place] for place in await self._idle_places()]
            if not waiting:
                return
            for evse in waiting:
                await self.chargers.press(evse, "badge", _BADGE)

    async def _idle_places(self) -> list[str]:
        page = await self.services.directory.stations(towns.ORGANISATION)
        return [
            f"{station['identity']}/{evse['id']}"
            for station in page.items
            for evse in station["evses"]
            if evse["charging_transaction"] is None
        ]

    # --- the demo's drivers -----------------------------------------------------------------------------

    async def live(self) -> None:
        """Let every driver but the visitor do what is due now."""
        now = self.services.clock.now()
        around = Timespan(now - timedelta(days=4), now + timedelta(minutes=1))
        for station, *_ in towns.STATIONS:
            calendar = await self.services.bookings.calendar(towns.ORGANISATION, station, around)
            for booking in calendar.bookings:
                if booking.driver_id != VISITOR:
                    await self._act(booking, now)

    async def _act(self, booking: Booking, now: datetime) -> None:
        if booking.status is BookingStatus.BOOKED and booking.start_at <= now:
            refused = await self.fetch(booking)
        elif booking.status is BookingStatus.ACTIVE and now >= _back_at(booking):
            refused = await self._come_back(booking)
        else:
            return
        if refused is not None:
            log.info("demo.driver_waits", booking=booking.id, reason=refused.code)

    async def _come_back(self, booking: Booking) -> Refused | None:
        trip = self.away.setdefault(booking.id, Away())
        if not trip.plugged:
            await self.drive(booking, booking.planned_km or 30)
            await self.plug(booking)
            await self.bring(booking)
            return None  # the charging station has until the next turn to report the charge
        vehicle = await self.vehicle(booking)
        odometer_km = (vehicle.odometer_km or FIRST_ODOMETER_KM) + trip.km
        done = await self.services.returns.give_back(
            self.people.ask(booking.driver_id), booking.id, odometer_km=odometer_km
        )
        if isinstance(done, Refused):
            return done
        self.away.pop(booking.id, None)
        return None


def _back_at(booking: Booking) -> datetime:
    late = sum(booking.id.encode()) % _LATE_EVERY == 0
    return booking.end_at + (_LATE_BY if late else -timedelta(minutes=3))
