"""Search by time and the last look before booking: what the pages show, from bookings, prices and charge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from urllib.parse import urlencode

from supervision.accounts.model import Community, Identity
from supervision.billing.model import Line, Quote, Trip
from supervision.booking.timing import ceil_to
from supervision.fleet.model import Vehicle
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import local_instant, parse_instant
from supervision.services import Services
from supervision.web.views.driver_model import (
    CarOffer,
    Choice,
    CommunityTerms,
    ConfirmView,
    Preset,
    PresetCode,
    Refusal,
    SearchView,
)
from supervision.web.views.energy import Expected, expected_charge
from supervision.web.views.places import Place, drivable, place_of
from supervision.web.views.price import price_lines

STEP_MIN = 30
PLEASANT_MIN = 5
FIRST_TRIP = timedelta(hours=2)
TIMES = tuple(time(minute // 60, minute % 60) for minute in range(0, 24 * 60, STEP_MIN))


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the search form says; `refused` when a field cannot be read."""

    community: str = ""
    station: str = ""
    start: datetime | None = None
    end: datetime | None = None
    refused: Refused | None = None

    @property
    def asked(self) -> bool:
        """Tell whether a time was asked for at all."""
        return self.start is not None and self.end is not None


def wish_from(query: Mapping[str, str], community: Community) -> Wish:
    """Read the form: local days and hours of the community."""
    base = Wish(community=query.get("community", ""), station=query.get("station", ""))
    if "start_on" not in query:
        return base
    try:
        start = _local(query.get("start_on", ""), query.get("start_time", ""), community)
        end = _local(query.get("end_on", ""), query.get("end_time", ""), community)
    except (ValueError, OverflowError):
        return replace(base, refused=Refused("bad_time"))
    if end <= start:
        return replace(base, start=start, end=end, refused=Refused("ends_before_start"))
    return replace(base, start=start, end=end)


def _local(on: str, at: str, community: Community) -> datetime:
    return local_instant(date.fromisoformat(on), time.fromisoformat(at).replace(tzinfo=None), community.zone)


async def search_view(
    services: Services, identity: Identity, query: Mapping[str, str], *, now: datetime
) -> SearchView | Refused:
    """Compose the search page; `no_car` when the person may book nowhere."""
    communities = await drivable(services, identity)
    if not communities:
        return Refused("no_car")
    community = next((one for one in communities if one.id == query.get("community")), communities[0])
    wish = wish_from(query, community)
    async with services.db.read(community.organisation_id) as reader:
        place = await place_of(reader, community)
    favourite = await _favourite(services, identity, community)
    refused: Refused | None = wish.refused
    offers: tuple[CarOffer, ...] = ()
    if wish.asked and refused is None:
        found = await _offers(services, place, wish, favourite)
        if isinstance(found, Refused):
            refused = found
        else:
            offers = found
    return _search_page(place, communities, wish, favourite, refused, offers, now)


def _search_page(
    place: Place,
    communities: Sequence[Community],
    wish: Wish,
    favourite: str,
    refused: Refused | None,
    offers: tuple[CarOffer, ...],
    now: datetime,
) -> SearchView:
    community = place.community
    here = now.astimezone(community.zone)
    start, end = _shown_times(wish, community, now)
    return SearchView(
        presets=tuple(_presets(community, wish, now)),
        community=community.id,
        communities=tuple(Choice(value=one.id, label=one.name) for one in communities),
        station=wish.station or favourite,
        stations=tuple(Choice(value=one.id, label=one.name) for one in place.stations.values()),
        favourite=favourite,
        start_on=start.date(),
        start_time=start.time(),
        end_on=end.date(),
        end_time=end.time(),
        first_on=here.date(),
        last_on=here.date() + timedelta(days=community.rules.horizon_days),
        start=start if wish.asked else None,
        end=end if wish.asked else None,
        offers=offers,
        refusal=None if refused is None else Refusal(code=refused.code, params=refused.params),
        times=tuple(sorted({*TIMES, start.time(), end.time()})),
        now=here,
    )


def _shown_times(wish: Wish, community: Community, now: datetime) -> tuple[datetime, datetime]:
    if wish.start is not None and wish.end is not None:
        return wish.start.astimezone(community.zone), wish.end.astimezone(community.zone)
    start = _soon(community, now)
    return start.astimezone(community.zone), (start + FIRST_TRIP).astimezone(community.zone)


