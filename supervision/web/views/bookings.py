"""One booking, and all of a driver's bookings, as their pages show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from supervision.accounts import store as accounts
from supervision.accounts.model import Community, Identity
from supervision.accounts.rules import organisations_of
from supervision.billing.store import invoice_of_booking, tariff_versions
from supervision.billing.tariff import tariff_at
from supervision.booking.machine import Move, step
from supervision.booking.model import HOLDING, Booking, BookingStatus
from supervision.fleet import store as fleet
from supervision.fleet.model import Station, Vehicle
from supervision.kernel.errors import Refused
from supervision.services import Services
from supervision.web.views.access import code_view
from supervision.web.views.driver_model import (
    BookingSummary,
    BookingsView,
    BookingView,
    ExtendOption,
    ExtendView,
    PriceLine,
    ProblemView,
    Refusal,
    ReturnView,
)
from supervision.web.views.energy import NOTHING_KNOWN, expected_charge
from supervision.web.views.evidence import seen_at_return
from supervision.web.views.places import Place, community_of, place_of
from supervision.web.views.price import BookingPrice, price_lines

# Minutes between offered ends, as far as this after the present end.
EXTEND_STEPS = (
    (30, timedelta(hours=6)),
    (60, timedelta(hours=12)),
    (240, timedelta(days=31)),
)
LATE_LINES = frozenset({"late", "late_waived", "late_cap"})
SHOWN_BOOKINGS = 50


@dataclass(frozen=True, kw_only=True)
class Found:
    """A booking with everything its pages refer to; instants still in UTC."""

    booking: Booking
    place: Place
    vehicle: Vehicle
    station: Station
    driver_name: str

    @property
    def community(self) -> Community:
        """The community whose rules and clock hold."""
        return self.place.community

    def local(self, at: datetime) -> datetime:
        """The instant on the community's clock."""
        return at.astimezone(self.community.zone)


async def find(services: Services, identity: Identity, booking_id: str) -> Found | Refused:
    """Load a booking the person may see."""
    booking = await services.bookings.get(identity, booking_id)
    if isinstance(booking, Refused):
        return booking
    community = await community_of(services, booking.organisation_id, booking.community_id)
    async with services.db.read(booking.organisation_id) as reader:
        place = await place_of(reader, community)
        station = await fleet.station(reader, booking.organisation_id, booking.station_id)
        vehicle = await fleet.vehicle(reader, booking.organisation_id, booking.vehicle_id)
        driver = await accounts.person(reader, booking.driver_id)
    if station is None or vehicle is None:
        raise LookupError(f"booking {booking.id} has lost its station or its vehicle")
    name = driver.name if driver else ""
    return Found(booking=booking, place=place, vehicle=vehicle, station=station, driver_name=name)


def shown_state(booking: Booking, now: datetime) -> str:
    """The state people speak of: an active booking past its end is late."""
    is_late = booking.status is BookingStatus.ACTIVE and now > booking.end_at
    return "late" if is_late else str(booking.status)


def late_by(booking: Booking, now: datetime) -> timedelta | None:
    """How late the car is, None when it is not."""
    return now - booking.end_at if shown_state(booking, now) == "late" else None


