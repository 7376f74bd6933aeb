"""Both solvers, one suite: calendars and the plans they must lead to."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from supervision.charging.model import ChargingPlan, Period, PlanningProblem, SolverName
from supervision.charging.plan import solve
from tests.unit.charging.cases import at, car, evse, problem, window

TWO_CARS = (car("a"), car("b"))
TWO_EVSES = (evse("e1"), evse("e2"))


@pytest.fixture(params=["highs", "greedy"])
def solver(request: pytest.FixtureRequest) -> SolverName:
    name: SolverName = request.param
    return name


def periods(plan: ChargingPlan, index: int = 0) -> list[tuple[str, str, float]]:
    return [(f"{p.start:%H:%M:%S}", f"{p.end:%H:%M:%S}", p.current_a) for p in plan.windows[index].periods]


def test_one_car_alone_charges_at_once_at_full_current(solver: SolverName) -> None:
    plan = solve(problem(window()), solver=solver)
    assert plan.solver == solver
    assert plan.windows[0].periods == (
        Period(start=at("18:00"), end=at("18:38").replace(second=36), current_a=32.0, power_w=22_080),
    )
    assert (plan.windows[0].delivered_wh, plan.windows[0].shortfall_wh) == (14_204, 0)
    assert plan.windows[0].reason.code == "met"
    assert plan.cost_eur == Decimal("2.84")
    assert plan.peak_a == (32.0, 32.0, 32.0)


def test_need_waits_for_the_cheap_hours(solver: SolverName) -> None:
    night = window(plugged=("18:00", "+07:00"), need_wh=20_000)
    plan = solve(problem(night, prices={"18:00": "0.27", "23:00": "0.20", "+06:00": "0.27"}), solver=solver)
    assert periods(plan) == [("23:00:00", "23:54:21", 32.0)]
    assert plan.cost_eur == Decimal("4.00")


def test_a_booking_before_the_cheap_hours_charges_at_the_high_price(solver: SolverName) -> None:
    evening = window(plugged=("18:00", "19:00"), need_wh=11_040)
    plan = solve(problem(evening, prices={"18:00": "0.27", "23:00": "0.20"}), solver=solver)
    assert periods(plan) == [("18:00:00", "18:30:00", 32.0)]


def test_two_cars_share_the_site_one_after_the_other(solver: SolverName) -> None:
    both = (
        window("a", evse_id="e1", need_wh=11_040),
        window("b", evse_id="e2", need_wh=11_040),
    )
    plan = solve(problem(*both, cars=TWO_CARS, evses=TWO_EVSES), solver=solver)
    assert sorted(periods(plan, 0) + periods(plan, 1)) == [
        ("18:00:00", "18:30:00", 32.0),
        ("18:30:00", "19:00:00", 32.0),
    ]
    assert [answer.shortfall_wh for answer in plan.windows] == [0, 0]


def test_the_earlier_deadline_goes_first_on_a_tight_site(solver: SolverName) -> None:
    both = (
        window("a", evse_id="e1", plugged=("18:00", "20:00"), need_wh=22_080),
        window("b", evse_id="e2", plugged=("18:00", "19:00"), need_wh=22_080),
    )
    plan = solve(problem(*both, cars=TWO_CARS, evses=TWO_EVSES), solver=solver)
    assert periods(plan, 0) == [("19:00:00", "20:00:00", 32.0)]
    assert periods(plan, 1) == [("18:00:00", "19:00:00", 32.0)]


def test_priority_1_is_served_before_2_when_the_site_cannot_serve_both(solver: SolverName) -> None:
    both = (
        window("a", evse_id="e1", need_wh=44_160, max_wh=50_000, priority=2),
        window("b", evse_id="e2", need_wh=30_000, max_wh=50_000, priority=1),
    )
    plan = solve(problem(*both, cars=TWO_CARS, evses=TWO_EVSES), solver=solver)
    assert [answer.shortfall_wh for answer in plan.windows] == [30_003, 0]
    assert [answer.reason.code for answer in plan.windows] == ["site_limit", "met"]


def test_cars_on_different_phases_charge_together(solver: SolverName) -> None:
    plan = solve(
        problem(
            window("a", evse_id="e1", need_wh=7_360),
            window("b", evse_id="e2", need_wh=7_360),
            cars=(car("a", phases=1), car("b", phases=1)),
            evses=(evse("e1", phases=[1]), evse("e2", phases=[2])),
        ),
        solver=solver,
    )
    assert periods(plan, 0) == periods(plan, 1) == [("18:00:00", "19:00:00", 32.0)]
    assert plan.peak_a == (32.0, 32.0, 0.0)


def test_a_single_phase_car_uses_the_first_phase_of_its_evse(solver: SolverName) -> None:
    spring = problem(
        window(need_wh=3_680), cars=(car(phases=1),), evses=(evse(phases=[2, 3, 1]),), limit_a=(6, 32, 6)
    )
    plan = solve(spring, solver=solver)
    assert plan.windows[0].periods[0].power_w == 7_360
    assert plan.peak_a == (0.0, 32.0, 0.0)


def test_a_site_below_the_minimum_current_charges_nothing_and_says_so(solver: SolverName) -> None:
    plan = solve(problem(window(), limit_a=(7.9, 32, 32)), solver=solver)
    assert plan.windows[0].periods == ()
    assert plan.windows[0].shortfall_wh == 14_200
    assert plan.windows[0].reason.code == "below_minimum_current"
    assert plan.windows[0].reason.params["free_a"] == 7.9
    assert plan.cost_eur == Decimal("0.00")


def test_the_building_comes_first_at_every_instant(solver: SolverName) -> None:
    plan = solve(
        problem(
            window(need_wh=14_200),
            base_load_w={"18:00": (0, 5_000, 0), "18:30": (0, 6_000, 0), "19:00": (0, 0, 0)},
        ),
        solver=solver,
    )
    assert periods(plan)[0] == ("18:00:00", "18:30:00", 10.2)
    assert periods(plan)[-1] == ("19:00:00", "19:29:02", 32.0)


def test_a_limit_from_outside_replaces_the_site_limit_from_its_instant(solver: SolverName) -> None:
    plan = solve(
        problem(window(plugged=("18:00", "19:00"), need_wh=22_080), limits={"18:30": (16.05, 20, 20)}),
        solver=solver,
    )
    assert periods(plan) == [("18:00:00", "18:30:00", 32.0), ("18:30:00", "19:00:00", 16.0)]
    assert plan.windows[0].shortfall_wh == 5_520
    assert plan.windows[0].reason.code == "too_short"


def test_a_window_too_short_delivers_what_it_can(solver: SolverName) -> None:
    plan = solve(problem(window(plugged=("18:00", "18:30"))), solver=solver)
    assert (plan.windows[0].delivered_wh, plan.windows[0].shortfall_wh) == (11_040, 3_160)
    assert plan.windows[0].reason.code == "too_short"


def test_a_full_battery_takes_no_more_than_it_holds(solver: SolverName) -> None:
    plan = solve(problem(window(need_wh=14_200, max_wh=9_000)), solver=solver)
    assert (plan.windows[0].delivered_wh, plan.windows[0].shortfall_wh) == (9_000, 5_200)
    assert plan.windows[0].reason.code == "battery_full"


def test_a_fixed_current_and_a_battery_without_slack_ends_on_the_millisecond(solver: SolverName) -> None:
    fixed = problem(window(need_wh=14_201, max_wh=14_201), cars=(car(min_a=32),), evses=(evse(min_a=32),))
    answer = solve(fixed, solver=solver).windows[0]
    assert (answer.delivered_wh, answer.shortfall_wh) == (14_201, 0)
    assert answer.periods[-1].end.microsecond % 1_000 == 0


def test_every_window_is_answered_in_the_order_of_the_problem(solver: SolverName) -> None:
    plan = solve(
        problem(
            window(plugged=("12:00", "14:00")),
            window(plugged=("18:30", "19:00"), need_wh=0),
            window(plugged=("21:00", "23:00"), need_wh=1_000),
            window(plugged=("17:00", "18:30"), need_wh=5_520),
        ),
        solver=solver,
    )
    assert [answer.reason.code for answer in plan.windows] == ["over", "nothing_needed", "met", "met"]
    assert [answer.shortfall_wh for answer in plan.windows] == [14_200, 0, 0, 0]
    assert periods(plan, 3) == [("18:00:00", "18:15:00", 32.0)]


def test_no_window_no_plan(solver: SolverName) -> None:
    plan = solve(problem(), solver=solver)
    assert (plan.windows, plan.cost_eur, plan.peak_a) == ([], Decimal("0.00"), (0.0, 0.0, 0.0))


def test_a_running_car_gives_way_where_another_has_no_other_hour(solver: SolverName) -> None:
    """`a` leaves 4 A, too little for `b`; `a` has the whole evening, `b` only half an hour."""
    plan = solve(
        problem(
            window("a", evse_id="e1", plugged=("18:00", "21:00"), need_wh=44_160, max_wh=60_000),
            window("b", evse_id="e2", plugged=("18:00", "18:30"), need_wh=2_760),
            cars=(car("a"), car("b", min_a=8)),
            evses=(evse("e1"), evse("e2")),
            limit_a=(36, 36, 36),
        ),
        solver=solver,
    )
    assert [answer.shortfall_wh for answer in plan.windows] == [0, 0]


def test_money_can_be_earned_at_negative_prices(solver: SolverName) -> None:
    plan = solve(problem(window(need_wh=11_040), prices={"18:00": "0.10", "19:00": "-0.05"}), solver=solver)
    assert periods(plan) == [("19:00:00", "19:30:00", 32.0)]
    assert plan.cost_eur == Decimal("-0.55")


def test_the_same_problem_gives_the_same_plan(solver: SolverName) -> None:
    def busy() -> PlanningProblem:
        return problem(
            window("a", evse_id="e1", plugged=("18:00", "19:00"), need_wh=20_000),
            window("b", evse_id="e2", plugged=("18:10", "19:20"), need_wh=20_000),
            cars=TWO_CARS,
            evses=TWO_EVSES,
        )

    assert solve(busy(), solver=solver) == solve(busy(), solver=solver)


def test_a_plan_made_later_keeps_what_is_running(solver: SolverName) -> None:
    first = problem(window())
    later = replace(
        first, now=at("18:20"), windows=(window(need_wh=14_200 - 7_360, plugged=("18:00", "20:00")),)
    )
    assert periods(solve(first, solver=solver))[0][1] == "18:38:36"
    assert periods(solve(later, solver=solver)) == [("18:20:00", "18:38:36", 32.0)]


def test_auto_takes_highs_when_it_is_installed() -> None:
    assert solve(problem(window())).solver == "highs"


def test_auto_takes_the_fast_planner_for_a_vast_site() -> None:
    names = [f"c{number}" for number in range(360)]
    vast = problem(
        *(
            window(
                name, evse_id=name, plugged=("18:00", f"+{6 + number // 60:02}:{number % 60:02}"), need_wh=500
            )
            for number, name in enumerate(names)
        ),
        cars=[car(name) for name in names],
        evses=[evse(name) for name in names],
        limit_a=(500, 500, 500),
    )
    plan = solve(vast)
    assert plan.solver == "greedy"
    assert {answer.shortfall_wh for answer in plan.windows} == {0}