def _soon(community: Community, now: datetime) -> datetime:
    """The first start that reads well and respects the lead time (C20)."""
    step_min = max(PLEASANT_MIN, community.rules.grid_min)
    earliest = now + timedelta(minutes=community.rules.lead_min)
    return ceil_to(earliest.replace(second=0, microsecond=0) + timedelta(minutes=1), step_min, community.zone)


def _presets(community: Community, wish: Wish, now: datetime) -> Iterator[Preset]:
    today = now.astimezone(community.zone).date()
    tomorrow = today + timedelta(days=1)
    soon = _soon(community, now)
    evening = today if soon <= local_instant(today, time(18), community.zone) else tomorrow
    times: dict[PresetCode, tuple[datetime, datetime]] = {
        "now": (soon, soon + FIRST_TRIP),
        "evening": _between(evening, 18, 22, community),
        "morning": _between(tomorrow, 8, 12, community),
        "day": _between(tomorrow, 8, 18, community),
    }
    for code, (start, end) in times.items():
        local = start.astimezone(community.zone), end.astimezone(community.zone)
        yield Preset(
            code=code,
            start=local[0],
            end=local[1],
            href=search_path(*local, community=community.id, station=wish.station),
            current=(wish.start, wish.end) == (start, end),
        )


def _between(on: date, start_h: int, end_h: int, community: Community) -> tuple[datetime, datetime]:
    return local_instant(on, time(start_h), community.zone), local_instant(on, time(end_h), community.zone)


def search_path(start: datetime, end: datetime, *, community: str, station: str) -> str:
    """Return the address of a search; times are local."""
    query = {
        "community": community,
        "station": station,
        "start_on": start.date().isoformat(),
        "start_time": f"{start:%H:%M}",
        "end_on": end.date().isoformat(),
        "end_time": f"{end:%H:%M}",
    }
    return f"/drive?{urlencode({name: value for name, value in query.items() if value})}"


async def _favourite(services: Services, identity: Identity, community: Community) -> str:
    """The station of the last booking: most people have one."""
    own = await services.bookings.of_driver(identity, community.organisation_id, identity.person.id, limit=1)
    return own[0].station_id if not isinstance(own, Refused) and own else ""


async def _offers(
    services: Services, place: Place, wish: Wish, favourite: str
) -> tuple[CarOffer, ...] | Refused:
    community = place.community
    if wish.start is None or wish.end is None:
        return ()
    free = await services.bookings.free_vehicles(
        community.organisation_id, community.id, wish.start, wish.end
    )
    if isinstance(free, Refused):
        return free
    trip = Trip(start_at=wish.start, end_at=wish.end)
    quotes = await services.billing.quotes(
        community.organisation_id, vehicle_ids=[vehicle.id for vehicle in free], trip=trip
    )
    charge = await expected_charge(
        services, place, [vehicle.id for vehicle in quoted(free, quotes)], wish.start
    )
    wanted = wish.station or favourite
    offers = [
        _offer(place, vehicle, quotes[vehicle.id], charge[vehicle.id], wish.start, wish.end, wanted)
        for vehicle in quoted(free, quotes)
    ]
    here = [offer for offer in offers if not offer.elsewhere]
    return tuple(here + [offer for offer in offers if offer.elsewhere])


def quoted(vehicles: Sequence[Vehicle], quotes: Mapping[str, Quote]) -> list[Vehicle]:
    """Leave out cars without a price: nobody may be surprised by one."""
    return [vehicle for vehicle in vehicles if vehicle.id in quotes]


def _offer(
    place: Place,
    vehicle: Vehicle,
    quote: Quote,
    charge: Expected,
    start: datetime,
    end: datetime,
    wanted_station: str,
) -> CarOffer:
    station = place.stations[vehicle.station_id]
    query = {"vehicle": vehicle.id, "start_at": start.isoformat(), "end_at": end.isoformat()}
    return CarOffer(
        vehicle=vehicle.id,
        name=vehicle.name,
        model=vehicle.model,
        plate=vehicle.plate,
        station=station.name,
        total_cents=quote.total_cents,
        soc_percent=charge.soc_percent,
        range_km=charge.range_km,
        href=f"/drive/confirm?{urlencode(query)}",
        elsewhere=bool(wanted_station) and station.id != wanted_station,
    )


