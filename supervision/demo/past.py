"""Two months of invented bookings, played through the real services on a clock that is moved by hand.

Every row the demo shows was made by the same use cases as in real life: the rules held, invoices were
numbered, payments asked. Chance comes from a seed, so every demo has the same past.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from supervision.accounts import store as accounts
from supervision.accounts.model import Identity, Person
from supervision.billing.providers.payment.offline import OfflinePayments
from supervision.billing.service import BillingService
from supervision.booking.model import Booking, BookingRequest, ReturnEvidence
from supervision.booking.service import BookingService
from supervision.chance import new_id
from supervision.clock import FixedClock
from supervision.demo import towns
from supervision.kernel.errors import Refused
from supervision.store.db import Database, across_tenants
from supervision.store.outbox import Outbox

ZONE = ZoneInfo("Europe/Paris")
DAYS = 60
PER_MONTH = 13  # bookings of a car, the figure of the sheet (C40)
FIRST_ODOMETER_KM = 8_000

_HOURS = (1, 1.5, 2, 2, 3, 3, 4, 4, 5, 8, 10)
_STARTS = (7, 8, 8, 9, 9, 10, 13, 14, 14, 16, 18)


@dataclass(frozen=True, kw_only=True)
class Trip:
    """A wish: somebody wants a car for some hours and will drive some kilometres."""

    vehicle: str
    driver: str
    start_at: datetime
    end_at: datetime
    km: int
    late_min: int


def wishes(first: datetime, days: int, chance: random.Random, *, per_day: float) -> Iterator[Trip]:
    """Yield trips day by day; some will meet a taken car, which is what bookings are for."""
    for day in range(days):
        morning = first.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(day)
        for vehicle, *_ in towns.VEHICLES:
            if chance.random() < per_day:
                start = morning + timedelta(hours=chance.choice(_STARTS), minutes=chance.choice((0, 30)))
                hours = chance.choice(_HOURS)
                yield Trip(
                    vehicle=vehicle,
                    driver=chance.choice(towns.DRIVER_IDS[1:]),  # the first account is the visitor's
                    start_at=start,
                    end_at=start + timedelta(hours=hours),
                    km=max(5, round(9 * hours**0.75 * chance.uniform(0.6, 1.6))),
                    late_min=chance.choice((0, 0, 0, 0, 0, 0, 0, 0, 12, 35)),
                )


class People:
    """The demo's people, as the ones who ask."""

    def __init__(self, people: dict[str, Person]) -> None:
        self._people = people

    @classmethod
    async def load(cls, db: Database) -> People:
        """Read them once."""
        async with db.read(across_tenants("the demo knows everyone")) as reader:
            found = [await accounts.person(reader, name) for name in (*towns.DRIVER_IDS, "gestion")]
        return cls({person.id: person for person in found if person is not None})

    def ask(self, person_id: str) -> Identity:
        """Return the person as somebody signed in."""
        return Identity(person=self._people[person_id])


class Past:
    """Plays the invented past."""

    def __init__(self, db: Database, people: People) -> None:
        self._people = people
        self._clock = FixedClock(datetime(2026, 1, 1, tzinfo=ZONE))
        self._bookings = BookingService(db, self._clock, new_id)
        self._billing = BillingService(db=db, clock=self._clock, payments=OfflinePayments(db, self._clock))
        self._outbox = Outbox(db, self._clock, [self._billing.consumer()])
        self._odometers = {vehicle: FIRST_ODOMETER_KM for vehicle, *_ in towns.VEHICLES}

    async def play(self, *, now: datetime, seed: int) -> int:
        """Book, drive and invoice up to `now`; return how many trips were made."""
        chance = random.Random(seed)  # noqa: S311 - an invented past, the same every time
        first = now - timedelta(days=DAYS)
        made, day = 0, first.date()
        for trip in wishes(first, DAYS, chance, per_day=PER_MONTH / 30):
            if trip.start_at.date() != day:
                await self._outbox.drain()  # the day's invoices, dated that evening
                day = trip.start_at.date()
            made += await self._drive(trip)
        await self._outbox.drain()
        self._clock.set(now)
        await self._billing.run_due_payments()
        return made

    async def _drive(self, trip: Trip) -> bool:
        self._clock.set(trip.start_at - timedelta(hours=20))
        booking = await self._bookings.book(self._people.ask(trip.driver), request_for(trip))
        if isinstance(booking, Refused):
            return False
        await self._begin(trip, booking)
        self._odometers[trip.vehicle] += trip.km
        self._clock.set(trip.end_at + timedelta(minutes=trip.late_min))
        await self._bookings.give_back(
            self._people.ask(trip.driver),
            booking.id,
            ReturnEvidence(key_returned=True, plugged=True, charging=True),
            odometer_km=self._odometers[trip.vehicle],
        )
        return True

    async def _begin(self, trip: Trip, booking: Booking) -> None:
        self._clock.set(trip.start_at)
        await self._bookings.start(
            self._people.ask(trip.driver), booking.id, odometer_km=self._odometers[trip.vehicle]
        )


def request_for(trip: Trip) -> BookingRequest:
    """Return the booking request of a wish."""
    return BookingRequest(
        vehicle_id=trip.vehicle,
        driver_id=trip.driver,
        start_at=trip.start_at,
        end_at=trip.end_at,
        planned_km=trip.km,
    )
