"""From a plan's periods to the profile a charging station understands.

A profile never allows more than the plan: currents are floored to 0.1 (OCPP 1.6 schema `multipleOf: 0.1`;
2.0.1 "at most one digit fraction"), a rise waits for the next whole second, a fall comes with the second
before. The schedule always ends in a safe standing limit, because a time that no profile covers has no
limit at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Literal

from supervision.charging.changeover import GAP
from supervision.charging.model import Period
from supervision.kernel.timespan import EPOCH, format_instant, parse_instant
from supervision.kernel.units import floor_tenth

Version = Literal["1.6", "2.0.1"]
Unit = Literal["A", "W"]
Purpose = Literal["TxDefaultProfile", "TxProfile"]
Use = Literal["standing", "plan", "transaction"]
TxId = int | str | None
Wire = dict[str, object]

ALL_PHASES = 3
ALIGN = timedelta(minutes=15)
STANDING_LEVEL = 0
IDS_PER_EVSE = 10
IDS = {"standing": 0, "plan": 1, "transaction": 2}
"""Ids differ per EVSE and use: a station must never replace one profile by another's id."""


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a station was seen to accept (boot keys, or learnt per model and firmware).

    `stack_level` is the level our plans use, normally the highest the station takes; `absolute` False means
    that it only follows schedules counted from the start of charging.
    """

    version: Version
    unit: Unit = "A"
    max_periods: int = 24
    stack_level: int = 1
    absolute: bool = True


@dataclass(frozen=True, kw_only=True)
class Outlet:
    """The EVSE a profile is for, with the phases its car uses and the limit that stands when no plan does."""

    evse_id: int
    phases: int
    voltage_v: int
    standing_a: float


@dataclass(frozen=True, kw_only=True)
class CompiledProfile:
    """The payload of SetChargingProfile. With `valid_until`, send the next one before that instant."""

    payload: Wire
    valid_until: datetime | None


@dataclass(frozen=True)
class Edge:
    """From this instant on (a whole second), so many amperes per phase."""

    at: datetime
    current_a: float


def standing_limit(*, site_limit_a: float, points: int, min_a: float) -> float:
    """Current every point on a phase may always draw: an equal part of the site, or 0 below the minimum."""
    part = floor_tenth(site_limit_a / points)
    return part if part >= min_a else 0.0


def compile_plan(
    periods: Sequence[Period],
    *,
    until: datetime,
    now: datetime,
    outlet: Outlet,
    capabilities: Capabilities,
    transaction_id: TxId = None,
) -> CompiledProfile:
    """Compile the periods of a window that ends `until`: 0 A between them, the standing limit afterwards.

    A standing limit above the last of the plan comes `GAP` later: elsewhere on the site it may be a fall.
    With a `transaction_id` the profile is a TxProfile for it, else a TxDefaultProfile of the EVSE.
    """
    edges = _from(_edges(periods, until=until, start=_aligned(now), standing_a=outlet.standing_a), now)
    kept, valid_until = _shortened(edges, capabilities)
    falls_back = valid_until is not None and capabilities.stack_level > STANDING_LEVEL and until > kept[0].at
    schedule = _schedule(kept, outlet=outlet, capabilities=capabilities)
    if falls_back and capabilities.absolute:
        # Then the plan is over: the standing profile below it rules again, even if nobody re-sends.
        schedule["duration"] = _seconds(kept[0].at, until + GAP)
    use: Use = "transaction" if transaction_id is not None else "plan"
    if use == "plan" and capabilities.stack_level == STANDING_LEVEL:
        use = "standing"  # one level only: the plan takes the place, and the id, of the standing profile
    payload = _payload(schedule, use=use, outlet=outlet, capabilities=capabilities, tx=transaction_id)
    return CompiledProfile(payload=payload, valid_until=valid_until)


def compile_standing(*, outlet: Outlet, capabilities: Capabilities, since: datetime) -> Wire:
    """The safe TxDefaultProfile that always stands in the station, below every plan, without an end."""
    schedule = _schedule([Edge(_aligned(since), outlet.standing_a)], outlet=outlet, capabilities=capabilities)
    return _payload(schedule, use="standing", outlet=outlet, capabilities=capabilities)


def _aligned(now: datetime) -> datetime:
    """The quarter hour before: a replan within it starts at the same instant, so nothing is re-sent."""
    return EPOCH + (now - EPOCH) // ALIGN * ALIGN


def _edges(periods: Sequence[Period], *, until: datetime, start: datetime, standing_a: float) -> list[Edge]:
    steps: list[tuple[datetime, float]] = [(start, 0.0)]
    for period in periods:
        steps += [(period.start, floor_tenth(period.current_a)), (period.end, 0.0)]
    charging = max((floor_tenth(p.current_a) for p in periods if p.end >= until), default=0.0)
    steps.append((until if standing_a <= charging else until + GAP, standing_a))
    edges = [Edge(start, 0.0)]
    for at, current_a in steps:
        _append(edges, at=max(at, start), current_a=current_a)
    return _merged(edges)


def _append(edges: list[Edge], *, at: datetime, current_a: float) -> None:
    """Add a step in whole seconds: a fall early, a rise late; what vanishes between two steps is dropped."""
    rise = current_a > edges[-1].current_a
    whole = _second(at, up=rise)
    while len(edges) > 1 and edges[-1].at >= whole:
        edges.pop()
        whole = _second(at, up=current_a > edges[-1].current_a)
    if whole <= edges[0].at:
        edges[0] = Edge(edges[0].at, current_a)
    else:
        edges.append(Edge(whole, current_a))


def _second(at: datetime, *, up: bool) -> datetime:
    whole = at.replace(microsecond=0)
    return whole + timedelta(seconds=1) if up and whole < at else whole


def _merged(edges: Sequence[Edge]) -> list[Edge]:
    return [edges[0], *(new for old, new in pairwise(edges) if new.current_a != old.current_a)]


def _from(edges: Sequence[Edge], now: datetime) -> list[Edge]:
    """Drop what is past: the step in force at `now` holds from the start of the schedule.

    So a charge that runs on looks the same in every replan of it.
    """
    later = [edge for edge in edges if edge.at > now]
    in_force = [edge for edge in edges if edge.at <= now][-1]
    return [Edge(edges[0].at, in_force.current_a), *later]


def _shortened(edges: Sequence[Edge], capabilities: Capabilities) -> tuple[list[Edge], datetime | None]:
    """As many steps as the station takes: the first ones exact, then the lowest that is still to come.

    The lowest, because the other cars were given what this one is to leave; the next profile comes before.
    """
    most = capabilities.max_periods if capabilities.absolute else 1
    if len(edges) <= most:
        return list(edges), None
    if most == 1:
        return [edges[0]], edges[1].at
    lowest = min(edge.current_a for edge in edges[most - 1 :])
    return [*edges[: most - 1], Edge(edges[most - 1].at, lowest)], edges[most - 1].at


def _schedule(edges: Sequence[Edge], *, outlet: Outlet, capabilities: Capabilities) -> Wire:
    start = edges[0].at
    schedule: Wire = {"chargingRateUnit": capabilities.unit}
    if capabilities.absolute:
        schedule["startSchedule"] = format_instant(start)
    schedule["chargingSchedulePeriod"] = [
        _period(_seconds(start, edge.at), edge.current_a, outlet, capabilities.unit) for edge in edges
    ]
    return schedule


def _period(start_s: int, current_a: float, outlet: Outlet, unit: Unit) -> Wire:
    if unit == "A":
        return {"startPeriod": start_s, "limit": current_a}
    limit_w = float(math.floor(round(current_a * 10) * outlet.phases * outlet.voltage_v / 10))
    # W is the total of all phases; absent, a station reckons with three.
    phases = {} if outlet.phases == ALL_PHASES else {"numberPhases": outlet.phases}
    return {"startPeriod": start_s, "limit": limit_w, **phases}


def _seconds(start: datetime, end: datetime) -> int:
    return (end - start) // timedelta(seconds=1)


def _payload(
    schedule: Wire, *, use: Use, outlet: Outlet, capabilities: Capabilities, tx: TxId = None
) -> Wire:
    purpose: Purpose = "TxDefaultProfile" if tx is None else "TxProfile"
    v16 = capabilities.version == "1.6"
    profile: Wire = {
        "chargingProfileId" if v16 else "id": outlet.evse_id * IDS_PER_EVSE + IDS[use],
        "stackLevel": STANDING_LEVEL if use == "standing" else capabilities.stack_level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute" if capabilities.absolute else "Relative",
        "chargingSchedule": schedule if v16 else [{"id": 1, **schedule}],
    }
    if tx is not None:
        profile["transactionId"] = tx
    if v16:
        return {"connectorId": outlet.evse_id, "csChargingProfiles": profile}
    return {"evseId": outlet.evse_id, "chargingProfile": profile}


def same_profile(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    """Tell whether two payloads limit the same thing in the same way, from the later of their starts on.

    A replan that changes nothing but the start of the schedule is not worth a write to the station's flash.
    """
    first, second = _Read(one), _Read(other)
    if first.frame != second.frame:
        return False
    since = max(first.start, second.start)
    return first.steps_from(since) == second.steps_from(since)


class _Read:
    """What of a payload counts when two are compared."""

    def __init__(self, payload: Mapping[str, Any]) -> None:
        v16 = "csChargingProfiles" in payload
        profile = dict(payload["csChargingProfiles" if v16 else "chargingProfile"])
        schedules = profile.pop("chargingSchedule")
        schedule = schedules if v16 else schedules[0]
        started = schedule.get("startSchedule")
        duration = schedule.get("duration")
        self.start = parse_instant(started) if started else EPOCH
        end = None if duration is None else self.start + timedelta(seconds=duration)
        outlet = payload["connectorId" if v16 else "evseId"]
        self.frame = (outlet, profile, schedule["chargingRateUnit"], end)
        self._periods = [
            (
                self.start + timedelta(seconds=period["startPeriod"]),
                period["limit"],
                period.get("numberPhases"),
            )
            for period in schedule["chargingSchedulePeriod"]
        ]

    def steps_from(self, since: datetime) -> list[tuple[datetime, float, int | None]]:
        past = [period for period in self._periods if period[0] <= since]
        later = [period for period in self._periods if period[0] > since]
        return [(since, *past[-1][1:]), *later]
