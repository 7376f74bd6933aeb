"""Time between one car's fall and another's rise in its place, so that no two clocks must agree (pure).

A plan moves current from one car to the next at one instant. Each station keeps its own clock, and a car
may take 5 s to follow a lower limit (IEC 61851-1), so what rises waits `GAP` after what falls beside it.
The 60 Wh that this costs at the most are charged later: a car that got less than planned is planned again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from supervision.charging.model import ChargingPlan, Period, PlanningProblem

GAP = timedelta(seconds=10)


@dataclass(frozen=True)
class _Course:
    """What one EVSE is planned to give: its periods in time order and the site's phases they load."""

    phases: frozenset[int]
    periods: Sequence[Period]

    def falls(self) -> list[datetime]:
        """Instants from which on it gives less than just before."""
        later = {period.start: period.current_a for period in self.periods}
        return [p.end for p in self.periods if later.get(p.end, 0.0) < p.current_a]


def apart(problem: PlanningProblem, plan: ChargingPlan) -> Mapping[str, Sequence[Period]]:
    """Return the periods of every planned EVSE, each rise at least `GAP` after the falls beside it.

    Nothing ever exceeds the plan, and the limit of the site holds on every phase however the stations'
    clocks differ, up to `GAP` between any two. What rises at once (the plan's `now`) is left alone: its
    profile waits for its turn (`turns.in_turn`).
    """
    courses = _courses(problem, plan)
    return {
        evse: _waiting(course, _falls_beside(courses, evse), now=problem.now)
        for evse, course in courses.items()
    }


def _courses(problem: PlanningProblem, plan: ChargingPlan) -> dict[str, _Course]:
    courses: dict[str, _Course] = {}
    for answer in plan.windows:
        window = answer.window
        known = courses.get(window.evse, _Course(frozenset(), ()))
        phases = problem.evses[window.evse].phases[: problem.cars[window.car].phases]
        periods = sorted((*known.periods, *answer.periods), key=lambda period: period.start)
        courses[window.evse] = _Course(known.phases | set(phases), periods)
    return courses


def _falls_beside(courses: Mapping[str, _Course], evse: str) -> list[datetime]:
    phases = courses[evse].phases
    return sorted(
        fall
        for other, course in courses.items()
        if other != evse and course.phases & phases
        for fall in course.falls()
    )


def _waiting(course: _Course, falls: Sequence[datetime], *, now: datetime) -> list[Period]:
    kept: list[Period] = []
    for period in course.periods:
        before = kept[-1] if kept and kept[-1].end == period.start else None
        start = period.start
        if start > now and period.current_a > (before.current_a if before else 0.0):
            start = min(period.end, _after(start, falls))
        if before is not None:
            kept[-1] = replace(before, end=start)  # until then the lower current goes on
        if start < period.end:
            kept.append(replace(period, start=start))
    return kept


def _after(start: datetime, falls: Sequence[datetime]) -> datetime:
    """The instant from which on the rise is clear of every fall at or shortly before `start`."""
    near = [fall for fall in falls if start - GAP < fall <= start]
    return max(near) + GAP if near else start
