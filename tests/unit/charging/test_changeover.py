"""Current passes from one car to the next with a gap, so that the stations' clocks need not agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from supervision.charging.changeover import GAP, apart
from supervision.charging.model import (
    ChargingPlan,
    Period,
    PlanningProblem,
    Reason,
    WindowPlan,
)
from supervision.charging.plan import solve
from tests.unit.charging import cases
from tests.unit.charging.cases import at
from tests.unit.charging.test_plan_properties import problems

Steps = Sequence[tuple[str, str, float]]


def evses(**phases: Sequence[int]) -> dict[str, Sequence[int]]:
    return phases


def told(
    courses: Mapping[str, Steps], phases: Mapping[str, Sequence[int]] | None = None
) -> dict[str, object]:
    """Plan ("HH:MM", "HH:MM", amperes) for each EVSE; tell what is left of it, in seconds from 18:00."""
    places = {name: (phases or {}).get(name, (1, 2, 3)) for name in courses}
    windows = {name: cases.window(name, evse_id=name) for name in courses}
    problem = cases.problem(
        *windows.values(),
        cars=[cases.car(name) for name in courses],
        evses=[cases.evse(name, phases=wired) for name, wired in places.items()],
    )
    answers = [
        WindowPlan(
            window=windows[name],
            delivered_wh=0,
            shortfall_wh=0,
            reason=Reason(code="test"),
            periods=tuple(
                Period(start=at(start), end=at(end), current_a=current_a, power_w=1)
                for start, end, current_a in steps
            ),
        )
        for name, steps in courses.items()
    ]
    plan = ChargingPlan(solver="greedy", cost_eur=Decimal(0), peak_a=(0.0,), windows=answers)
    return {
        name: [(_seconds(p.start), _seconds(p.end), p.current_a) for p in periods]
        for name, periods in apart(problem, plan).items()
    }


def _seconds(instant: datetime) -> int:
    return (instant - at("18:00")) // timedelta(seconds=1)


def test_rise_waits_ten_seconds_after_the_fall_beside_it() -> None:
    swap = told({"a": [("18:00", "18:10", 20)], "b": [("18:10", "18:30", 20)]})
    assert swap == {"a": [(0, 600, 20)], "b": [(610, 1800, 20)]}


def test_car_alone_and_rise_long_after_the_fall_start_on_time() -> None:
    assert told({"a": [("18:05", "18:10", 20)]}) == {"a": [(300, 600, 20)]}
    apart_already = told({"a": [("18:00", "18:09", 20)], "b": [("18:10", "18:30", 20)]})
    assert apart_already["b"] == [(600, 1800, 20)]


def test_cars_on_different_phases_do_not_wait_for_each_other() -> None:
    swap = told({"a": [("18:00", "18:10", 20)], "b": [("18:10", "18:30", 20)]}, evses(a=[1], b=[2]))
    assert swap["b"] == [(600, 1800, 20)]


def test_lower_current_goes_on_until_the_rise() -> None:
    shift = told(
        {
            "a": [("18:00", "18:10", 20), ("18:10", "18:20", 8)],
            "b": [("18:00", "18:10", 8), ("18:10", "18:20", 20)],
        }
    )
    assert shift == {"a": [(0, 600, 20), (600, 1200, 8)], "b": [(0, 610, 8), (610, 1200, 20)]}


def test_what_starts_with_the_plan_is_left_to_its_turn() -> None:
    both = told({"a": [("18:00", "18:10", 20)], "b": [("18:00", "18:30", 12)]})
    assert both == {"a": [(0, 600, 20)], "b": [(0, 1800, 12)]}


@settings(max_examples=150, deadline=None)
@given(problem=problems(), data=st.data())
def test_site_limit_holds_however_the_clocks_of_the_stations_differ(
    problem: PlanningProblem, data: st.DataObject
) -> None:
    problem = replace(problem, grid=replace(problem.grid, limits=(), base_load_w=()))
    plan = solve(problem, solver="greedy")
    planned = {
        evse: [p for answer in plan.windows if answer.window.evse == evse for p in answer.periods]
        for evse in problem.evses
    }
    given = apart(problem, plan)
    half_s = GAP.total_seconds() / 2
    skews = {evse: timedelta(seconds=data.draw(st.floats(-half_s, half_s))) for evse in given}
    for evse, periods in given.items():
        assert all(p.current_a <= current_a(planned[evse], p.start) for p in periods)
    for edge in {p.start + skews[evse] for evse, periods in given.items() for p in periods}:
        for phase, limit_a in enumerate(problem.grid.limit_a, start=1):
            drawn_a = sum(
                current_a(periods, edge - skews[evse])
                for evse, periods in given.items()
                if phase in problem.evses[evse].phases[: problem.cars[evse].phases]
            )
            assert drawn_a <= limit_a + 1e-9


def current_a(periods: Sequence[Period], instant: datetime) -> float:
    return next((p.current_a for p in periods if p.start <= instant < p.end), 0.0)
