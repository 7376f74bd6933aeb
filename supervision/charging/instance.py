"""A planning problem in whole numbers, cut at its events.

Solvers and packing share this form: time in milliseconds since 1970, current in tenths of an ampere,
energy in millijoules (W x ms). Whole numbers keep the hard limits exact: nothing is "nearly" below a limit.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from supervision.charging.model import ChargingWindow, GridLimits, PlanningProblem
from supervision.kernel.timespan import to_millis

MJ_PER_WH = 3_600_000
MJ_PER_KWH = 1000 * MJ_PER_WH

Energies = Sequence[Mapping[int, int]]
"""Per task: interval index -> energy in millijoules."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One window that can still be served: ``[start, end)`` in ms, currents in tenths of an ampere.

    `need` is what to deliver in mJ (never more than the battery takes), `room` the most that may be.
    """

    index: int
    start: int
    end: int
    phases: tuple[int, ...]
    min_da: int
    max_da: int
    voltage_v: int
    need: int
    room: int
    priority: int
    twice_watts: int
    """Twice the watts of one ampere on its phases: `power` is the innermost of all loops."""

    def power(self, current_da: int) -> int:
        """Watts drawn at a current, on all the phases of this task together."""
        return (current_da * self.twice_watts + 10) // 20


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A stretch of time in which nothing outside changes: one price, one headroom per phase.

    `rank` orders the prices of the problem, the cheapest 0: whole numbers compare fast.
    """

    start: int
    end: int
    price: Fraction
    rank: int
    headroom_da: tuple[int, ...]

    @property
    def length(self) -> int:
        """Milliseconds."""
        return self.end - self.start


@dataclass(frozen=True, kw_only=True)
class Instance:
    """Tasks and intervals; `spans[k]` is the range of interval indexes of task k."""

    tasks: tuple[Task, ...]
    intervals: tuple[Interval, ...]
    spans: tuple[range, ...]
    slot: int

    def cap_da(self, task: Task, interval: Interval) -> int:
        """The most the task may draw there if it were alone; 0 when that is below its minimum current."""
        cap = min(task.max_da, *[interval.headroom_da[phase] for phase in task.phases])
        return cap if cap >= task.min_da else 0


def compile_problem(problem: PlanningProblem) -> Instance:
    """Turn a problem into whole numbers; windows that are over or want nothing make no task."""
    tasks = tuple(
        task
        for index, window in enumerate(problem.windows)
        if (task := _task(index=index, window=window, problem=problem)) is not None
    )
    intervals = _intervals(problem, tasks)
    starts = [interval.start for interval in intervals]
    spans = tuple(_span(starts, task) for task in tasks)
    return Instance(tasks=tasks, intervals=intervals, spans=spans, slot=problem.slot_min * 60_000)


def _span(starts: Sequence[int], task: Task) -> range:
    return range(bisect_right(starts, task.start) - 1, bisect_right(starts, task.end - 1))


def _task(*, index: int, window: ChargingWindow, problem: PlanningProblem) -> Task | None:
    start = max(to_millis(window.plugged_from), to_millis(problem.now))
    end = to_millis(window.plugged_until)
    need_wh = min(window.need_wh, window.max_wh)
    if end <= start or need_wh <= 0:
        return None
    evse, car = problem.evses[window.evse], problem.cars[window.car]
    phases = tuple(phase - 1 for phase in evse.phases[: car.phases])
    return Task(
        index=index,
        start=start,
        end=end,
        phases=phases,
        min_da=ceil_tenths(max(evse.min_a, car.min_a)),
        max_da=floor_tenths(min(evse.max_a, car.max_a)),
        voltage_v=problem.grid.voltage_v,
        need=need_wh * MJ_PER_WH,
        # Energy is answered in whole Wh, rounded down: the last Wh may be begun, not finished.
        room=(window.max_wh + 1) * MJ_PER_WH - 1,
        priority=window.priority,
        twice_watts=2 * len(phases) * problem.grid.voltage_v,
    )


def _intervals(problem: PlanningProblem, tasks: Sequence[Task]) -> tuple[Interval, ...]:
    if not tasks:
        return ()
    grid = problem.grid
    first, last = min(task.start for task in tasks), max(task.end for task in tasks)
    instants = [step.start for step in grid.prices]
    instants += [step.start for step in (*grid.base_load_w, *grid.limits)]
    steps = [to_millis(instant) for instant in instants]
    edges = {edge for task in tasks for edge in (task.start, task.end)}
    edges.update(step for step in steps if first < step < last)
    cuts = sorted(edges)
    prices, headroom = _PriceLine(grid), _HeadroomLine(grid)
    return tuple(
        Interval(
            start=start,
            end=end,
            price=prices.at(start),
            rank=prices.rank(start),
            headroom_da=headroom.at(start),
        )
        for start, end in pairwise(cuts)
    )


class _PriceLine:
    """Price at an instant; before the first step the first one holds, without any it is 0."""

    def __init__(self, grid: GridLimits) -> None:
        self._starts = [to_millis(step.start) for step in grid.prices]
        self._values = [Fraction(step.eur_per_kwh) for step in grid.prices] or [Fraction(0)]
        ranks = {price: rank for rank, price in enumerate(sorted(set(self._values)))}
        self._ranks = [ranks[price] for price in self._values]

    def at(self, instant: int) -> Fraction:
        return self._values[self._position(instant)]

    def rank(self, instant: int) -> int:
        return self._ranks[self._position(instant)]

    def _position(self, instant: int) -> int:
        return max(0, bisect_right(self._starts, instant) - 1)


class _HeadroomLine:
    """Tenths of an ampere per phase left for charging at an instant, never below 0."""

    def __init__(self, grid: GridLimits) -> None:
        self._grid = grid
        self._limit_starts = [to_millis(step.start) for step in grid.limits]
        self._load_starts = [to_millis(step.start) for step in grid.base_load_w]
        self._known: dict[tuple[int, int], tuple[int, ...]] = {}

    def at(self, instant: int) -> tuple[int, ...]:
        limit = bisect_right(self._limit_starts, instant) - 1
        load = bisect_right(self._load_starts, instant) - 1
        if (limit, load) not in self._known:
            self._known[limit, load] = self._headroom(limit, load)
        return self._known[limit, load]

    def _headroom(self, limit: int, load: int) -> tuple[int, ...]:
        grid = self._grid
        amps = grid.limits[limit].values if limit >= 0 else grid.limit_a
        watts = grid.base_load_w[load].values if load >= 0 else (0.0,) * len(amps)
        free = [exact(a) - exact(w) / grid.voltage_v for a, w in zip(amps, watts, strict=True)]
        return tuple(max(0, floor_tenths(amps)) for amps in free)


def exact(value: float) -> Fraction:
    """The number as it was written, free of binary noise: 16.1 is 161/10."""
    return Fraction(str(value))


def floor_tenths(current_a: float | Fraction) -> int:
    """Tenths of an ampere, rounded down: a limit is never exceeded, not even by its last digit."""
    return math.floor(Fraction(str(current_a)) * 10)


def ceil_tenths(current_a: float) -> int:
    """Tenths of an ampere, rounded up."""
    return math.ceil(exact(current_a) * 10)
