"""Charging as use cases: events ask for a new plan, plans become profiles, profiles are sent and checked.

Everything due stands in tables (`replan_requests`, `sent_profiles`), so every step may be repeated or
missed without harm: `replan_due` plans, `serve_stations` sends, `sweep` notices what time alone has
changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from supervision.charging import capabilities, queries, store
from supervision.charging.changeover import apart
from supervision.charging.composite import read_profile
from supervision.charging.dialogue import Dialogue, Sender
from supervision.charging.energy import EnergyLedger
from supervision.charging.loading import load_site
from supervision.charging.model import ChargingPlan, Period
from supervision.charging.plan import solve
from supervision.charging.profile import CompiledProfile, compile_plan, compile_standing, same_profile
from supervision.charging.proof import PowerProof
from supervision.charging.site import Site, SiteEvse, horizon_of, outlet, question
from supervision.charging.store import ReplanRequest, Row
from supervision.charging.turns import Place, Proposal, in_turn
from supervision.clock import Clock
from supervision.fleet import store as fleet
from supervision.kernel.errors import Refused
from supervision.kernel.events import (
    BookingCancelled,
    BookingEvent,
    BookingLate,
    BookingMade,
    BookingMoved,
    BookingReturned,
    BookingStarted,
    ChargingStationBooted,
    ChargingStationConnected,
    ChargingStationEvent,
    ChargingTransactionEnded,
    ChargingTransactionResumed,
    ChargingTransactionStarted,
    Event,
    EvseStatusChanged,
    VehicleEnergyChanged,
)
from supervision.log import Log
from supervision.store.db import Database, StoreUnavailableError, Tx, across_tenants
from supervision.store.outbox import Consumer, Delivery

log = Log("supervision.charging")

PLAN_HOLDS = timedelta(hours=3)
MEASURED = timedelta(minutes=2)
"""Meter values up to an instant are here so long after it."""
AT_ONCE = 32
"""Charging stations talked to at the same time."""

EVENTS: tuple[type[Event], ...] = (
    BookingMade,
    BookingMoved,
    BookingCancelled,
    BookingStarted,
    BookingReturned,
    BookingLate,
    EvseStatusChanged,
    ChargingTransactionStarted,
    ChargingTransactionEnded,
    ChargingTransactionResumed,
    VehicleEnergyChanged,
    ChargingStationConnected,
    ChargingStationBooted,
)

_SWEEP = across_tenants("stations of every organisation are planned and served")


class ChargingService:
    """One instance per process."""

    def __init__(self, *, db: Database, clock: Clock, commands: Sender) -> None:
        self._db = db
        self._clock = clock
        self._commands = commands
        self.energy = EnergyLedger(db, clock)
        self.proof = PowerProof(db, clock)

    # --- events -----------------------------------------------------------------------------------------

    def consumer(self) -> Consumer:
        """Return what the outbox must deliver here."""
        return Consumer(name="charging", events=EVENTS, handle=self.handle)

    async def handle(self, delivery: Delivery) -> None:
        """Keep the books, then ask for a new plan of the station; both may happen twice."""
        event = delivery.event
        match event:
            case BookingReturned():
                await self.energy.booking_returned(event)
            case ChargingTransactionEnded() | ChargingTransactionResumed():
                await self.energy.charging_changed(event)
            case ChargingStationBooted():
                await self._station_booted(event)
        if isinstance(event, BookingEvent | ChargingStationEvent | VehicleEnergyChanged):
            await self.request_replan(event.organisation_id, event.station_id, reason=event.name)

    async def request_replan(self, organisation_id: str, station_id: str, *, reason: str) -> None:
        """Ask for a new plan of a station; it is made by the next `replan_due`."""

        async def unit(tx: Tx) -> None:
            await store.request_replan(
                tx, self._db, organisation_id, station_id, reason=reason, now=self._clock.now()
            )

        await self._db.write(organisation_id, unit)

    async def _station_booted(self, event: ChargingStationBooted) -> None:
        """After a start a station may have forgotten, or been replaced: ask again, send again."""

        async def unit(tx: Tx) -> None:
            await store.teach(tx, event.organisation_id, event.charging_station, {"probed": False})
            await store.requeue_profiles(tx, event.organisation_id, event.charging_station)

        await self._db.write(event.organisation_id, unit)

    # --- steps of the scheduler -----------------------------------------------------------------------------

    async def replan_due(self) -> int:
        """Plan every station that asked; return how many. A failing station leaves the others alone."""
        async with self._db.read(_SWEEP) as reader:
            requests = await store.replan_requests_due(reader)
        for request in requests:
            await self._replan_alone(request)
        return len(requests)

    async def _replan_alone(self, request: ReplanRequest) -> None:
        try:
            await self.replan(request)
        except StoreUnavailableError:
            raise
        except Exception as error:
            log.error("charging.plan_failed", exc_info=error, station=request.station_id)

            async def unit(tx: Tx) -> None:
                await store.finish_replan(tx, request)  # the sweep asks again when the last plan runs out

            await self._db.write(request.organisation_id, unit)

    async def serve_stations(self) -> int:
        """Send what waits to the stations that are connected; return how many had something waiting."""
        async with self._db.read(_SWEEP) as reader:
            waiting = await store.stations_to_serve(reader)
        sites: dict[tuple[str, str], list[str]] = {}
        for organisation_id, station_id, identity in waiting:
            sites.setdefault((organisation_id, station_id), []).append(identity)
        turn = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for (organisation_id, station_id), identities in sites.items():
                work = self._serve_site(organisation_id, station_id, identities, turn)
                group.create_task(work, name=f"profiles {station_id}")
        return len(waiting)

    async def _serve_site(
        self, organisation_id: str, station_id: str, identities: Sequence[str], turn: asyncio.Semaphore
    ) -> None:
        """Serve the charging stations of one grid connection in turns: room is made before it is taken."""
        talking = {
            identity: Dialogue(
                db=self._db,
                clock=self._clock,
                commands=self._commands,
                organisation_id=organisation_id,
                identity=identity,
            )
            for identity in identities
        }
        known = await _at_once(turn, {name: dialogue.is_known() for name, dialogue in talking.items()})
        tried: set[int] = set()
        while True:
            rows = await self._in_turn(organisation_id, station_id)
            rows = [row for row in rows if known.get(row["charging_station"]) and row["id"] not in tried]
            if not rows:
                return
            tried |= {row["id"] for row in rows}
            lots = {name: [row for row in rows if row["charging_station"] == name] for name in talking}
            sending = {name: talking[name].send(lot) for name, lot in lots.items() if lot}
            known |= await _at_once(turn, sending)

    async def _in_turn(self, organisation_id: str, station_id: str) -> list[Row]:
        """Profiles in line that may be sent now, in their order."""
        now = self._clock.now()
        async with self._db.read(organisation_id) as reader:
            station = await fleet.station(reader, organisation_id, station_id)
            evses = await store.evses_of(reader, organisation_id, station_id)
            running = await store.open_at(reader, organisation_id, station_id)
            identities = sorted({evse["charging_station"] for evse in evses})
            waiting = await store.profiles_of(reader, organisation_id, identities, states=(store.WAITING,))
            held = await store.profiles_of(reader, organisation_id, identities, states=(store.ACCEPTED,))
        if station is None:
            return []
        order = in_turn(
            [_proposal(row) for row in waiting],
            [_place(evse, held, running) for evse in evses],
            limit_a=station.grid.limit_a,
            voltage_v=station.grid.voltage_v,
            now=now,
        )
        by_id = {row["id"]: row for row in waiting}
        return [by_id[row_id] for row_id in order]

    async def sweep(self) -> None:
        """Notice what time alone has changed: plans and profiles run out, cars are full, power exceeds."""
        now = self._clock.now()
        async with self._db.read(_SWEEP) as reader:
            stale = await store.stations_without_a_plan(reader, now)
            partial = await store.profiles_to_resend(reader, now)
        for organisation_id, station_id in stale:
            await self.request_replan(organisation_id, station_id, reason="plan_expired")
        for organisation_id, station_id, _ in partial:
            await self.request_replan(organisation_id, station_id, reason="profile_continues")
        await self.energy.anchor_full_cars()
        await self.proof.check_power()

    # --- planning -------------------------------------------------------------------------------------------

    async def replan(self, request: ReplanRequest) -> ChargingPlan | None:
        """Plan one station now and put the changed profiles in line; None when there is no such station."""
        organisation_id, now = request.organisation_id, _whole_minute(self._clock.now())
        async with self._db.read(organisation_id) as reader:
            site = await load_site(reader, organisation_id, request.station_id, now=now)
            rows = await store.evses_of(reader, organisation_id, request.station_id)
            identities = sorted({row["charging_station"] for row in rows})
            held = await store.profiles_of(
                reader, organisation_id, identities, states=(store.WAITING, store.ACCEPTED)
            )
        asked = question(site, now=now) if site is not None else None
        # In a thread: HiGHS releases the interpreter lock while it works.
        plan = await asyncio.to_thread(solve, asked.problem) if asked is not None else None

        async def unit(tx: Tx) -> None:
            await store.finish_replan(tx, request)
            if site is None or asked is None or plan is None:
                return
            plan_id = await store.add_plan(
                tx, request, question=asked, plan=plan, valid_until=_holds_until(plan, now)
            )
            periods = apart(asked.problem, plan)
            for evse, row in zip(site.evses, rows, strict=True):
                await self._put_in_line(tx, site, evse, row, periods.get(evse.id), plan_id, held)
            tx.touch(f"station:{request.station_id}")

        await self._db.write(organisation_id, unit)
        return plan

    async def _put_in_line(
        self,
        tx: Tx,
        site: Site,
        evse: SiteEvse,
        row: Row,
        periods: Sequence[Period] | None,
        plan_id: int,
        held: Sequence[Row],
    ) -> None:
        """Queue the standing profile and the plan of one EVSE where they differ from what it has.

        `periods` is None where nothing is planned.
        """
        if row["ocpp"] not in ("1.6", "2.0.1") or not evse.steerable:
            return
        able, now = capabilities.capabilities(row["ocpp"], row["capabilities"] or {}), self._clock.now()
        place = outlet(site, evse)
        wanted: list[tuple[int | None, CompiledProfile]] = []
        if able.stack_level > 0:
            standing = compile_standing(outlet=place, capabilities=able, since=now)
            wanted.append((None, CompiledProfile(payload=standing, valid_until=None)))
        if periods is not None:
            compiled = compile_plan(
                periods,
                until=horizon_of(now),
                now=now,
                outlet=place,
                capabilities=able,
            )
            wanted.append((plan_id, compiled))
        for use, profile in wanted:
            if not _is_held(held, row, profile, standing=use is None, now=now):
                await store.add_profile(
                    tx,
                    row["organisation_id"],
                    evse.charging_station,
                    evse.evse_id,
                    profile=profile.payload,
                    now=now,
                    plan_id=use,
                    resend_at=profile.valid_until,
                )

    # --- questions ------------------------------------------------------------------------------------------

    async def station_plan(self, organisation_id: str, station_id: str) -> dict[str, Any] | Refused:
        """Needs, windows, plan, reasons, compiled profiles and their verification, as JSON values."""
        async with self._db.read(organisation_id) as reader:
            return await queries.station_plan(reader, organisation_id, station_id)

    async def expected_soc(
        self, organisation_id: str, vehicle_ids: Sequence[str], at: datetime
    ) -> dict[str, int]:
        """Percent each battery is expected to hold at an instant; cars nobody knows are left out."""
        async with self._db.read(organisation_id) as reader:
            return await queries.expected_soc(
                reader, organisation_id, vehicle_ids, now=self._clock.now(), at=at
            )


def _holds_until(plan: ChargingPlan, now: datetime) -> datetime:
    """When to look again: once the next planned charge is over and measured, its car may lack a little.

    Commands take their time, cars take less than they are offered: what is short then is charged in time.
    """
    ends = [period.end + MEASURED for answer in plan.windows for period in answer.periods]
    return min([now + PLAN_HOLDS, *(end for end in ends if end > now)])


async def _at_once(turn: asyncio.Semaphore, work: Mapping[str, Coroutine[Any, Any, bool]]) -> dict[str, bool]:
    """Do the work of several charging stations side by side, as many as there are turns."""

    async def one(coroutine: Coroutine[Any, Any, bool]) -> bool:
        async with turn:
            return await coroutine

    async with asyncio.TaskGroup() as group:
        tasks = {
            name: group.create_task(one(coroutine), name=f"profiles {name}")
            for name, coroutine in work.items()
        }
    return {name: task.result() for name, task in tasks.items()}


def _evse_id(row: Row) -> str:
    return f"{row['charging_station']}/{row['evse_id']}"


def _use(row: Row) -> str:
    return "standing" if row["charging_plan_id"] is None else "plan"


def _proposal(row: Row) -> Proposal:
    return Proposal(id=row["id"], place=_evse_id(row), use=_use(row), profile=read_profile(row["profile"]))


def _place(evse: Row, held: Sequence[Row], running: Mapping[tuple[str, int], Row]) -> Place:
    """An EVSE counts while a car charges there, and while its station is here and holds a plan to follow.

    A station that is away and idle does not: a dead one would keep its share of the site for ever.
    """
    mine = {_use(row): read_profile(row["profile"]) for row in held if _evse_id(row) == _evse_id(evse)}
    charging = (evse["charging_station"], evse["evse_id"]) in running
    return Place(
        id=_evse_id(evse),
        phases=tuple(evse["phases"]),
        max_a=evse["max_a"],
        counts=charging or (evse["online"] and "plan" in mine),
        held=mine,
    )


def _whole_minute(now: datetime) -> datetime:
    """Plans begin on the minute: two of them a moment apart are the same plan."""
    return now.replace(second=0, microsecond=0)


def _is_held(
    held: Sequence[Row], evse: Row, wanted: CompiledProfile, *, standing: bool, now: datetime
) -> bool:
    """Tell whether the EVSE has, or waits for, an equal profile that need not be sent again yet."""
    for row in held:
        same_use = (row["charging_plan_id"] is None) == standing
        if (row["charging_station"], row["evse_id"]) != (evse["charging_station"], evse["evse_id"]):
            continue
        if same_use and same_profile(row["profile"], wanted.payload):
            return row["resend_at"] is None or row["resend_at"] > now
    return False
