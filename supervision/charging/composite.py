"""The composite schedule a station should report for the profiles it holds, to check what it does report.

Rules of OCPP 1.6 §3.13 and 2.0.1 Part 2 K (§3.5, §3.6): within one purpose the highest stack level leads
that is valid *and* has a period for the instant (one past its duration does not shadow a lower one); across
purposes the lowest limit counts; a TxProfile replaces the TxDefaultProfile while there is a charging
transaction; where no profile has a word there is no limit at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from supervision.kernel.timespan import parse_instant

Unit = Literal["A", "W"]
Wire = Mapping[str, Any]

RECURRENCE = {"Daily": timedelta(days=1), "Weekly": timedelta(days=7)}
TX_PURPOSES = ("TxProfile", "TxDefaultProfile")
ALL_PHASES = 3
UNLIMITED_A = 48.0
"""What stations report for "no limit" (or a negative number): this much or more is as good as none."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A profile in force, whichever version it came in; `evse_id` 0 stands for every EVSE."""

    evse_id: int
    purpose: str
    stack_level: int
    kind: str
    unit: Unit
    periods: tuple[tuple[int, float, int], ...]
    """(seconds after the start, limit, phases)"""
    start: datetime | None = None
    duration_s: int | None = None
    recurrency: str | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a station knows beside its profiles: the EVSE's phases and whether a car charges since when."""

    phases: int
    voltage_v: int
    charging_since: datetime | None = None


@dataclass(frozen=True)
class Step:
    """From this instant on this limit; None is no limit."""

    at: datetime
    limit: float | None


