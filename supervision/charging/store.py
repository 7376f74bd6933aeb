"""Rows of charging <-> its values: the energy ledger, plans, requests to plan, profiles sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, insert, or_, select, update

from supervision.charging.composite import ALL_PHASES, Context, composite, read_profile
from supervision.charging.ledger import EnergyState, Source
from supervision.charging.model import ChargingPlan
from supervision.charging.need import ChargingNeed
from supervision.charging.problem import render_plan, render_problem
from supervision.charging.site import Question
from supervision.kernel.timespan import format_instant, instant_text
from supervision.kernel.units import NOMINAL_V
from supervision.store.db import Database, Reader, Tx
from supervision.store.schema import (
    charging_plans,
    charging_stations,
    charging_transactions,
    energy_entries,
    evses,
    meter_values,
    replan_requests,
    sent_profiles,
)

Row = Mapping[str, Any]

CORRECTION = "correction"
TOLD = ("full", "soc", "entry")
"""Kinds of entries that replace the balance instead of moving it."""
SOURCES: Mapping[str, Source] = {
    "charging": "charged",
    "trip": "driven",
    "full": "full",
    "soc": "reported",
    "entry": "entered",
    CORRECTION: "charged",
}
"""Kind of an entry -> what the balance was last drawn from."""


# --- the energy ledger ----------------------------------------------------------------------------------


def _state(row: Row) -> EnergyState:
    return EnergyState(
        stored_wh=row["stored_wh"],
        uncertainty_wh=row["uncertainty_wh"],
        as_of=row["at"],
        source=SOURCES[row["kind"]],
    )


async def last_entry(reader: Reader, organisation_id: str, vehicle_id: str) -> tuple[EnergyState, str] | None:
    """Return the balance of a car after its last entry, and the cause of that entry."""
    table = energy_entries
    row = await reader.first(
        select(table)
        .where(table.c.organisation_id == organisation_id, table.c.vehicle_id == vehicle_id)
        .order_by(table.c.id.desc())
        .limit(1)
    )
    return None if row is None else (_state(row), str(row["cause"]))


async def balances_since(
    reader: Reader, organisation_id: str, vehicle_ids: Sequence[str], since: datetime
) -> dict[str, list[tuple[datetime, int]]]:
    """Balances (Wh) of cars since an instant, with the one before it, oldest first: for a drawing."""
    table = energy_entries
    found: dict[str, list[tuple[datetime, int]]] = {}
    for vehicle_id in vehicle_ids:
        mine = (table.c.organisation_id == organisation_id, table.c.vehicle_id == vehicle_id)
        before = await reader.scalar(
            select(table.c.id).where(*mine, table.c.at < since).order_by(table.c.id.desc()).limit(1)
        )
        rows = await reader.all(
            select(table.c.at, table.c.stored_wh)
            .where(*mine, table.c.id >= (before or 0))
            .order_by(table.c.at, table.c.id)
        )
        found[vehicle_id] = [(row["at"], row["stored_wh"]) for row in rows]
    return found


async def has_entry(reader: Reader, organisation_id: str, vehicle_id: str, *, kind: str, cause: str) -> bool:
    """Tell whether a movement was written before: events come twice."""
    table = energy_entries
    found = await reader.scalar(
        select(table.c.id).where(
            table.c.organisation_id == organisation_id,
            table.c.vehicle_id == vehicle_id,
            table.c.kind == kind,
            table.c.cause == cause,
        )
    )
    return found is not None


async def add_entry(
    tx: Tx,
    organisation_id: str,
    vehicle_id: str,
    *,
    kind: str,
    cause: str,
    before: EnergyState,
    after: EnergyState,
    meter_wh: int | None = None,
) -> None:
    """Append a movement to the ledger; `meter_wh` is the energy of a charge that it stands for."""
    await tx.execute(
        insert(energy_entries).values(
            organisation_id=organisation_id,
            vehicle_id=vehicle_id,
            at=after.as_of,
            kind=kind,
            cause=cause,
            delta_wh=after.stored_wh - before.stored_wh,
            stored_wh=after.stored_wh,
            uncertainty_wh=after.uncertainty_wh,
            meter_wh=meter_wh,
        )
    )


@dataclass(frozen=True, kw_only=True)
class Booked:
    """What the ledger holds of one charge: since when, from which balance, how much at the meter in all.

    `corrections` counts the entries after the first; `replaced` says that the balance has been told anew
    since, so that what the charge added no longer matters.
    """

    before: EnergyState | None
    meter_wh: int
    corrections: int
    replaced: bool


async def booked_charge(reader: Reader, organisation_id: str, vehicle_id: str, cause: str) -> Booked | None:
    """Return what was booked of a charge; None when nothing was."""
    table = energy_entries
    mine = (table.c.organisation_id == organisation_id, table.c.vehicle_id == vehicle_id)
    of_charge = or_(
        and_(table.c.kind == "charging", table.c.cause == cause),
        and_(table.c.kind == CORRECTION, table.c.cause.startswith(f"{cause}#", autoescape=True)),
    )
    rows = await reader.all(select(table.c.id, table.c.meter_wh).where(*mine, of_charge).order_by(table.c.id))
    if not rows:
        return None
    first = rows[0]["id"]
    before = await reader.first(
        select(table).where(*mine, table.c.id < first).order_by(table.c.id.desc()).limit(1)
    )
    told = await reader.scalar(
        select(table.c.id).where(*mine, table.c.id > first, table.c.kind.in_(TOLD)).limit(1)
    )
    return Booked(
        before=None if before is None else _state(before),
        meter_wh=sum(row["meter_wh"] or 0 for row in rows),
        corrections=len(rows) - 1,
        replaced=told is not None,
    )


# --- what the charging stations say -----------------------------------------------------------------------


async def evses_of(reader: Reader, organisation_id: str, station_id: str) -> list[Row]:
    """EVSE rows of a car-sharing station with `ocpp`, `capabilities`, `online` of their charging station."""
    box = charging_stations
    rows = await reader.all(
        select(evses, box.c.ocpp, box.c.capabilities, box.c.connected_at, box.c.disconnected_at)
        .join(box, box.c.identity == evses.c.charging_station)
        .where(
            evses.c.organisation_id == organisation_id,
            box.c.organisation_id == organisation_id,
            box.c.station_id == station_id,
        )
        .order_by(evses.c.charging_station, evses.c.evse_id)
    )
    return [
        {**row, "online": row["connected_at"] is not None and row["disconnected_at"] is None} for row in rows
    ]


async def open_at(reader: Reader, organisation_id: str, station_id: str) -> dict[tuple[str, int], Row]:
    """Open charging transactions of a car-sharing station by EVSE; the newest where several are open."""
    table, box = charging_transactions, charging_stations
    rows = await reader.all(
        select(table)
        .join(box, box.c.identity == table.c.charging_station)
        .where(
            table.c.organisation_id == organisation_id,
            box.c.organisation_id == organisation_id,
            box.c.station_id == station_id,
            table.c.state == "open",
        )
        .order_by(table.c.id)
    )
    return {(row["charging_station"], row["evse_id"]): row for row in rows}


async def charging_transaction(reader: Reader, organisation_id: str, row_id: int) -> Row | None:
    """Return one charging transaction."""
    table = charging_transactions
    return await reader.first(
        select(table).where(table.c.organisation_id == organisation_id, table.c.id == row_id)
    )


async def powers_since(
    reader: Reader, organisation_id: str, charging_station: str, evse_id: int, since: datetime
) -> list[tuple[datetime, int]]:
    """Measured total power of an EVSE since an instant, oldest first."""
    table = meter_values
    rows = await reader.all(
        select(table.c.at, table.c.power_w)
        .where(
            table.c.organisation_id == organisation_id,
            table.c.charging_station == charging_station,
            table.c.evse_id == evse_id,
            table.c.power_w.is_not(None),
            table.c.at >= since,
        )
        .order_by(table.c.at, table.c.id)
    )
    return [(row["at"], row["power_w"]) for row in rows]


# --- requests to plan -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ReplanRequest:
    """A station to plan again; `asked_at` tells whether somebody asked again meanwhile."""

    organisation_id: str
    station_id: str
    reason: str
    asked_at: datetime


async def request_replan(
    tx: Tx, db: Database, organisation_id: str, station_id: str, *, reason: str, now: datetime
) -> None:
    """Ask for a new plan of a station; asking twice asks once."""
    values = {"reason": reason, "asked_at": now}
    statement = db.insert(replan_requests).values(
        station_id=station_id, organisation_id=organisation_id, **values
    )
    mine = replan_requests.c.organisation_id == organisation_id
    await tx.execute(statement.on_conflict_do_update(index_elements=["station_id"], set_=values, where=mine))


async def replan_requests_due(reader: Reader) -> list[ReplanRequest]:
    """Return what waits, the oldest first; the reader spans tenants."""
    rows = await reader.all(select(replan_requests).order_by(replan_requests.c.asked_at))
    return [ReplanRequest(**row) for row in rows]


async def finish_replan(tx: Tx, request: ReplanRequest) -> None:
    """Drop a request that was served, unless somebody has asked again since."""
    table = replan_requests
    await tx.execute(
        delete(table).where(
            table.c.organisation_id == request.organisation_id,
            table.c.station_id == request.station_id,
            table.c.asked_at <= request.asked_at,
        )
    )


# --- plans ------------------------------------------------------------------------------------------------


def plan_document(plan: ChargingPlan) -> dict[str, Any]:
    """The plan in the shape of API.md, each window with the code and figures of its reason."""
    document: dict[str, Any] = render_plan(plan)
    for window, answer in zip(document["windows"], plan.windows, strict=True):
        window["reason_code"] = answer.reason.code
        window["reason_params"] = dict(answer.reason.params)
    return document


def need_document(need: ChargingNeed) -> dict[str, Any]:
    """The figures of one window, with its car and its times."""
    facts = asdict(need.facts)
    start = need.facts.booking_start
    return {
        "car": need.window.car,
        "evse": need.window.evse,
        "plugged_from": format_instant(need.window.plugged_from),
        "plugged_until": format_instant(need.window.plugged_until),
        "priority": need.window.priority,
        **facts,
        "booking_start": instant_text(start),
    }


async def add_plan(
    tx: Tx,
    request: ReplanRequest,
    *,
    question: Question,
    plan: ChargingPlan,
    valid_until: datetime,
) -> int:
    """Store a plan with the problem it answers, in place of the earlier ones; return its id."""
    table, made_at = charging_plans, question.problem.now
    earlier = and_(
        table.c.organisation_id == request.organisation_id, table.c.station_id == request.station_id
    )
    await tx.execute(update(table).where(earlier, table.c.valid_until > made_at).values(valid_until=made_at))
    statement = insert(charging_plans).values(
        organisation_id=request.organisation_id,
        station_id=request.station_id,
        made_at=made_at,
        valid_until=valid_until,
        reason=request.reason,
        solver=plan.solver,
        problem=render_problem(question.problem),
        plan=plan_document(plan),
        needs=[need_document(need) for need in question.needs],
    )
    return int(await tx.scalar(statement.returning(charging_plans.c.id)))


async def last_plan(reader: Reader, organisation_id: str, station_id: str) -> Row | None:
    """Return the plan in force at a station."""
    table = charging_plans
    return await reader.first(
        select(table)
        .where(table.c.organisation_id == organisation_id, table.c.station_id == station_id)
        .order_by(table.c.id.desc())
        .limit(1)
    )


async def stations_without_a_plan(reader: Reader, now: datetime) -> list[tuple[str, str]]:
    """(organisation, station) of places with chargers whose plan has run out or that never had one."""
    valid = select(charging_plans.c.station_id).where(charging_plans.c.valid_until > now)
    waiting = select(replan_requests.c.station_id)
    table = charging_stations
    rows = await reader.all(
        select(table.c.organisation_id, table.c.station_id)
        .where(table.c.station_id.not_in(valid), table.c.station_id.not_in(waiting))
        .distinct()
    )
    return [(row["organisation_id"], row["station_id"]) for row in rows]


# --- profiles ---------------------------------------------------------------------------------------------

PROFILES_READ = 2_000
SUSPENDED = "SuspendedEV"
WAITING, ACCEPTED, REJECTED, FAILED, SUPERSEDED = "queued", "accepted", "rejected", "failed", "superseded"


async def add_profile(
    tx: Tx,
    organisation_id: str,
    charging_station: str,
    evse_id: int,
    *,
    profile: Mapping[str, Any],
    now: datetime,
    plan_id: int | None,
    resend_at: datetime | None,
) -> None:
    """Put a profile in line for its EVSE; what waited there for the same use is superseded.

    `plan_id` None is the standing profile.
    """
    table = sent_profiles
    use = table.c.charging_plan_id
    mine = and_(
        table.c.organisation_id == organisation_id,
        table.c.charging_station == charging_station,
        table.c.evse_id == evse_id,
        use.is_(None) if plan_id is None else use.is_not(None),
    )
    await tx.execute(update(table).where(mine, table.c.resend_at.is_not(None)).values(resend_at=None))
    await tx.execute(update(table).where(mine, table.c.state == WAITING).values(state=SUPERSEDED))
    await tx.execute(
        insert(table).values(
            organisation_id=organisation_id,
            charging_station=charging_station,
            evse_id=evse_id,
            charging_plan_id=plan_id,
            sent_at=now,
            resend_at=resend_at,
            profile=dict(profile),
            state=WAITING,
        )
    )


async def update_profile(tx: Tx, organisation_id: str, profile_id: int, **values: Any) -> None:
    """Note what became of a profile."""
    table = sent_profiles
    await tx.execute(
        update(table)
        .where(table.c.organisation_id == organisation_id, table.c.id == profile_id)
        .values(**values)
    )


async def profiles_of(
    reader: Reader, organisation_id: str, identities: Sequence[str], *, states: Sequence[str]
) -> list[Row]:
    """The last profile per EVSE and use in one of the states, oldest first."""
    table = sent_profiles
    rows = await reader.all(
        select(table)
        .where(
            table.c.organisation_id == organisation_id,
            table.c.charging_station.in_(identities),
            table.c.state.in_(states),
        )
        .order_by(table.c.id.desc())
        .limit(PROFILES_READ)
    )
    newest: dict[tuple[str, int, bool], Row] = {}
    for row in rows:
        key = (row["charging_station"], row["evse_id"], row["charging_plan_id"] is None)
        newest.setdefault(key, row)
    return sorted(newest.values(), key=lambda row: int(row["id"]))


async def stations_to_serve(reader: Reader) -> list[tuple[str, str, str]]:
    """(organisation, station, identity) of connected stations with a profile in line; spans tenants."""
    table, box = sent_profiles, charging_stations
    rows = await reader.all(
        select(table.c.organisation_id, box.c.station_id, table.c.charging_station)
        .join(box, box.c.identity == table.c.charging_station)
        .where(table.c.state == WAITING, box.c.connected_at.is_not(None), box.c.disconnected_at.is_(None))
        .distinct()
        .order_by(table.c.charging_station)
    )
    return [(row["organisation_id"], row["station_id"], row["charging_station"]) for row in rows]


async def profiles_to_resend(reader: Reader, now: datetime) -> list[tuple[str, str, int]]:
    """(organisation, station, profile id) whose station holds only a part of its plan that runs out."""
    table, box = sent_profiles, charging_stations
    rows = await reader.all(
        select(table.c.organisation_id, box.c.station_id, table.c.id)
        .join(box, box.c.identity == table.c.charging_station)
        .where(and_(table.c.resend_at.is_not(None), table.c.resend_at <= now))
    )
    return [(row["organisation_id"], row["station_id"], row["id"]) for row in rows]


async def charging_station(reader: Reader, organisation_id: str, identity: str) -> Row | None:
    """Return the row of a charging station."""
    table = charging_stations
    return await reader.first(
        select(table).where(table.c.organisation_id == organisation_id, table.c.identity == identity)
    )


async def teach(tx: Tx, organisation_id: str, identity: str, lesson: Mapping[str, Any]) -> None:
    """Merge what was learnt about smart charging into the capabilities of a station."""
    table = charging_stations
    mine = and_(table.c.organisation_id == organisation_id, table.c.identity == identity)
    known = dict(await tx.scalar(select(table.c.capabilities).where(mine)) or {})
    known["smart_charging"] = {**known.get("smart_charging", {}), **lesson}
    await tx.execute(update(table).where(mine).values(capabilities=known))


async def requeue_profiles(tx: Tx, organisation_id: str, identity: str) -> None:
    """A station that has started again gets what it accepted before once more."""
    for row in await profiles_of(tx, organisation_id, [identity], states=(WAITING, ACCEPTED)):
        if row["state"] == ACCEPTED:
            await update_profile(tx, organisation_id, row["id"], state=WAITING, verified=None)


async def suspended_by_car(reader: Reader) -> Sequence[Row]:
    """Open charging transactions whose car has suspended; spans tenants."""
    table = charging_transactions
    return await reader.all(
        select(table, evses.c.status.label("evse_status"), evses.c.max_a.label("evse_max_a"))
        .join(
            evses,
            and_(evses.c.charging_station == table.c.charging_station, evses.c.evse_id == table.c.evse_id),
        )
        .where(
            table.c.state == "open",
            or_(table.c.charging_state == SUSPENDED, evses.c.status == SUSPENDED),
        )
        .order_by(table.c.id)
    )


async def drawing_now(reader: Reader, since: datetime) -> Sequence[Row]:
    """Open charging transactions whose EVSE reported power since an instant; spans tenants."""
    table, box = charging_transactions, charging_stations
    return await reader.all(
        select(table, evses.c.power_w, evses.c.power_at, box.c.station_id)
        .join(
            evses,
            and_(evses.c.charging_station == table.c.charging_station, evses.c.evse_id == table.c.evse_id),
        )
        .join(box, box.c.identity == table.c.charging_station)
        .where(table.c.state == "open", evses.c.power_at >= since)
        .order_by(table.c.id)
    )


async def evse(reader: Reader, organisation_id: str, charging_station: str, evse_id: int) -> Row | None:
    """Return one EVSE row."""
    return await reader.first(
        select(evses).where(
            evses.c.organisation_id == organisation_id,
            evses.c.charging_station == charging_station,
            evses.c.evse_id == evse_id,
        )
    )


async def offered(
    reader: Reader,
    organisation_id: str,
    charging_station: str,
    evse_id: int,
    *,
    since: datetime,
    until: datetime,
) -> Callable[[datetime, float], float]:
    """What the profiles a station accepted offered a car: a function (instant, current without any) -> A."""
    rows = await profiles_of(reader, organisation_id, [charging_station], states=(ACCEPTED,))
    held = [read_profile(row["profile"]) for row in rows if row["evse_id"] == evse_id]
    context = Context(phases=ALL_PHASES, voltage_v=NOMINAL_V, charging_since=since)
    steps = composite(held, start=since, duration=until - since, unit="A", context=context)

    def at(instant: datetime, without: float) -> float:
        limits = [step.limit for step in steps if step.at <= instant]
        return without if not limits or limits[-1] is None else limits[-1]

    return at


async def open_charging_transaction_at(
    reader: Reader, organisation_id: str, charging_station: str, evse_id: int
) -> Row | None:
    """Return the newest open charging transaction of an EVSE."""
    table = charging_transactions
    return await reader.first(
        select(table)
        .where(
            table.c.organisation_id == organisation_id,
            table.c.charging_station == charging_station,
            table.c.evse_id == evse_id,
            table.c.state == "open",
        )
        .order_by(table.c.id.desc())
        .limit(1)
    )


async def supersede_waiting(tx: Tx, organisation_id: str, identity: str) -> None:
    """Drop what waits for a station: it was compiled without knowing what the station can."""
    table = sent_profiles
    await tx.execute(
        update(table)
        .where(
            table.c.organisation_id == organisation_id,
            table.c.charging_station == identity,
            table.c.state == WAITING,
        )
        .values(state=SUPERSEDED)
    )
