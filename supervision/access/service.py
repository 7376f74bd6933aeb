"""Use cases of access: codes follow their bookings, are shown in time, and stand in the devices.

What changes a booking only writes an event. `consumers` brings the code, the key box and the car in line
with whatever the booking is by then; each step compares and acts, so a repeated or late event does no
harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from supervision.access import rules, store
from supervision.access.codes import choose, digits_of, looks_like_code, same
from supervision.access.model import AccessCode, VisibleCode
from supervision.access.providers import DeviceUnreachableError
from supervision.access.providers.immobiliser import CarAddress, CarCode, ImmobiliserProvider
from supervision.access.providers.key_box import BoxAddress, BoxCode, BoxEvent, KeyBoxProvider
from supervision.access.rules import Issue, Revoke
from supervision.access.store import KeyBox
from supervision.accounts import store as accounts
from supervision.accounts.model import Community, Identity
from supervision.accounts.rules import may_manage
from supervision.booking import store as bookings
from supervision.booking.model import Booking, BookingStatus
from supervision.booking.rules import Automatic
from supervision.booking.service import BookingService
from supervision.clock import Clock
from supervision.fleet import store as fleet
from supervision.fleet.model import Vehicle
from supervision.kernel.errors import Refused
from supervision.kernel.events import (
    AccessCodeReleased,
    BookingCancelled,
    BookingEvent,
    BookingMade,
    BookingMoved,
    BookingReturned,
)
from supervision.log import Log
from supervision.store.db import Database, Reader, Tx, across_tenants
from supervision.store.outbox import Consumer, Delivery, UndeliverableError

log = Log("supervision.access")

_SWEEP = across_tenants("a sweep serves every organisation")


@dataclass(frozen=True, kw_only=True)
class _Trip:
    """A booking with what its code depends on."""

    booking: Booking
    community: Community
    code: AccessCode | None


class AccessService:
    """Codes of bookings and the devices that take them.

    `key_boxes` maps the provider name of a box to the provider; `secret` is the key codes are derived from.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        *,
        secret: bytes,
        bookings: BookingService,
        key_boxes: Mapping[str, KeyBoxProvider],
        immobilisers: ImmobiliserProvider,
    ) -> None:
        self._db = db
        self._clock = clock
        self._secret = secret
        self._bookings = bookings
        self._key_boxes = key_boxes
        self._immobilisers = immobilisers

    def consumers(self) -> tuple[Consumer, ...]:
        """Return what listens to bookings: the code first, then box and car, each retried on its own."""
        kinds = (BookingMade, BookingMoved, BookingCancelled, BookingReturned)
        return (
            Consumer("access-codes", kinds, self._follow),
            Consumer("key-boxes", kinds, self._tell_box),
            Consumer("immobilisers", kinds, self._tell_car),
        )

    # --- the code ----------------------------------------------------------------------------------------

    async def follow(self, organisation_id: str, booking_id: str) -> None:
        """Issue, re-issue or revoke the code of a booking until it agrees with it; releases when due."""

        async def unit(tx: Tx) -> None:
            trip = await _trip(tx, organisation_id, booking_id)
            now = self._clock.now()
            step = rules.next_step(trip.booking, trip.community, trip.code)
            code = trip.code
            if isinstance(step, Issue):
                code = await self._issue(tx, trip, step, now)
            elif isinstance(step, Revoke) and code is not None:
                code = rules.revoked(code, now)
            if step is not None and code is not None:
                await self._save(tx, _release(code, trip, now), trip)

        await self._db.write(organisation_id, unit)

    async def release_due(self) -> int:
        """Show and send the codes whose time has come (C44); return how many."""
        now = self._clock.now()
        async with self._db.read(_SWEEP) as reader:
            waiting = await store.unreleased(reader, now)
        due = [code for code in waiting if now >= rules.release_at(code.start_at, code.rules)]
        return sum([await self._release_one(code.organisation_id, code.booking_id) for code in due])

    async def code_for(self, identity: Identity, booking: Booking) -> VisibleCode | Refused:
        """Return the code of a booking to its driver, or to a manager, which is audited."""
        if not rules.may_see(identity, booking):
            return Refused("not_yours")
        async with self._db.read(booking.organisation_id) as reader:
            trip = await _trip(reader, booking.organisation_id, booking.id)
        refused = rules.visibility(trip.code, trip.booking, trip.community.rules)
        if refused is not None or trip.code is None or trip.code.released_at is None:
            return refused or Refused("code_revoked")
        if identity.person.id != booking.driver_id:
            await self._audit(identity, booking, "access_code.shown")
        return VisibleCode(
            digits=self._digits(trip.code),
            valid_from=trip.code.valid_from,
            valid_until=trip.code.valid_until,
            released_at=trip.code.released_at,
            revision=trip.code.revision,
        )

    async def digits_to_send(self, organisation_id: str, booking_id: str) -> str | None:
        """Return the digits for the driver's mail and SMS, None when they may not be sent (any more)."""
        async with self._db.read(organisation_id) as reader:
            code = await store.code(reader, organisation_id, booking_id)
        if code is None or code.released_at is None or code.revoked_at is not None:
            return None
        return self._digits(code)

    async def check(
        self, reader: Reader, *, organisation_id: str, station_id: str, digits: str, now: datetime
    ) -> AccessCode | None:
        """Return the code of this station that these digits open now, None when there is none."""
        if not looks_like_code(digits):
            return None
        found = None
        for code, status in await store.live_codes(reader, organisation_id, station_id, now):
            # Every code is compared, whichever matches: the time taken tells nothing.
            if same(self._digits(code), digits) and rules.opens(code, BookingStatus(status), now):
                found = code
        return found

    # --- the devices -------------------------------------------------------------------------------------

    async def sync_box(self, organisation_id: str, station_id: str) -> bool:
        """Make the station's key box hold exactly the live codes; False when the station has no box.

        DeviceUnreachableError passes through: the outbox tries again.
        """
        now = self._clock.now()
        async with self._db.read(organisation_id) as reader:
            box = await store.key_box_of(reader, organisation_id, station_id)
            if box is None:
                return False
            live = [code for code, _ in await store.live_codes(reader, organisation_id, station_id, now)]
            slots = await _slots(reader, organisation_id, station_id)
        wanted = [code for code in live if code.vehicle_id in slots]
        told = [self._box_code(code, slots[code.vehicle_id]) for code in wanted]
        confirmation = await self._provider(box).put(_address(box), told, now)

        async def unit(tx: Tx) -> None:
            await store.confirm(tx, wanted, organisation_id, station_id)

        await self._db.write(organisation_id, unit)
        if abs(confirmation.clock_offset_s) > 60:  # noqa: PLR2004 - a minute of drift deserves a line
            log.warning("key_box.clock_was_off", box=box.id, offset_s=confirmation.clock_offset_s)
        return True

    async def sync_due(self) -> int:
        """Bring boxes in line that are behind, e.g. after the outbox gave up; return how many stations."""
        async with self._db.read(_SWEEP) as reader:
            behind = await store.stations_behind(reader)
        done = 0
        for organisation_id, station_id in behind:
            try:
                done += await self.sync_box(organisation_id, station_id)
            except DeviceUnreachableError as error:
                log.warning("key_box.unreachable", station=station_id, detail=str(error))
        return done

    async def open_from_afar(
        self, identity: Identity, organisation_id: str, vehicle_id: str
    ) -> Refused | None:
        """Open a vehicle's slot for a driver in need (C27): managers only, audited."""
        if not may_manage(identity, organisation_id):
            return Refused("not_yours")
        async with self._db.read(organisation_id) as reader:
            vehicle = await fleet.vehicle(reader, organisation_id, vehicle_id)
            box = vehicle and await store.key_box_of(reader, organisation_id, vehicle.station_id)
        if vehicle is None or not isinstance(box, KeyBox) or vehicle.key_box_slot is None:
            return Refused("no_key_box", {"vehicle": vehicle_id})
        try:
            await self._provider(box).open_now(_address(box), vehicle.key_box_slot, self._clock.now())
        except DeviceUnreachableError:
            return Refused("device_unreachable", {"vehicle": vehicle_id})
        await self._audit_subject(identity, organisation_id, "key_box.opened", f"vehicle:{vehicle_id}")
        return None

    async def key_present(self, vehicle: Vehicle) -> bool | None:
        """Tell whether the vehicle's key hangs in its slot; None when nothing can tell."""
        if vehicle.key_box_slot is None:
            return None
        async with self._db.read(vehicle.organisation_id) as reader:
            box = await store.key_box_of(reader, vehicle.organisation_id, vehicle.station_id)
        if box is None or not self._provider(box).capabilities.key_sensor:
            return None
        try:
            return (await self._provider(box).keys(_address(box))).get(vehicle.key_box_slot)
        except DeviceUnreachableError:
            return None

    async def box_saw(self, box: KeyBox, event: BoxEvent) -> None:
        """Keep what a box reports; a key that goes starts its booking."""
        await self._note(
            organisation_id=box.organisation_id,
            at=event.at,
            device=f"key_box:{box.id}",
            kind=event.kind,
            booking_id=event.booking_id,
            details={**event.details, "slot": event.slot},
        )
        if event.kind == "key_taken" and event.booking_id is not None:
            started = await self._bookings.start(Automatic(cause="key_box"), event.booking_id)
            if isinstance(started, Refused):
                log.warning("access.start_refused", booking=event.booking_id, reason=started.code)

    # --- consumers ---------------------------------------------------------------------------------------

    async def _follow(self, delivery: Delivery) -> None:
        event = _booking_event(delivery)
        await self.follow(event.organisation_id, event.booking_id)

    async def _tell_box(self, delivery: Delivery) -> None:
        event = _booking_event(delivery)
        await self.follow(event.organisation_id, event.booking_id)  # this consumer may be the first
        await self.sync_box(event.organisation_id, event.station_id)

    async def _tell_car(self, delivery: Delivery) -> None:
        event = _booking_event(delivery)
        await self.follow(event.organisation_id, event.booking_id)
        now = self._clock.now()
        car = CarAddress(vehicle_id=event.vehicle_id, organisation_id=event.organisation_id)
        async with self._db.read(event.organisation_id) as reader:
            booking = await bookings.booking(reader, event.organisation_id, event.booking_id)
            live = await store.live_codes(reader, event.organisation_id, event.station_id, now)
        mine = [self._car_code(code) for code, _ in live if code.vehicle_id == event.vehicle_id]
        await self._immobilisers.put(car, mine, now)
        if booking is not None and booking.status is BookingStatus.COMPLETED and not _driven(live, car):
            await self._immobilisers.arm(car, now)

    # --- helpers -----------------------------------------------------------------------------------------

    async def _issue(self, tx: Tx, trip: _Trip, step: Issue, now: datetime) -> AccessCode:
        booking = trip.booking
        live = await store.live_codes(tx, booking.organisation_id, booking.station_id, now)
        taken = {self._digits(code) for code, _ in live if code.booking_id != booking.id}
        revision = choose(
            self._secret, booking.id, step.window, first_revision=step.first_revision, taken=taken
        )
        return rules.issued(booking, step.window, revision, trip.code)

    async def _save(self, tx: Tx, code: AccessCode, trip: _Trip) -> None:
        await store.save(tx, code)
        booking = trip.booking
        before = None if trip.code is None or trip.code.released_at is None else trip.code.revision
        if code.released_at is not None and code.revoked_at is None and code.revision != before:
            tx.emit(
                AccessCodeReleased(
                    organisation_id=booking.organisation_id,
                    booking_id=booking.id,
                    vehicle_id=booking.vehicle_id,
                    station_id=booking.station_id,
                    revision=code.revision,
                )
            )
        tx.touch(f"booking:{booking.id}", f"driver:{booking.driver_id}")

    async def _release_one(self, organisation_id: str, booking_id: str) -> bool:
        async def unit(tx: Tx) -> bool:
            trip = await _trip(tx, organisation_id, booking_id)
            if trip.code is None or trip.code.revoked_at is not None or trip.code.released_at is not None:
                return False
            released = _release(trip.code, trip, self._clock.now())
            if released.released_at is None:
                return False
            await self._save(tx, released, trip)
            return True

        return await self._db.write(organisation_id, unit)

    def _digits(self, code: AccessCode) -> str:
        return digits_of(self._secret, code.booking_id, code.window, code.revision)

    def _box_code(self, code: AccessCode, slot: int) -> BoxCode:
        return BoxCode(
            booking_id=code.booking_id,
            revision=code.revision,
            digits=self._digits(code),
            slot=slot,
            valid_from=code.valid_from,
            valid_until=code.valid_until,
        )

    def _car_code(self, code: AccessCode) -> CarCode:
        return CarCode(
            booking_id=code.booking_id,
            revision=code.revision,
            digits=self._digits(code),
            valid_from=code.valid_from,
            valid_until=code.valid_until,
        )

    def _provider(self, box: KeyBox) -> KeyBoxProvider:
        provider = self._key_boxes.get(box.provider)
        if provider is None:
            raise UndeliverableError(f"key box {box.id} has the unknown provider {box.provider}")
        return provider

    async def _audit(self, identity: Identity, booking: Booking, action: str) -> None:
        await self._audit_subject(identity, booking.organisation_id, action, f"booking:{booking.id}")

    async def _audit_subject(
        self, identity: Identity, organisation_id: str, action: str, subject: str
    ) -> None:
        async def unit(tx: Tx) -> None:
            await store.audit(
                tx,
                organisation_id=organisation_id,
                at=self._clock.now(),
                person_id=identity.person.id,
                action=action,
                subject=subject,
            )

        await self._db.write(organisation_id, unit)

    async def _note(self, *, organisation_id: str, **event: object) -> None:
        async def unit(tx: Tx) -> None:
            await store.note_event(tx, organisation_id=organisation_id, **event)  # type: ignore[arg-type]

        await self._db.write(organisation_id, unit)


