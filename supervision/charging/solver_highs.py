"""The linear programme of a station, solved by HiGHS through its own Python binding.

Exact on event edges: between two events nothing changes, so a constant average current loses nothing
(docs/charging.md writes the equations with the names used here). This is the only module that imports
highspy, and only `plan.solve` imports this module, when it is asked to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import highspy
import numpy as np

from supervision.charging.instance import MJ_PER_KWH, Energies, Instance

MS_PER_H = 3_600_000
EARLY_CENTS = 0.002
"""Over the whole horizon: between equal prices the earlier hour wins, so a car is rather ready too soon."""
SATISFIED_KWH = 1e-6
LIMIT_ROW_SLACK = 1e-9


@dataclass
class _Columns:
    """One average current (A) per task and interval it can draw in, then one shortfall per task."""

    task: list[int] = field(default_factory=list)
    interval: list[int] = field(default_factory=list)
    cap_a: list[float] = field(default_factory=list)
    kwh_per_a: list[float] = field(default_factory=list)
    cents: list[float] = field(default_factory=list)

    def add(self, *, task: int, interval: int, cap_a: float, kwh_per_a: float, cents: float) -> None:
        self.task.append(task)
        self.interval.append(interval)
        self.cap_a.append(cap_a)
        self.kwh_per_a.append(kwh_per_a)
        self.cents.append(cents)


@dataclass
class _Rows:
    """Rows of the constraint matrix in compressed form."""

    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    starts: list[int] = field(default_factory=lambda: [0])
    columns: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, columns: Sequence[int], values: Sequence[float], *, lower: float, upper: float) -> None:
        self.columns.extend(columns)
        self.values.extend(values)
        self.starts.append(len(self.columns))
        self.lower.append(lower)
        self.upper.append(upper)


def energies(instance: Instance) -> Energies:
    """Least cost among the plans with the least shortfall, priority by priority."""
    columns = _columns(instance)
    rows = _rows(instance, columns)
    solver = _load(instance, columns, rows)
    solution = _solve(solver)
    if _shortfall(solution, columns) > SATISFIED_KWH and len(_levels(instance)) > 1:
        solution = _serve_by_priority(instance, solver, columns)
    return _read(instance, columns, solution)


def _columns(instance: Instance) -> _Columns:
    columns = _Columns()
    early = EARLY_CENTS / max(1, len(instance.intervals))
    for k, task in enumerate(instance.tasks):
        kw_per_a = len(task.phases) * task.voltage_v / 1000
        for i in instance.spans[k]:
            interval = instance.intervals[i]
            if not (cap := instance.cap_da(task, interval)):
                continue
            kwh_per_a = kw_per_a * interval.length / MS_PER_H
            cents = (float(interval.price) * 100 + early * i) * kwh_per_a
            columns.add(task=k, interval=i, cap_a=cap / 10, kwh_per_a=kwh_per_a, cents=cents)
    return columns


def _rows(instance: Instance, columns: _Columns) -> _Rows:
    rows = _Rows()
    of_task: list[list[int]] = [[] for _ in instance.tasks]
    of_interval: dict[int, list[int]] = {}
    for j, (k, i) in enumerate(zip(columns.task, columns.interval, strict=True)):
        of_task[k].append(j)
        of_interval.setdefault(i, []).append(j)
    shortfalls = len(columns.task)
    for k, task in enumerate(instance.tasks):
        need = task.need / MJ_PER_KWH
        values = [columns.kwh_per_a[j] for j in of_task[k]]
        rows.add([*of_task[k], shortfalls + k], [*values, 1.0], lower=need, upper=need)
    for i, users in of_interval.items():
        for members, headroom in _phase_rows(instance, columns, i, users).items():
            rows.add(members, [1.0] * len(members), lower=-highspy.kHighsInf, upper=headroom)
    return rows


def _phase_rows(
    instance: Instance, columns: _Columns, i: int, users: Sequence[int]
) -> dict[tuple[int, ...], float]:
    """Phase limits that can bind; equal rows (all cars on three phases) are written once."""
    needed: dict[tuple[int, ...], float] = {}
    for phase, headroom_da in enumerate(instance.intervals[i].headroom_da):
        members = tuple(j for j in users if phase in instance.tasks[columns.task[j]].phases)
        headroom = headroom_da / 10
        if sum(columns.cap_a[j] for j in members) > headroom + LIMIT_ROW_SLACK:
            needed[members] = min(headroom, needed.get(members, headroom))
    return needed


def _load(instance: Instance, columns: _Columns, rows: _Rows) -> highspy.Highs:
    penalty = 1000.0 + 20 * max((abs(float(i.price)) * 100 for i in instance.intervals), default=0.0)
    model = highspy.HighsLp()
    n = len(columns.task) + len(instance.tasks)
    model.num_col_, model.num_row_ = n, len(rows.upper)
    model.col_cost_ = np.array([*columns.cents, *[penalty] * len(instance.tasks)])
    model.col_lower_ = np.zeros(n)
    model.col_upper_ = np.array([*columns.cap_a, *[task.need / MJ_PER_KWH for task in instance.tasks]])
    model.row_lower_, model.row_upper_ = np.array(rows.lower), np.array(rows.upper)
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = np.array(rows.starts, dtype=np.int32)
    model.a_matrix_.index_ = np.array(rows.columns, dtype=np.int32)
    model.a_matrix_.value_ = np.array(rows.values)
    solver: highspy.Highs = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)  # noqa: FBT003 - the binding takes no keywords
    solver.setOptionValue("threads", 1)  # one answer, whatever the machine
    solver.passModel(model)
    return solver


def _solve(solver: highspy.Highs) -> Sequence[float]:
    solver.run()
    status = solver.getModelStatus()
    if status != highspy.HighsModelStatus.kOptimal:
        # Every problem has a solution (all shortfall), so this is a fault of the model, not of the site.
        raise ArithmeticError(f"HiGHS ended with {status}")
    return list(solver.getSolution().col_value)


def _shortfall(solution: Sequence[float], columns: _Columns) -> float:
    return sum(solution[len(columns.task) :])


def _levels(instance: Instance) -> list[int]:
    return sorted({task.priority for task in instance.tasks})


def _serve_by_priority(instance: Instance, solver: highspy.Highs, columns: _Columns) -> Sequence[float]:
    """Least shortfall of priority 1, then of 2 without hurting 1, ..., then least cost."""
    first, n = len(columns.task), len(columns.task) + len(instance.tasks)
    all_columns = np.arange(n, dtype=np.int32)
    costs = np.array(list(solver.getLp().col_cost_))
    for level in _levels(instance):
        members = [first + k for k, task in enumerate(instance.tasks) if task.priority == level]
        only = np.zeros(n)
        only[members] = 1.0
        solver.changeColsCost(n, all_columns, only)
        solution = _solve(solver)
        least = sum(solution[j] for j in members) + SATISFIED_KWH / 10
        indexes = np.array(members, dtype=np.int32)
        solver.addRow(-highspy.kHighsInf, least, len(members), indexes, np.ones(len(members)))
    solver.changeColsCost(n, all_columns, costs)
    return _solve(solver)


def _read(instance: Instance, columns: _Columns, solution: Sequence[float]) -> Energies:
    answer: list[dict[int, int]] = [{} for _ in instance.tasks]
    for j, (k, i) in enumerate(zip(columns.task, columns.interval, strict=True)):
        energy = round(solution[j] * columns.kwh_per_a[j] * MJ_PER_KWH)
        if energy > 0:
            answer[k][i] = energy
    return answer