def read_profile(payload: Wire) -> Profile:
    """Read the payload of a SetChargingProfile of either version."""
    v16 = "csChargingProfiles" in payload
    profile = payload["csChargingProfiles" if v16 else "chargingProfile"]
    schedule = profile["chargingSchedule"] if v16 else profile["chargingSchedule"][0]
    return Profile(
        evse_id=payload["connectorId" if v16 else "evseId"],
        purpose=profile["chargingProfilePurpose"],
        stack_level=profile["stackLevel"],
        kind=profile["chargingProfileKind"],
        unit=schedule["chargingRateUnit"],
        periods=tuple(
            (p["startPeriod"], float(p["limit"]), p.get("numberPhases", ALL_PHASES))
            for p in schedule["chargingSchedulePeriod"]
        ),
        start=_instant(schedule.get("startSchedule")),
        duration_s=schedule.get("duration"),
        recurrency=profile.get("recurrencyKind"),
        valid_from=_instant(profile.get("validFrom")),
        valid_to=_instant(profile.get("validTo")),
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_instant(text)


def composite(
    profiles: Sequence[Profile], *, start: datetime, duration: timedelta, unit: Unit, context: Context
) -> list[Step]:
    """Limits of one EVSE over ``[start, start + duration)``: the first step at `start`, then only changes."""
    end = start + duration
    runs = [run for profile in profiles for run in _runs(profile, start, end, context)]
    edges = sorted({start, *(edge for run in runs for edge in run.edges() if start < edge < end)})
    steps: list[Step] = []
    for edge in edges:
        limit = _limit(runs, edge, unit, context)
        if not steps or steps[-1].limit != limit:
            steps.append(Step(edge, limit))
    return steps


@dataclass(frozen=True)
class _Run:
    """One pass of a profile's schedule: absolute, or one turn of a recurring one."""

    profile: Profile
    start: datetime
    end: datetime | None

    def edges(self) -> Iterable[datetime]:
        yield from (self.start + timedelta(seconds=period[0]) for period in self.profile.periods)
        bounds = (self.end, self.profile.valid_from, self.profile.valid_to)
        yield from (bound for bound in bounds if bound is not None)

    def period_at(self, instant: datetime) -> tuple[int, float, int] | None:
        valid_from, valid_to = self.profile.valid_from, self.profile.valid_to
        if (valid_from and instant < valid_from) or (valid_to and instant >= valid_to):
            return None
        if self.end is not None and instant >= self.end:
            return None
        begun = [p for p in self.profile.periods if self.start + timedelta(seconds=p[0]) <= instant]
        return begun[-1] if begun else None


def _runs(profile: Profile, start: datetime, end: datetime, context: Context) -> list[_Run]:
    if profile.kind == "Recurring" and profile.start is not None:
        return _turns(profile, profile.start, start, end)
    begin = profile.start if profile.kind == "Absolute" else (context.charging_since or start)
    if begin is None:
        return []
    return [_Run(profile, begin, _after(begin, profile.duration_s))]


def _turns(profile: Profile, first: datetime, start: datetime, end: datetime) -> list[_Run]:
    every = RECURRENCE[profile.recurrency or "Daily"]
    turn = first + max(0, (start - first) // every) * every
    runs = []
    while turn < end:
        stop = _after(turn, profile.duration_s)
        runs.append(_Run(profile, turn, min(stop, turn + every) if stop else turn + every))
        turn += every
    return runs


def _after(start: datetime, seconds: int | None) -> datetime | None:
    return None if seconds is None else start + timedelta(seconds=seconds)


def _limit(runs: Sequence[_Run], instant: datetime, unit: Unit, context: Context) -> float | None:
    leading: dict[str, tuple[int, float]] = {}
    for run in runs:
        period = run.period_at(instant)
        if period is None or not _applies(run.profile, context):
            continue
        level = run.profile.stack_level
        if run.profile.purpose not in leading or level > leading[run.profile.purpose][0]:
            limit = _in_unit(period, run.profile.unit, unit, context)
            leading[run.profile.purpose] = (level, limit)
    if "TxProfile" in leading:
        leading.pop("TxDefaultProfile", None)
    return min((limit for _, limit in leading.values()), default=None)


def _applies(profile: Profile, context: Context) -> bool:
    return profile.purpose != "TxProfile" or context.charging_since is not None


def _in_unit(period: tuple[int, float, int], unit: Unit, wanted: Unit, context: Context) -> float:
    _, limit, phases = period
    if unit == wanted:
        return limit
    factor = min(phases, context.phases) * context.voltage_v
    return limit * factor if wanted == "W" else limit / factor


def read_composite(response: Wire) -> list[Step] | None:
    """Steps of a GetCompositeSchedule answer of either version; None when there is no schedule in it."""
    if response.get("status") != "Accepted":
        return None
    schedule = response.get("schedule") or response.get("chargingSchedule")
    begin = response.get("scheduleStart") or (schedule or {}).get("scheduleStart")
    begin = begin or (schedule or {}).get("startSchedule")
    if not schedule or not begin:
        return None
    start = parse_instant(begin)
    return [
        Step(start + timedelta(seconds=p["startPeriod"]), _reported(float(p["limit"])))
        for p in schedule["chargingSchedulePeriod"]
    ]


def _reported(limit: float) -> float | None:
    return None if limit < 0 else limit


def difference(
    expected: Sequence[Step],
    reported: Sequence[Step],
    *,
    until: datetime,
    tolerance: float = 0.1,
    edge_s: float = 2.0,
) -> tuple[datetime, float | None, float | None] | None:
    """First instant before `until` at which the reported limit differs: (when, expected, reported), or None.

    Edges up to `edge_s` apart are forgiven: stations count in their own whole seconds.
    """
    if not expected or not reported:
        return None if not expected and not reported else (until, None, None)
    begin = max(expected[0].at, reported[0].at)
    margin = timedelta(seconds=edge_s)
    edges = {step.at for step in (*expected, *reported)} | {begin}
    for instant in sorted({edge + margin for edge in edges}):
        if not begin <= instant < until or _near(instant, edges, margin):
            continue
        want, got = _at(expected, instant), _at(reported, instant)
        if not _alike(want, got, tolerance):
            return instant, want, got
    return None


def matches(
    expected: Sequence[Step],
    reported: Sequence[Step],
    *,
    until: datetime,
    tolerance: float = 0.1,
    edge_s: float = 2.0,
) -> bool:
    """Tell whether a station reports what we expect of it."""
    return difference(expected, reported, until=until, tolerance=tolerance, edge_s=edge_s) is None


def _near(instant: datetime, edges: Iterable[datetime], margin: timedelta) -> bool:
    """Tell whether another edge lies within the margin around, so that nothing can be said there."""
    return any(timedelta(0) <= instant - edge < margin for edge in edges)


def _at(steps: Sequence[Step], instant: datetime) -> float | None:
    return [step.limit for step in steps if step.at <= instant][-1]


def _alike(want: float | None, got: float | None, tolerance: float) -> bool:
    if want is None or got is None:
        known = got if want is None else want
        return known is None or (want is None and known >= UNLIMITED_A)
    return abs(want - got) <= tolerance
