"""Use cases of bookings: one unit of work each - load, decide, save, emit.

A refusal comes back as a value. What the rules cannot see because another process was faster, the guard
in the schema does (C38): its error becomes the same refusal `overlap`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.exc import DBAPIError

from supervision.accounts import store as accounts
from supervision.accounts.model import Community, Identity
from supervision.accounts.rules import may_manage, may_supervise, organisations_of
from supervision.booking import rules, store
from supervision.booking.model import Booking, BookingRequest, Calendar, Proposal, ReturnEvidence
from supervision.booking.rules import Accepted, Actor, Automatic, Decision, Situation
from supervision.booking.search import REACH, latest_end, nearest_slot
from supervision.booking.timing import buffer_of
from supervision.clock import Clock
from supervision.fleet import store as fleet
from supervision.fleet.model import Vehicle
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import Timespan, format_instant
from supervision.store.booking_guard import OVERLAP
from supervision.store.db import Database, Reader, Tx, across_tenants

_BY_ID = across_tenants("an id names its organisation; the caller is checked against it")
_SWEEP = across_tenants("a sweep serves every organisation")
_MOST_PROPOSALS = 3
_FAR = timedelta(days=1000)  # beyond every horizon a community may set
_HAS_ALTERNATIVE = frozenset({"overlap", "start_closed", "end_closed", "chain_too_long"})

Deciding = Callable[[Tx, Booking, datetime], Awaitable[Decision]]


class BookingService:
    """Everything that happens to bookings. `new_id` draws the id of a new booking."""

    def __init__(self, db: Database, clock: Clock, new_id: Callable[[], str]) -> None:
        self._db = db
        self._clock = clock
        self._new_id = new_id

    # --- using -----------------------------------------------------------------------------------------

    async def book(self, identity: Identity, request: BookingRequest) -> Booking | Refused:
        """Book a vehicle for oneself, or as a manager for somebody else.

        Refusals for a taken car or closed hours carry `proposals`: the nearest free time of this vehicle
        and other vehicles free at the wanted time.
        """
        now = self._clock.now()
        async with self._db.read(_BY_ID) as reader:
            organisation_id = await fleet.organisation_of_vehicle(reader, request.vehicle_id)
        if organisation_id is None or not _belongs(identity, organisation_id):
            return Refused("vehicle_unknown", {"vehicle": request.vehicle_id})
        booking_id = self._new_id()
        seen: list[Situation] = []

        async def unit(tx: Tx) -> Booking | Refused:
            if not self._db.is_sqlite:  # SQLite has one writer anyway
                await store.lock_driver(tx, request.driver_id)
            situation = await _situation_of(tx, organisation_id, request, now)
            if isinstance(situation, Refused):
                return situation
            seen[:] = [situation]
            decision = rules.decide_booking(
                request, situation, asked_by=identity, booking_id=booking_id, now=now
            )
            return await _keep(tx, decision, store.add)

        result = await self._guarded(organisation_id, unit) or rules.overlap(request.vehicle_id)
        if isinstance(result, Refused) and result.code in _HAS_ALTERNATIVE:
            return await self._with_proposals(identity, request, seen[0], result, now)
        return result

    async def extend(self, by: Actor, booking_id: str, new_end: datetime) -> Booking | Refused:
        """Move the end later; a refusal for the next booking or closed hours says `latest_end` if any."""

        async def decide(tx: Tx, booking: Booking, now: datetime) -> Decision:
            situation = await _situation(tx, booking, now)
            decision = rules.decide_extend(booking, new_end, situation, by=by, now=now)
            if isinstance(decision, Refused) and decision.code in _HAS_ALTERNATIVE:
                best = latest_end(booking, situation, now=now)
                known = {} if best is None else {"latest_end": format_instant(best)}
                return Refused(decision.code, {**decision.params, **known})
            return decision

        return await self._change(by, booking_id, decide)

    async def shorten(self, by: Actor, booking_id: str, new_end: datetime) -> Booking | Refused:
        """Move the end earlier."""

        async def decide(tx: Tx, booking: Booking, now: datetime) -> Decision:
            return rules.decide_shorten(booking, new_end, await _situation(tx, booking, now), by=by, now=now)

        return await self._change(by, booking_id, decide)

    async def cancel(self, by: Actor, booking_id: str) -> Booking | Refused:
        """Give a booking up before it starts; a second call answers the same state."""

        async def decide(_tx: Tx, booking: Booking, now: datetime) -> Decision:
            return rules.decide_cancel(booking, by=by, now=now)

        return await self._change(by, booking_id, decide)

    async def start(self, by: Actor, booking_id: str, *, odometer_km: int | None = None) -> Booking | Refused:
        """Take the car; a second call answers the same state."""

        async def decide(tx: Tx, booking: Booking, now: datetime) -> Decision:
            situation = await _situation(tx, booking, now)
            return rules.decide_start(booking, situation, by=by, now=now, odometer_km=odometer_km)

        return await self._change(by, booking_id, decide)

    async def give_back(
        self, by: Actor, booking_id: str, evidence: ReturnEvidence, *, odometer_km: int | None = None
    ) -> Booking | Refused:
        """End the trip on this evidence; a second call answers the same state."""

        async def decide(tx: Tx, booking: Booking, now: datetime) -> Decision:
            community = await _community(tx, booking)
            decision = rules.decide_give_back(
                booking, evidence, community, by=by, now=now, odometer_km=odometer_km
            )
            if isinstance(decision, Accepted) and decision.events and odometer_km is not None:
                await store.remember_odometer(tx, booking.organisation_id, booking.vehicle_id, odometer_km)
            return decision

        return await self._change(by, booking_id, decide)

    # --- looking ---------------------------------------------------------------------------------------

    async def get(self, identity: Identity, booking_id: str) -> Booking | Refused:
        """Return a booking to its driver or to those who supervise the organisation."""
        organisation_id = await self._organisation_of(booking_id)
        if organisation_id is None or not _belongs(identity, organisation_id):
            return Refused("booking_unknown", {"booking": booking_id})
        async with self._db.read(organisation_id) as reader:
            booking = await store.booking(reader, organisation_id, booking_id)
        if booking is None:
            return Refused("booking_unknown", {"booking": booking_id})
        if booking.driver_id != identity.person.id and not may_supervise(identity, organisation_id):
            return Refused("not_yours")
        return booking

    async def of_driver(
        self,
        identity: Identity,
        organisation_id: str,
        driver_id: str,
        *,
        limit: int = 100,
        before: datetime | None = None,
        after_id: str | None = None,
    ) -> list[Booking] | Refused:
        """Return a driver's bookings in the organisation, the latest start first, then by id."""
        if driver_id != identity.person.id and not may_supervise(identity, organisation_id):
            return Refused("not_yours")
        async with self._db.read(organisation_id) as reader:
            return await store.of_driver(
                reader, organisation_id, driver_id, limit=limit, before=before, after_id=after_id
            )

    async def calendar(self, organisation_id: str, station_id: str, span: Timespan) -> Calendar:
        """Return what stands at a station in `span`; who may see the names is for the caller to check."""
        async with self._db.read(organisation_id) as reader:
            return await store.station_calendar(reader, organisation_id, station_id, span)

    async def free_vehicles(
        self, organisation_id: str, community_id: str, start_at: datetime, end_at: datetime
    ) -> list[Vehicle] | Refused:
        """Return the community's vehicles free for these times, or the rule that forbids the times."""
        now = self._clock.now()
        async with self._db.read(organisation_id) as reader:
            community = await accounts.community(reader, organisation_id, community_id)
            if community is None:
                return Refused("community_unknown", {"community": community_id})
            if (refused := rules.check_times(start_at, end_at, community, now=now)) is not None:
                return refused
            return await _free(reader, community, Timespan(start_at, end_at), now)

    async def latest_end(self, identity: Identity, booking_id: str) -> datetime | Refused | None:
        """Return how late the booking's end could be moved, None when not at all."""
        booking = await self.get(identity, booking_id)
        if isinstance(booking, Refused):
            return booking
        now = self._clock.now()
        async with self._db.read(booking.organisation_id) as reader:
            situation = await _situation(reader, booking, now)
        return latest_end(booking, situation, now=now)

    # --- sweeping --------------------------------------------------------------------------------------

    async def sweep_no_shows(self) -> int:
        """Give up bookings nobody started in time; return how many."""
        async with self._db.read(_SWEEP) as reader:
            due = await store.due_for_no_show(reader, self._clock.now())

        async def decide(tx: Tx, booking: Booking, now: datetime) -> Decision:
            missed = rules.decide_no_show(booking, await _community(tx, booking), now=now)
            return missed or Accepted(booking=booking)

        return await self._sweep(due, decide)

    async def sweep_late(self) -> int:
        """Tell, once each, of cars that are not back at their planned end; return how many."""
        async with self._db.read(_SWEEP) as reader:
            due = await store.due_for_late(reader, self._clock.now())

        async def decide(_tx: Tx, booking: Booking, now: datetime) -> Decision:
            return rules.decide_late(booking, now=now) or Accepted(booking=booking)

        return await self._sweep(due, decide)

    async def _sweep(self, due: Sequence[tuple[str, str]], decide: Deciding) -> int:
        changed = 0
        for organisation_id, booking_id in due:
            found, result = await self._decide_and_keep(organisation_id, booking_id, decide)
            changed += isinstance(result, Booking) and found is not None and result.version != found.version
        return changed

    # --- the shape of a use case -------------------------------------------------------------------------

    async def _change(self, by: Actor, booking_id: str, decide: Deciding) -> Booking | Refused:
        organisation_id = await self._organisation_of(booking_id)
        if organisation_id is None or not (isinstance(by, Automatic) or _belongs(by, organisation_id)):
            return Refused("booking_unknown", {"booking": booking_id})
        _, result = await self._decide_and_keep(organisation_id, booking_id, decide)
        return result

    async def _decide_and_keep(
        self, organisation_id: str, booking_id: str, decide: Deciding
    ) -> tuple[Booking | None, Booking | Refused]:
        before: list[Booking] = []

        async def unit(tx: Tx) -> Booking | Refused:
            booking = await store.booking(tx, organisation_id, booking_id, lock=True)
            if booking is None:
                return Refused("booking_unknown", {"booking": booking_id})
            before[:] = [booking]
            return await _keep(tx, await decide(tx, booking, self._clock.now()), store.save)

        result = await self._guarded(organisation_id, unit)
        found = before[0] if before else None
        return found, result or rules.overlap(found.vehicle_id if found else "")

    async def _guarded(
        self, organisation_id: str, unit: Callable[[Tx], Awaitable[Booking | Refused]]
    ) -> Booking | Refused | None:
        """Run the unit; None when the guard in the schema said that the vehicle is taken."""
        try:
            return await self._db.write(organisation_id, unit)
        except DBAPIError as error:
            if OVERLAP not in str(error.orig):
                raise
        return None

    async def _organisation_of(self, booking_id: str) -> str | None:
        async with self._db.read(_BY_ID) as reader:
            return await store.organisation_of(reader, booking_id)

    async def _with_proposals(
        self,
        identity: Identity,
        request: BookingRequest,
        situation: Situation,
        refused: Refused,
        now: datetime,
    ) -> Refused:
        async with self._db.read(situation.community.organisation_id) as reader:
            proposals = await _proposals(reader, identity, request, situation, refused.code, now)
        if refused.code == OVERLAP:
            await self._note_missed(situation.community, request, now)
        listed = [proposal.to_json() for proposal in proposals]
        return Refused(refused.code, {**refused.params, "proposals": listed})

    async def _note_missed(self, community: Community, request: BookingRequest, now: datetime) -> None:
        async def unit(tx: Tx) -> None:
            await store.note_missed_search(
                tx,
                organisation_id=community.organisation_id,
                at=now,
                community_id=community.id,
                vehicle_id=request.vehicle_id,
                start_at=request.start_at,
                end_at=request.end_at,
                code=OVERLAP,
            )

        await self._db.write(community.organisation_id, unit)