async def booking_view(
    services: Services, identity: Identity, found: Found, *, now: datetime, language: str
) -> BookingView:
    """Compose the booking page."""
    booking = found.booking
    mine = booking.driver_id == identity.person.id
    holding = booking.status in HOLDING
    charge = NOTHING_KNOWN
    if booking.status is BookingStatus.BOOKED:
        charge = (await expected_charge(services, found.place, [booking.vehicle_id], booking.start_at))[
            booking.vehicle_id
        ]
    lines, invoice_id = await _billed_or_quoted(services, found, now, language)
    latest, extra_cents = await _latest(services, identity, found) if holding else (None, 0)
    opens_at = booking.start_at - timedelta(minutes=found.community.rules.code_early_min)
    return BookingView(
        id=booking.id,
        number=booking.id[:8].upper(),
        state=shown_state(booking, now),
        vehicle=found.vehicle.name,
        plate=found.vehicle.plate,
        station=found.station.name,
        place="",
        evse=str(found.vehicle.evse or ""),
        start=found.local(booking.start_at),
        end=found.local(booking.end_at),
        taken_at=found.local(booking.started_at) if booking.started_at else None,
        returned_at=found.local(booking.returned_at) if booking.returned_at else None,
        soc_percent=charge.soc_percent,
        range_km=charge.range_km,
        code=await code_view(services, identity, found.community, booking) if holding and mine else None,
        lines=lines,
        latest_end=latest,
        latest_extra_cents=extra_cents,
        support_phone=found.community.support_phone or "",
        invoice=invoice_id,
        can_start=step(booking.status, Move.START) is not None and opens_at <= now < booking.end_at,
        can_return=step(booking.status, Move.GIVE_BACK) is not None,
        can_extend=latest is not None,
        can_cancel=step(booking.status, Move.CANCEL) is not None,
        late_by=late_by(booking, now),
        driver="" if mine else found.driver_name,
        odometer_km=found.vehicle.odometer_km,
        now=now.astimezone(found.community.zone),
    )


async def _billed_or_quoted(
    services: Services, found: Found, now: datetime, language: str
) -> tuple[tuple[PriceLine, ...], str]:
    """Lines of the invoice with its id, or the price so far: the same function made both (C12)."""
    booking = found.booking
    async with services.db.read(booking.organisation_id) as reader:
        stored = await invoice_of_booking(reader, booking.organisation_id, booking.id, "trip")
    if stored is not None:
        return price_lines(stored.invoice.lines, language), stored.id
    if booking.status not in HOLDING:
        return (), ""
    price = await booking_price(services, found)
    late = late_by(booking, now) is not None
    quote = price(booking.end_at, returned_at=now if late else None)
    return (() if quote is None else price_lines(quote.lines, language)), ""


async def _latest(services: Services, identity: Identity, found: Found) -> tuple[datetime | None, int]:
    """How far the booking can be extended and what that adds."""
    booking = found.booking
    latest = await services.bookings.latest_end(identity, booking.id)
    if latest is None or isinstance(latest, Refused):
        return None, 0
    price = await booking_price(services, found)
    return found.local(latest), _extra_cents(price, booking.end_at, latest)


def _extra_cents(price: BookingPrice, end: datetime, later: datetime) -> int:
    before, after = price(end), price(later)
    return after.total_cents - before.total_cents if before and after else 0


async def extend_view(
    services: Services, identity: Identity, found: Found, *, refused: Refused | None, now: datetime
) -> ExtendView:
    """Compose the page of later ends, each with what it adds."""
    booking = found.booking
    latest = await services.bookings.latest_end(identity, booking.id)
    price = await booking_price(services, found)
    ends = () if latest is None or isinstance(latest, Refused) else later_ends(booking.end_at, latest)
    return ExtendView(
        booking=summary(found, now),
        options=tuple(
            ExtendOption(end=found.local(end), extra_cents=_extra_cents(price, booking.end_at, end))
            for end in ends
            if end > now
        ),
        refusal=None if refused is None else Refusal(code=refused.code, params=refused.params),
        now=now.astimezone(found.community.zone),
    )


def later_ends(end: datetime, latest: datetime) -> list[datetime]:
    """Every half-hour of the next hours, then wider steps, and the latest: a list a thumb can scroll."""
    ends: list[datetime] = []
    at = end
    for step_min, until in EXTEND_STEPS:
        while at + timedelta(minutes=step_min) <= min(latest, end + until):
            at += timedelta(minutes=step_min)
            ends.append(at)
    return ends if latest in ends else [*ends, latest]