@dataclass(frozen=True, kw_only=True)
class Choosing:
    """A car and a time, as the confirm page gets them."""

    vehicle: str
    start: datetime
    end: datetime


def choosing_from(fields: Mapping[str, str]) -> Choosing | Refused:
    """Read the confirm page's address or form."""
    try:
        # A plus sign arrives as a space when somebody typed the address.
        start = parse_instant(fields.get("start_at", "").replace(" ", "+"))
        end = parse_instant(fields.get("end_at", "").replace(" ", "+"))
    except (ValueError, OverflowError):
        return Refused("bad_time")
    if end <= start:
        return Refused("ends_before_start")
    return Choosing(vehicle=fields.get("vehicle", ""), start=start, end=end)


async def confirm_view(
    services: Services,
    identity: Identity,
    choosing: Choosing,
    *,
    refused: Refused | None,
    now: datetime,
    language: str,
) -> ConfirmView | Refused:
    """Compose the confirm page for a car of a community the person drives in."""
    for community in await drivable(services, identity):
        async with services.db.read(community.organisation_id) as reader:
            place = await place_of(reader, community)
        if choosing.vehicle in place.vehicles:
            return await _confirm(services, place, choosing, refused, now, language)
    return Refused("vehicle_unknown")


async def _confirm(
    services: Services,
    place: Place,
    choosing: Choosing,
    refused: Refused | None,
    now: datetime,
    language: str,
) -> ConfirmView | Refused:
    community, vehicle = place.community, place.vehicles[choosing.vehicle]
    quote = await services.billing.quote(
        community.organisation_id, vehicle_id=vehicle.id, start_at=choosing.start, end_at=choosing.end
    )
    if isinstance(quote, Refused):
        return quote
    charge = await expected_charge(services, place, [vehicle.id], choosing.start)
    start, end = choosing.start.astimezone(community.zone), choosing.end.astimezone(community.zone)
    offer = _offer(place, vehicle, quote, charge[vehicle.id], start, end, vehicle.station_id)
    return ConfirmView(
        offer=offer,
        start=start,
        end=end,
        lines=price_lines([line for line in quote.lines if not _per_km(line)], language),
        km_cents=sum(line.unit_cents for line in quote.lines if _per_km(line)),
        terms=await _terms(services, place, vehicle, choosing),
        back=search_path(start, end, community=community.id, station=vehicle.station_id),
        refusal=None if refused is None else _refusal(place, refused),
        now=now.astimezone(community.zone),
    )


def _per_km(line: Line) -> bool:
    """Kilometres nobody knows before the trip: a price, not an amount."""
    return line.code == "km" and line.params.get("known") is False


async def _terms(services: Services, place: Place, vehicle: Vehicle, choosing: Choosing) -> CommunityTerms:
    rules = place.community.rules
    late = choosing.end + timedelta(minutes=1)
    quotes = await services.billing.quotes(
        place.community.organisation_id,
        vehicle_ids=[vehicle.id],
        trip=Trip(start_at=choosing.start, end_at=choosing.end, returned_at=late),
    )
    lines = quotes[vehicle.id].lines if vehicle.id in quotes else ()
    return CommunityTerms(
        buffer_min=rules.buffer_min,
        late_step_cents=sum(line.amount_cents for line in lines if line.code == "late"),
        code_lead=timedelta(minutes=rules.code_release_min),
        closed=rules.closed,
        return_needs_charge=rules.return_needs_charge,
    )


def _refusal(place: Place, refused: Refused) -> Refusal:
    """A refusal with the way to the nearest time that would be accepted."""
    proposals = refused.params.get("proposals")
    first = proposals[0] if isinstance(proposals, list) and proposals else None
    if not isinstance(first, dict) or first.get("vehicle") not in place.vehicles:
        return Refusal(code=refused.code, params=refused.params)
    return Refusal(
        code=refused.code,
        params=refused.params,
        next_href=f"/drive/confirm?{urlencode(first)}",
        next_label=f"{place.vehicles[first['vehicle']].name}",
        next_at=parse_instant(first["start_at"]).astimezone(place.community.zone),
        next_end=parse_instant(first["end_at"]).astimezone(place.community.zone),
    )
