"""What holds for every plan, whatever the problem."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor

from hypothesis import given, settings
from hypothesis import strategies as st

from supervision.charging.model import (
    CarLimits,
    ChargingPlan,
    ChargingWindow,
    EvseLimits,
    GridLimits,
    Period,
    PhaseStep,
    PlanningProblem,
    PriceStep,
    SolverName,
    WindowPlan,
)
from supervision.charging.plan import solve
from tests.unit.charging.cases import at

NOW = at("18:00")
AMPS = st.one_of(st.integers(0, 64), st.decimals(0, 64, places=2)).map(float)
PHASE_SETS = st.sampled_from([(1, 2, 3), (1, 2, 3), (3, 1, 2), (1,), (2,), (3,), (2, 1)])


def instant(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


@st.composite
def phase_steps(draw: st.DrawFn, high: int) -> tuple[PhaseStep, ...]:
    minutes = sorted(draw(st.sets(st.integers(-120, 900), max_size=4)))
    values = st.tuples(*[st.integers(0, high).map(float)] * 3)
    return tuple(PhaseStep(start=instant(m), values=draw(values)) for m in minutes)


@st.composite
def grids(draw: st.DrawFn) -> GridLimits:
    minutes = sorted(draw(st.sets(st.integers(-120, 900), max_size=5)))
    price = st.decimals(Decimal("-0.10"), Decimal("0.60"), places=4)
    return GridLimits(
        limit_a=draw(st.tuples(AMPS, AMPS, AMPS)),
        voltage_v=draw(st.sampled_from([230, 231, 400])),
        prices=tuple(PriceStep(start=instant(m), eur_per_kwh=draw(price)) for m in minutes),
        base_load_w=draw(phase_steps(8_000)),
        limits=draw(phase_steps(64)),
    )


@st.composite
def windows(draw: st.DrawFn, name: str) -> list[ChargingWindow]:
    found, start = [], draw(st.integers(-200, 300))
    for _ in range(draw(st.integers(0, 3))):
        end = start + draw(st.integers(1, 600))
        need = draw(st.integers(0, 60_000))
        found.append(
            ChargingWindow(
                car=name,
                evse=name,
                plugged_from=instant(start),
                plugged_until=instant(end),
                need_wh=need,
                max_wh=draw(st.one_of(st.just(need), st.integers(0, 60_000))),
                priority=draw(st.integers(1, 3)),
            )
        )
        start = end + draw(st.integers(0, 100))
    return found


@st.composite
def problems(draw: st.DrawFn) -> PlanningProblem:
    names = [f"x{i}" for i in range(draw(st.integers(1, 5)))]
    evses, cars = {}, {}
    for name in names:
        max_a = draw(st.sampled_from([16.0, 32.0, 20.25]))
        evses[name] = EvseLimits(
            id=name, phases=draw(PHASE_SETS), max_a=max_a, min_a=draw(st.sampled_from([0.0, 6.0, max_a]))
        )
        cars[name] = CarLimits(
            id=name,
            phases=draw(st.integers(1, 3)),
            max_a=draw(st.sampled_from([10.0, 16.0, 32.0])),
            min_a=draw(st.sampled_from([6.0, 8.0, 8.05])),
            efficiency=0.9,
        )
    placed = [window for name in names for window in draw(windows(name))]
    return PlanningProblem(
        now=NOW,
        grid=draw(grids()),
        evses=evses,
        cars=cars,
        windows=tuple(placed),
        slot_min=draw(st.sampled_from([5, 15, 60])),
    )


SOLVERS = st.sampled_from(["highs", "greedy"])


def limits_of(problem: PlanningProblem, window: ChargingWindow) -> tuple[float, float, tuple[int, ...]]:
    evse, car = problem.evses[window.evse], problem.cars[window.car]
    low, high = max(evse.min_a, car.min_a), min(evse.max_a, car.max_a)
    return low, high, evse.phases[: min(len(evse.phases), car.phases)]


def free_at(grid: GridLimits, moment: datetime) -> list[Fraction]:
    limit, load = grid.limit_a, (0.0, 0.0, 0.0)
    for step in grid.limits:
        limit = step.values if step.start <= moment else limit
    for step in grid.base_load_w:
        load = step.values if step.start <= moment else load  # type: ignore[assignment]
    return [Fraction(str(a)) - Fraction(str(w)) / grid.voltage_v for a, w in zip(limit, load, strict=True)]


def millis(period: Period) -> int:
    return (period.end - period.start) // timedelta(milliseconds=1)


def check_window(problem: PlanningProblem, answer: WindowPlan) -> None:
    window = answer.window
    low, high, phases = limits_of(problem, window)
    before = max(problem.now, window.plugged_from)
    for period in answer.periods:
        assert before <= period.start < period.end <= window.plugged_until
        before = period.end
        assert low <= period.current_a <= high
        exact = Fraction(str(period.current_a)) * len(phases) * problem.grid.voltage_v
        assert period.power_w == floor(exact + Fraction(1, 2))
    energy = Fraction(sum(p.power_w * millis(p) for p in answer.periods), 3_600_000)
    assert answer.delivered_wh == int(energy)
    assert answer.delivered_wh <= window.max_wh
    assert answer.shortfall_wh == max(0, window.need_wh - answer.delivered_wh)
    assert answer.reason.sentence


def check_site(problem: PlanningProblem, plan: ChargingPlan) -> None:
    grid = problem.grid
    edges = {step.start for step in (*grid.limits, *grid.base_load_w)}
    edges |= {period.start for answer in plan.windows for period in answer.periods}
    peak = [Fraction(0)] * 3
    for moment in edges:
        used = [Fraction(0)] * 3
        for answer in plan.windows:
            for period in answer.periods:
                if period.start <= moment < period.end:
                    for phase in limits_of(problem, answer.window)[2]:
                        used[phase - 1] += Fraction(str(period.current_a))
        free = free_at(grid, moment)
        assert all(u == 0 or u <= f for u, f in zip(used, free, strict=True))
        peak = [max(p, u) for p, u in zip(peak, used, strict=True)]
    assert [Fraction(str(amps)) for amps in plan.peak_a] == peak


@settings(max_examples=150, deadline=None)
@given(problem=problems(), solver=SOLVERS)
def test_every_plan_keeps_the_hard_limits_and_its_own_sums(
    problem: PlanningProblem, solver: SolverName
) -> None:
    plan = solve(problem, solver=solver)
    assert [answer.window for answer in plan.windows] == list(problem.windows)
    for answer in plan.windows:
        check_window(problem, answer)
    check_site(problem, plan)


@settings(max_examples=100, deadline=None)
@given(
    minutes=st.integers(5, 600),
    share=st.floats(0.01, 1),
    limit=st.integers(8, 40),
    prices=st.lists(st.decimals(Decimal("0.05"), Decimal("0.40"), places=3), min_size=1, max_size=6),
    solver=SOLVERS,
    slack=st.sampled_from([0, 1, 10_000]),
)
def test_a_car_alone_with_a_feasible_need_gets_all_of_it(
    minutes: int, share: float, limit: int, prices: list[Decimal], solver: SolverName, slack: int
) -> None:
    need = int(min(limit, 32) * 690 * minutes / 60 * share)
    only = ChargingWindow(
        car="c", evse="e", plugged_from=NOW, plugged_until=instant(minutes), need_wh=need, max_wh=need + slack
    )
    steps = tuple(PriceStep(start=instant(37 * i), eur_per_kwh=price) for i, price in enumerate(prices))
    plan = solve(
        PlanningProblem(
            now=NOW,
            grid=GridLimits(limit_a=(limit, limit, limit), voltage_v=230, prices=steps),
            evses={"e": EvseLimits(id="e", phases=(1, 2, 3), max_a=32, min_a=6)},
            cars={"c": CarLimits(id="c", phases=3, max_a=32, min_a=8, efficiency=0.9)},
            windows=(only,),
        ),
        solver=solver,
    )
    assert plan.windows[0].shortfall_wh == 0
    assert need <= plan.windows[0].delivered_wh <= need + 7
