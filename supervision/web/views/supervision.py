"""The supervision page: every station with its cars, the strip of figures, the alert inbox, one "why"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from supervision.accounts import store as accounts
from supervision.accounts.model import Community, Person
from supervision.booking.model import Booking, BookingStatus
from supervision.charging import store as charging
from supervision.csms.history import power_steps
from supervision.fleet import store as fleet
from supervision.fleet.model import Station, Vehicle
from supervision.kernel.timespan import Timespan
from supervision.services import Services
from supervision.web import timeline
from supervision.web.timeline import Axis, PowerStep, SitePower
from supervision.web.views.alerts import alerts_of
from supervision.web.views.lanes import VehicleFacts, vehicle_row
from supervision.web.views.plans import plan_from
from supervision.web.views.power import IDLE_W, Sample, levels, planned_total, total
from supervision.web.views.revenue import revenue_on
from supervision.web.views.scene import Scene
from supervision.web.views.supervision_model import (
    Alert,
    StationCard,
    StatusStrip,
    SupervisionView,
    Why,
)
from supervision.web.views.why import why_of

PAST_H, FUTURE_H = 8, 16
NARROW_PAST_H, NARROW_FUTURE_H = 3, 9
BUCKET = timedelta(minutes=10)
DEPARTURE_WITHIN = timedelta(hours=2)
RISK_WITHIN = timedelta(hours=12)


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The page in pieces, so that a live page renders again only what changed."""

    scenes: tuple[Scene, ...]
    alerts: tuple[Alert, ...]
    revenue_today_cents: int
    now: datetime
    cards: Mapping[str, StationCard] = field(default_factory=dict)


async def scenes_of(
    services: Services, organisations: Sequence[str], *, now: datetime, only: frozenset[str] | None = None
) -> list[Scene]:
    """Load the stations of these organisations, or only the named ones."""
    found: list[Scene] = []
    for organisation_id in organisations:
        async with services.db.read(organisation_id) as reader:
            stations = await fleet.stations_of(reader, organisation_id)
            communities = {one.id: one for one in await accounts.communities_of(reader, organisation_id)}
            people = {person.id: person for person in await accounts.people_of(reader, organisation_id)}
        for station in stations:
            if only is None or station.id in only:
                community = communities[station.community_id]
                found.append(await _scene(services, station, community, people, now))
    return found


async def _scene(
    services: Services,
    station: Station,
    community: Community,
    people: Mapping[str, Person],
    now: datetime,
) -> Scene:
    organisation_id = station.organisation_id
    span = Timespan(now - timedelta(hours=PAST_H + 1), now + timedelta(hours=FUTURE_H))
    page = await services.directory.stations(organisation_id, station_id=station.id)
    identities = [device["identity"] for device in page.items]
    async with services.db.read(organisation_id) as reader:
        vehicles = await fleet.vehicles_of(reader, organisation_id, station_id=station.id)
        row = await charging.last_plan(reader, organisation_id, station.id)
        profiles = await charging.profiles_of(
            reader, organisation_id, identities, states=("queued", "accepted", "rejected", "failed")
        )
        measured = await power_steps(reader, organisation_id, station.id, Timespan(span.start, now))
        ledger = await charging.balances_since(
            reader, organisation_id, [vehicle.id for vehicle in vehicles], span.start
        )
    return Scene(
        station=station,
        community=community,
        vehicles=[vehicle for vehicle in vehicles if vehicle.withdrawn_at is None],
        people=people,
        devices=page.items,
        calendar=await services.bookings.calendar(organisation_id, station.id, span),
        plan=None if row is None else plan_from(row),
        profiles=profiles,
        samples={
            place: [Sample(step.at, step.power_w) for step in steps] for place, steps in measured.items()
        },
        soc=await services.charging.expected_soc(organisation_id, [vehicle.id for vehicle in vehicles], now),
        ledger=ledger,
        now=now,
    )


def station_card(scene: Scene) -> StationCard:
    """Compose one station."""
    wide, narrow = axes(scene)
    measured = {place: levels(samples, until=scene.now) for place, samples in scene.samples.items()}
    rows = tuple(vehicle_row(_facts(scene, vehicle, measured), span=wide.span) for vehicle in scene.vehicles)
    periods = [period.step for period in scene.plan.periods()] if scene.plan else []
    ahead = Timespan(scene.now, wide.span.end)
    return StationCard(
        id=scene.station.id,
        name=scene.station.name,
        power=SitePower(
            limit_w=scene.station.grid.limit_w,
            measured=tuple(total(measured.values(), Timespan(wide.span.start, scene.now), BUCKET)),
            planned=tuple(planned_total(_from_now(periods, scene.now), ahead)),
        ),
        power_w=power_now(scene),
        rows=rows,
        wide=wide,
        narrow=narrow,
        online=sum(1 for device in scene.devices if device["connected"]),
        charging_stations=len(scene.devices),
        faulted=sum(1 for evse in scene.evses.values() if evse["status"] == "Faulted"),
    )


def axes(scene: Scene) -> tuple[Axis, Axis]:
    """The day for a desk and the half-day for a phone."""
    common: dict[str, Any] = {"now": scene.now, "zone": scene.zone, "closed": scene.community.rules.closed}
    return (
        timeline.axis(past_h=PAST_H, future_h=FUTURE_H, step_h=2, **common),
        timeline.axis(past_h=NARROW_PAST_H, future_h=NARROW_FUTURE_H, step_h=2, label_room=11, **common),
    )