def may_change(identity: Identity, booking: Booking) -> bool:
    """Tell whether this person may act on the booking: its driver, or a manager of the organisation."""
    return booking.driver_id == identity.person.id or may_manage(identity, booking.organisation_id)


def _belongs(identity: Identity, organisation_id: str) -> bool:
    """Ids of other organisations are not even confirmed to exist (C1)."""
    return organisation_id in organisations_of(identity.person)


async def _keep(
    tx: Tx, decision: Decision, write: Callable[[Tx, Booking], Awaitable[None]]
) -> Booking | Refused:
    if isinstance(decision, Refused):
        return decision
    booking = decision.booking
    if decision.events:
        await write(tx, booking)
        for happened in decision.events:
            tx.emit(happened)
        tx.touch(f"station:{booking.station_id}", f"booking:{booking.id}", f"driver:{booking.driver_id}")
    return booking


async def _situation_of(
    reader: Reader, organisation_id: str, request: BookingRequest, now: datetime
) -> Situation | Refused:
    """Load what `decide_booking` looks at; the calendar reaches far enough for proposals."""
    vehicle = await fleet.vehicle(reader, organisation_id, request.vehicle_id)
    if vehicle is None:
        return Refused("vehicle_unknown", {"vehicle": request.vehicle_id})
    station = await fleet.station(reader, organisation_id, vehicle.station_id)
    if station is None:
        raise LookupError(f"vehicle {vehicle.id} has lost its station")
    community = await accounts.community(reader, organisation_id, station.community_id)
    if community is None:
        raise LookupError(f"station {station.id} has lost its community")
    driver = await accounts.person(reader, request.driver_id)
    if driver is None or not driver.roles:  # somebody of another organisation is not confirmed to exist (C1)
        return Refused("driver_unknown", {"driver": request.driver_id})
    return Situation(
        community=community,
        driver=driver,
        vehicle=vehicle,
        calendar=await _calendar(reader, vehicle, community, request.start_at, request.end_at, now),
        upcoming=await store.count_upcoming(reader, organisation_id, community.id, driver.id),
    )