async def _trip(reader: Reader, organisation_id: str, booking_id: str) -> _Trip:
    booking = await bookings.booking(reader, organisation_id, booking_id)
    community = booking and await accounts.community(reader, organisation_id, booking.community_id)
    if booking is None or not isinstance(community, Community):
        raise UndeliverableError(f"no booking {booking_id}")
    return _Trip(
        booking=booking, community=community, code=await store.code(reader, organisation_id, booking_id)
    )


def _release(code: AccessCode, trip: _Trip, now: datetime) -> AccessCode:
    """Mark the code as shown when its time has come."""
    due = now >= rules.release_at(trip.booking.start_at, trip.community.rules)
    if code.released_at is not None or code.revoked_at is not None or not due:
        return code
    return replace(code, released_at=now)


async def _slots(reader: Reader, organisation_id: str, station_id: str) -> dict[str, int]:
    vehicles = await fleet.vehicles_of(reader, organisation_id, station_id=station_id)
    return {vehicle.id: vehicle.key_box_slot for vehicle in vehicles if vehicle.key_box_slot is not None}


def _driven(live: list[tuple[AccessCode, str]], car: CarAddress) -> bool:
    """Tell whether somebody else already has the car: a late event must not arm it under him."""
    return any(code.vehicle_id == car.vehicle_id and status == "active" for code, status in live)


def _address(box: KeyBox) -> BoxAddress:
    return BoxAddress(id=box.id, organisation_id=box.organisation_id, config=box.config)


def _booking_event(delivery: Delivery) -> BookingEvent:
    return cast("BookingEvent", delivery.event)
