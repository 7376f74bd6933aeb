"""`solve`: a planning problem in, a charging plan out. Pure: the same problem gives the same plan.

Energies by a solver (HiGHS, or greedy without it), currents by `packing`, then every window gets its answer.
A need that cannot be met is a shortfall with a reason, never an exception.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from supervision.charging import packing, reasons, solver_greedy
from supervision.charging.instance import MJ_PER_KWH, MJ_PER_WH, Energies, Instance, Task, compile_problem
from supervision.charging.model import (
    ChargingPlan,
    ChargingWindow,
    Period,
    PlanningProblem,
    SolverChoice,
    SolverName,
    WindowPlan,
)
from supervision.charging.packing import Cell
from supervision.kernel.timespan import from_millis

MOST_COLUMNS = 60_000
"""Variables up to which the optimum comes in seconds: some 200 cars on one connection. Beyond, greedy gave
the same shortfall and cost to four digits, ten times faster."""


def solve(problem: PlanningProblem, *, solver: SolverChoice = "auto") -> ChargingPlan:
    """Plan every window of the problem; `auto` takes HiGHS where it is installed and the site not vast."""
    instance = compile_problem(problem)
    name = _choose(solver, instance)
    energies = _energies(instance, name)
    cells = packing.pack(instance, energies, _hopeless(instance, energies, name))
    periods = _periods(instance, cells)
    by_window = {task.index: k for k, task in enumerate(instance.tasks)}
    windows = [
        _answer(problem=problem, instance=instance, window=window, periods=periods, k=by_window.get(index))
        for index, window in enumerate(problem.windows)
    ]
    return ChargingPlan(
        solver=name, cost_eur=_cost(instance, cells), peak_a=_peak(problem, instance, cells), windows=windows
    )


def _choose(solver: SolverChoice, instance: Instance) -> SolverName:
    if solver != "auto":
        return solver
    vast = sum(len(span) for span in instance.spans) > MOST_COLUMNS
    return "greedy" if vast or not importlib.util.find_spec("highspy") else "highs"


def _energies(instance: Instance, name: SolverName) -> Energies:
    if name == "greedy" or not instance.tasks:
        return solver_greedy.energies(instance)
    # Imported on first use: a C library of 12 MB that the greedy planner does without.
    from supervision.charging import solver_highs  # noqa: PLC0415

    return solver_highs.energies(instance)


def _hopeless(instance: Instance, energies: Energies, name: SolverName) -> list[int]:
    """Energy that surely cannot be placed: the optimum's shortfall, or what even a car alone would lack."""
    if name == "highs":
        placed = [sum(share.values()) for share in energies]
    else:
        placed = [solver_greedy.alone(instance, k) for k in range(len(instance.tasks))]
    return [max(0, task.need - energy) for task, energy in zip(instance.tasks, placed, strict=True)]


def _periods(instance: Instance, cells: Sequence[Cell]) -> list[list[Period]]:
    """Runs of equal current per task, in time order."""
    runs: list[list[tuple[int, int, int]]] = [[] for _ in instance.tasks]
    for cell in cells:
        for k, current in cell.currents.items():
            mine = runs[k]
            if mine and mine[-1][1] == cell.start and mine[-1][2] == current:
                mine[-1] = (mine[-1][0], cell.end, current)
            else:
                mine.append((cell.start, cell.end, current))
    return [[_period(task, *run) for run in mine] for task, mine in zip(instance.tasks, runs, strict=True)]


def _period(task: Task, start: int, end: int, current_da: int) -> Period:
    return Period(
        start=from_millis(start),
        end=from_millis(end),
        current_a=current_da / 10,
        power_w=task.power(current_da),
    )


def energy_wh(periods: Sequence[Period]) -> int:
    """Whole watt-hours of the periods, rounded down once at the end."""
    return sum(period.power_w * _millis(period.start, period.end) for period in periods) // MJ_PER_WH


def _millis(start: datetime, end: datetime) -> int:
    return round((end - start).total_seconds() * 1000)


def _answer(
    *,
    problem: PlanningProblem,
    instance: Instance,
    window: ChargingWindow,
    periods: Sequence[Sequence[Period]],
    k: int | None,
) -> WindowPlan:
    mine = tuple(periods[k]) if k is not None else ()
    delivered = energy_wh(mine)
    shortfall = max(0, window.need_wh - delivered)
    reason = reasons.explain(
        problem=problem, instance=instance, window=window, k=k, periods=mine, delivered_wh=delivered
    )
    return WindowPlan(
        window=window, delivered_wh=delivered, shortfall_wh=shortfall, reason=reason, periods=mine
    )


def _cost(instance: Instance, cells: Sequence[Cell]) -> Decimal:
    """Euros, rounded to cents once, half away from zero."""
    energy: dict[int, int] = {}  # by rank of the price: whole numbers first, one product per price
    prices = {cell.interval.rank: cell.interval.price for cell in cells}
    for cell in cells:
        power = sum(instance.tasks[k].power(current) for k, current in cell.currents.items())
        energy[cell.interval.rank] = energy.get(cell.interval.rank, 0) + power * cell.length
    euros = sum((prices[rank] * amount for rank, amount in energy.items()), Fraction(0)) / MJ_PER_KWH
    exact = Decimal(euros.numerator) / Decimal(euros.denominator)
    return exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def _peak(problem: PlanningProblem, instance: Instance, cells: Sequence[Cell]) -> tuple[float, ...]:
    peak = [0] * len(problem.grid.limit_a)
    for cell in cells:
        for phase, used in enumerate(_used(instance, cell.currents, len(peak))):
            peak[phase] = max(peak[phase], used)
    return tuple(used / 10 for used in peak)


def _used(instance: Instance, currents: Mapping[int, int], phases: int) -> list[int]:
    used = [0] * phases
    for k, current in currents.items():
        for phase in instance.tasks[k].phases:
            used[phase] += current
    return used