async def _situation(reader: Reader, booking: Booking, now: datetime) -> Situation:
    """Load what the decisions about an existing booking look at."""
    community = await _community(reader, booking)
    vehicle = await fleet.vehicle(reader, booking.organisation_id, booking.vehicle_id)
    driver = await accounts.person(reader, booking.driver_id)
    if vehicle is None or driver is None:
        raise LookupError(f"booking {booking.id} has lost its vehicle or its driver")
    return Situation(
        community=community,
        driver=driver,
        vehicle=vehicle,
        calendar=await _calendar(reader, vehicle, community, booking.start_at, booking.end_at, now),
    )


async def _community(reader: Reader, booking: Booking) -> Community:
    community = await accounts.community(reader, booking.organisation_id, booking.community_id)
    if community is None:
        raise LookupError(f"booking {booking.id} has lost its community")
    return community


async def _calendar(
    reader: Reader,
    vehicle: Vehicle,
    community: Community,
    start_at: datetime,
    end_at: datetime,
    now: datetime,
) -> Calendar:
    """Load the vehicle's calendar around the times, as far as proposals and chains of bookings reach.

    Times nobody may book anyway (a start in year 9999, an end before the start) have an empty one.
    """
    reach = REACH + timedelta(hours=community.rules.max_duration_h)
    start, end = max(start_at, now - _FAR) - reach, min(end_at, now + _FAR) + reach
    if start >= end:
        return Calendar()
    return await store.vehicle_calendar(reader, vehicle.organisation_id, vehicle.id, Timespan(start, end))