async def return_view(
    services: Services, found: Found, *, refused: Refused | None, now: datetime
) -> ReturnView:
    """Compose the return page: what key box and charging station have seen."""
    booking = found.booking
    seen = await seen_at_return(services, found.vehicle, booking)
    late = late_by(booking, now)
    quote = (await booking_price(services, found))(booking.end_at, returned_at=now) if late else None
    return ReturnView(
        booking=summary(found, now),
        key=seen.key,
        plugged=seen.plugged,
        charging=seen.charging,
        needs_charge=found.community.rules.return_needs_charge,
        evse=str(found.vehicle.evse or ""),
        power_w=seen.power_w,
        last_km=booking.start_km,
        late_by=late,
        late_cents=sum(line.amount_cents for line in quote.lines if line.code in LATE_LINES) if quote else 0,
        refusal=None if refused is None else Refusal(code=refused.code, params=refused.params),
        support_phone=found.community.support_phone or "",
        now=now.astimezone(found.community.zone),
    )


def problem_view(found: Found, *, now: datetime) -> ProblemView:
    """Compose the form for what is wrong."""
    return ProblemView(
        booking=summary(found, now),
        support_phone=found.community.support_phone or "",
        refusal=None,
        now=now.astimezone(found.community.zone),
    )


def summary(found: Found, now: datetime) -> BookingSummary:
    """Return one booking as a line."""
    booking = found.booking
    return BookingSummary(
        id=booking.id,
        state=shown_state(booking, now),
        vehicle=found.vehicle.name,
        station=found.station.name,
        start=found.local(booking.start_at),
        end=found.local(booking.end_at),
        total_cents=booking.quoted_cents,
    )


async def bookings_view(services: Services, identity: Identity, *, now: datetime) -> BookingsView:
    """Compose "My bookings" over every organisation the person drives in."""
    lines: list[tuple[Booking, BookingSummary]] = []
    most = 0
    for organisation_id in organisations_of(identity.person):
        own = await services.bookings.of_driver(
            identity, organisation_id, identity.person.id, limit=SHOWN_BOOKINGS
        )
        if isinstance(own, Refused):
            continue
        places = await _places(services, organisation_id)
        lines += [(booking, _line(places[booking.community_id], booking, now)) for booking in own]
        most = max(most, *(place.community.rules.max_upcoming for place in places.values()), 0)
    return _sorted_view(lines, most, now)


async def _places(services: Services, organisation_id: str) -> dict[str, Place]:
    async with services.db.read(organisation_id) as reader:
        communities = await accounts.communities_of(reader, organisation_id)
        return {community.id: await place_of(reader, community) for community in communities}


def _line(place: Place, booking: Booking, now: datetime) -> BookingSummary:
    zone = place.community.zone
    vehicle, station = place.vehicles.get(booking.vehicle_id), place.stations.get(booking.station_id)
    return BookingSummary(
        id=booking.id,
        state=shown_state(booking, now),
        vehicle=vehicle.name if vehicle else booking.vehicle_id,
        station=station.name if station else booking.station_id,
        start=booking.start_at.astimezone(zone),
        end=booking.end_at.astimezone(zone),
        total_cents=booking.quoted_cents,
    )


def _sorted_view(lines: list[tuple[Booking, BookingSummary]], most: int, now: datetime) -> BookingsView:
    """What runs, what comes (soonest first), what was (latest first)."""
    active = [line for booking, line in lines if booking.status is BookingStatus.ACTIVE]
    coming = sorted(
        (line for booking, line in lines if booking.status is BookingStatus.BOOKED),
        key=lambda line: line.start,
    )
    past = sorted(
        (line for booking, line in lines if booking.status not in HOLDING),
        key=lambda line: line.start,
        reverse=True,
    )
    zone = lines[0][1].start.tzinfo if lines else now.tzinfo
    return BookingsView(
        current=tuple(active),
        upcoming=tuple(coming),
        past=tuple(past),
        max_upcoming=most,
        now=now.astimezone(zone),
    )


async def booking_price(services: Services, found: Found) -> BookingPrice:
    """Return the price function of a booking, with the tariff it was made under."""
    tariff_id = found.booking.tariff_id or found.vehicle.tariff_id
    async with services.db.read(found.booking.organisation_id) as reader:
        versions = await tariff_versions(
            reader, found.booking.organisation_id, [tariff_id] if tariff_id else []
        )
    return BookingPrice(
        start=found.booking.start_at,
        zone=found.community.zone,
        tariff=tariff_at(versions.get(tariff_id or "", []), found.booking.start_at, found.community.zone),
    )