def power_now(scene: Scene) -> int:
    """Power the connected EVSEs reported last."""
    return sum(evse["power_w"] or 0 for evse in scene.evses.values() if evse["connected"])


def _from_now(steps: Sequence[PowerStep], now: datetime) -> list[PowerStep]:
    """Steps as far as they are still to come."""
    return [
        replace(step, span=Timespan(max(step.span.start, now), step.span.end))
        for step in steps
        if step.span.end > now
    ]


def _facts(
    scene: Scene, vehicle: Vehicle, measured: Mapping[tuple[str, int], Sequence[PowerStep]]
) -> VehicleFacts:
    place = vehicle.evse
    return VehicleFacts(
        vehicle=vehicle,
        station_id=scene.station.id,
        bookings=[booking for booking in scene.calendar.bookings if booking.vehicle_id == vehicle.id],
        blocks=[block for block in scene.calendar.blocks if block.vehicle_id == vehicle.id],
        names={person.id: person.name for person in scene.people.values()},
        evse=scene.evses.get(str(place)) if place else None,
        windows=scene.plan.of_car(vehicle.id) if scene.plan else [],
        measured=measured.get((place.charging_station, place.evse_id), ()) if place else (),
        soc_percent=scene.soc.get(vehicle.id),
        ledger=scene.ledger.get(vehicle.id, ()),
        zone=scene.zone,
        now=scene.now,
    )


async def overview(services: Services, organisations: Sequence[str], *, now: datetime) -> Overview:
    """Load the whole page."""
    scenes = tuple(await scenes_of(services, organisations, now=now))
    return Overview(
        scenes=scenes,
        alerts=await alerts_in(services, organisations, scenes, now=now),
        revenue_today_cents=await revenue_today(services, organisations, scenes, now=now),
        now=now,
        cards={scene.station.id: station_card(scene) for scene in scenes},
    )


async def alerts_in(
    services: Services, organisations: Sequence[str], scenes: Sequence[Scene], *, now: datetime
) -> tuple[Alert, ...]:
    """Open alerts of every organisation."""
    alerts: list[Alert] = []
    for organisation_id in organisations:
        mine = [scene for scene in scenes if scene.station.organisation_id == organisation_id]
        alerts += await alerts_of(services, organisation_id, mine, now=now)
    return tuple(alerts)


async def revenue_today(
    services: Services, organisations: Sequence[str], scenes: Sequence[Scene], *, now: datetime
) -> int:
    """What every organisation with stations invoiced today."""
    zones = {scene.station.organisation_id: scene.zone for scene in scenes}
    known = [name for name in organisations if name in zones]
    return sum([await revenue_on(services, name, zones[name], now=now) for name in known])


def supervision_view(seen: Overview, *, why: str) -> SupervisionView:
    """Compose the page; `why` names the charging window to explain."""
    zone = seen.scenes[0].zone if seen.scenes else None
    return SupervisionView(
        strip=status_strip(seen),
        stations=tuple(seen.cards.values()),
        alerts=seen.alerts,
        why=why_in(seen.scenes, why),
        now=seen.now.astimezone(zone),
    )


def why_in(scenes: Sequence[Scene], key: str) -> Why | None:
    """Explain the window named by the key, else the first charge that runs or comes."""
    for scene in scenes:
        if key and not key.startswith(f"{scene.station.id}~"):
            continue
        found = why_of(
            scene.plan,
            key,
            vehicles={vehicle.id: vehicle for vehicle in scene.vehicles},
            profiles=scene.profiles,
            station=scene.station.name,
            zone=scene.zone,
            now=scene.now,
        )
        if found is not None:
            return found
    return None


def status_strip(seen: Overview) -> StatusStrip:
    """Count over every station."""
    bookings = [booking for scene in seen.scenes for booking in scene.calendar.bookings]
    evses = [evse for scene in seen.scenes for evse in scene.evses.values()]
    devices = [device for scene in seen.scenes for device in scene.devices]
    away = [booking for booking in bookings if booking.status is BookingStatus.ACTIVE]
    return StatusStrip(
        power_w=sum(power_now(scene) for scene in seen.scenes),
        limit_w=sum(scene.station.grid.limit_w for scene in seen.scenes),
        stations=len(seen.scenes),
        charging=sum(1 for evse in evses if is_charging(evse)),
        out=len(away),
        late=sum(1 for booking in away if booking.end_at < seen.now),
        departures=sum(1 for booking in bookings if _departs_soon(booking, seen.now)),
        at_risk=sum(len(windows_at_risk(scene)) for scene in seen.scenes),
        faulted=sum(1 for evse in evses if evse["connected"] and evse["status"] == "Faulted"),
        offline=sum(1 for device in devices if not device["connected"]),
        revenue_today_cents=seen.revenue_today_cents,
    )


def is_charging(evse: Mapping[str, Any]) -> bool:
    """Tell whether energy flows; OCPP 2.0.1 only says "Occupied", so the meter decides."""
    return bool(evse["connected"]) and (evse["status"] == "Charging" or (evse["power_w"] or 0) > IDLE_W)


def _departs_soon(booking: Booking, now: datetime) -> bool:
    return booking.status is BookingStatus.BOOKED and now <= booking.start_at <= now + DEPARTURE_WITHIN


def windows_at_risk(scene: Scene) -> list[str]:
    """Cars whose plan falls short of a departure in the next hours."""
    windows = scene.plan.windows if scene.plan else ()
    return [
        window.car
        for window in windows
        if window.shortfall_wh > 0
        and (departure := window.booking_start) is not None
        and scene.now <= departure <= scene.now + RISK_WITHIN
    ]