async def _free(reader: Reader, community: Community, span: Timespan, now: datetime) -> list[Vehicle]:
    return await store.free_vehicles(
        reader, community.organisation_id, community.id, span, buffer=buffer_of(community.rules), now=now
    )


async def _proposals(
    reader: Reader,
    identity: Identity,
    request: BookingRequest,
    situation: Situation,
    code: str,
    now: datetime,
) -> list[Proposal]:
    found = []
    if (nearest := nearest_slot(request, situation, asked_by=identity, now=now)) is not None:
        found.append(nearest)
    wanted = request if code == OVERLAP or nearest is None else _at(request, nearest)
    others = await _free(reader, situation.community, Timespan(wanted.start_at, wanted.end_at), now)
    here = situation.vehicle.station_id
    near_first = sorted(others, key=lambda other: other.station_id != here)
    elsewhere = [_proposal(vehicle, wanted) for vehicle in near_first if vehicle.id != request.vehicle_id]
    return found + elsewhere[:_MOST_PROPOSALS]


def _at(request: BookingRequest, slot: Proposal) -> BookingRequest:
    return replace(request, start_at=slot.start_at, end_at=slot.end_at)


def _proposal(vehicle: Vehicle, wanted: BookingRequest) -> Proposal:
    return Proposal(vehicle_id=vehicle.id, start_at=wanted.start_at, end_at=wanted.end_at)
