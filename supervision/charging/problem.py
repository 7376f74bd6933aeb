"""The planning problem and the plan as JSON (API.md, "Planning problem"); `run` is `supervision plan`.

Whatever is wrong with a document is a `FieldError` that names the field, e.g.
``cars[0].windows[0].evse: unknown EVSE 'e9'``. Nothing is guessed and nothing unknown is ignored.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NoReturn, TypeVar

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
    WindowPlan,
)
from supervision.charging.plan import solve
from supervision.kernel.errors import FieldError
from supervision.kernel.timespan import format_instant, from_millis, parse_instant, to_millis

__all__ = ["parse_problem", "render_plan", "render_problem", "run", "solve"]

PHASES_OF_A_SITE = 3
MAX_SLOT_MIN = 24 * 60
MAX_AMPS = 10_000
MAX_VOLTS = 1_000
MAX_WH = 100_000_000
MAX_WATTS = 10_000_000
MAX_EUR_PER_KWH = 1_000
MAX_PRIORITY = 1_000_000

T = TypeVar("T")
Step = TypeVar("Step", PriceStep, PhaseStep)


def run(text: str) -> str:
    """Solve the problem in a JSON text and return the plan as JSON text; FieldError when it is malformed."""
    plan = solve(parse_problem(_load(text)))
    return json.dumps(render_plan(plan), ensure_ascii=False, indent=2)


def _load(text: str) -> object:
    def refuse(constant: str) -> NoReturn:
        raise FieldError("$", f"{constant} is not a number")

    try:
        return json.loads(text, parse_constant=refuse, parse_float=Decimal)
    except (json.JSONDecodeError, RecursionError) as broken:
        raise FieldError("$", f"not JSON: {broken}") from broken
    except ValueError as broken:
        if isinstance(broken, FieldError):
            raise
        # CPython refuses integers of more than 4300 digits with a plain ValueError.
        raise FieldError("$", f"not JSON: {broken}") from broken


def parse_problem(document: object) -> PlanningProblem:
    """Read a decoded JSON document; instants are kept to the millisecond, in UTC."""
    root = _Node("", document).record()
    slot_min = root.optional("slot_min", lambda node: node.whole(1, MAX_SLOT_MIN), 15)
    now = root.take("now").instant()
    grid = _grid(root.take("grid"))
    evses = _by_id([_evse(node, grid) for node in root.take("evses").items()], "evses")
    cars_and_windows = [_car(node, evses) for node in root.take("cars").items()]
    root.finish()
    cars = _by_id([car for car, _ in cars_and_windows], "cars")
    placed = [pair for _, windows in cars_and_windows for pair in windows]
    _refuse_overlaps(placed, lambda window: window.evse, "EVSE")
    _refuse_overlaps(placed, lambda window: window.car, "car")
    windows = tuple(window for _, window in placed)
    return PlanningProblem(now=now, grid=grid, evses=evses, cars=cars, windows=windows, slot_min=slot_min)


@dataclass(frozen=True)
class _Node:
    """A value of the document and the path that leads to it."""

    path: str
    value: object

    def fail(self, message: str) -> NoReturn:
        raise FieldError(self.path or "$", message)

    def record(self) -> _Record:
        if not isinstance(self.value, dict):
            self.fail("must be an object")
        return _Record(self, dict(self.value))

    def items(self) -> list[_Node]:
        if not isinstance(self.value, list):
            self.fail("must be a list")
        return [_Node(f"{self.path}[{index}]", item) for index, item in enumerate(self.value)]

    def text(self) -> str:
        if not isinstance(self.value, str) or not self.value:
            self.fail("must be a text that is not empty")
        return self.value

    def instant(self) -> datetime:
        text = self.text()
        try:
            return from_millis(to_millis(parse_instant(text)))
        except (ValueError, OverflowError):
            self.fail(f"must be an RFC 3339 instant with an offset, not {text!r}")

    def number(self, low: float, high: float) -> Decimal:
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            self.fail("must be a number")
        if not math.isfinite(value) or not low <= value <= high:
            self.fail(f"must be a number from {low:g} to {high:g}")
        return value if isinstance(value, Decimal) else Decimal(str(value))

    def positive(self, high: float) -> float:
        value = float(self.number(0, high))
        if value <= 0:
            self.fail("must be more than 0")
        return value

    def whole(self, low: int, high: int) -> int:
        value = self.number(low, high)
        if value != int(value):
            self.fail("must be a whole number")
        return int(value)


class _Record:
    """An object whose every field must be taken before `finish`."""

    def __init__(self, node: _Node, fields: dict[str, object]) -> None:
        self.node = node
        self._left = fields

    def _child(self, name: str) -> _Node:
        path = f"{self.node.path}.{name}" if self.node.path else name
        return _Node(path, self._left.pop(name))

    def take(self, name: str) -> _Node:
        if name not in self._left:
            raise FieldError(f"{self.node.path}.{name}" if self.node.path else name, "is missing")
        return self._child(name)

    def optional(self, name: str, read: Callable[[_Node], T], default: T) -> T:
        return read(self._child(name)) if name in self._left else default

    def finish(self) -> None:
        for name in self._left:
            self._child(name).fail("unknown field")


def _grid(node: _Node) -> GridLimits:
    record = node.record()
    limit_a = _per_phase(record.take("limit_a"), MAX_AMPS)
    phases = len(limit_a)
    grid = GridLimits(
        limit_a=limit_a,
        voltage_v=record.take("voltage_v").whole(1, MAX_VOLTS),
        prices=record.optional("prices", _prices, ()),
        base_load_w=record.optional("base_load_w", lambda n: _phase_steps(n, "watts", MAX_WATTS, phases), ()),
        limits=record.optional("limits", lambda n: _phase_steps(n, "limit_a", MAX_AMPS, phases), ()),
    )
    record.finish()
    return grid


def _per_phase(node: _Node, high: float, expected: int | None = None) -> tuple[float, ...]:
    values = tuple(float(item.number(0, high)) for item in node.items())
    if expected is not None and len(values) != expected:
        node.fail(f"must hold {expected} numbers, one per phase of the site")
    if not 1 <= len(values) <= PHASES_OF_A_SITE:
        node.fail("must hold one number per phase, 1 to 3 of them")
    return values


def _prices(node: _Node) -> tuple[PriceStep, ...]:
    steps = []
    for item in node.items():
        record = item.record()
        start = record.take("from").instant()
        price = record.take("eur_per_kwh").number(-MAX_EUR_PER_KWH, MAX_EUR_PER_KWH)
        record.finish()
        steps.append(PriceStep(start=start, eur_per_kwh=price))
    return _in_order(node, steps)


def _phase_steps(node: _Node, name: str, high: float, phases: int) -> tuple[PhaseStep, ...]:
    steps = []
    for item in node.items():
        record = item.record()
        start = record.take("from").instant()
        values = _per_phase(record.take(name), high, phases)
        record.finish()
        steps.append(PhaseStep(start=start, values=values))
    return _in_order(node, steps)


def _in_order(node: _Node, steps: Sequence[Step]) -> tuple[Step, ...]:
    for index in range(1, len(steps)):
        if steps[index].start <= steps[index - 1].start:
            raise FieldError(f"{node.path}[{index}].from", "must be after the step before it")
    return tuple(steps)


def _evse(node: _Node, grid: GridLimits) -> EvseLimits:
    record = node.record()
    evse_id = record.take("id").text()
    phases = _phases(record.take("phases"), len(grid.limit_a))
    min_a, max_a = _currents(record)
    record.finish()
    return EvseLimits(id=evse_id, phases=phases, max_a=max_a, min_a=min_a)


def _phases(node: _Node, of_site: int) -> tuple[int, ...]:
    phases = tuple(item.whole(1, PHASES_OF_A_SITE) for item in node.items())
    if not phases or len(set(phases)) != len(phases):
        node.fail("must name each of its phases once")
    if max(phases) > of_site:
        node.fail(f"names phase {max(phases)}, the site has {of_site}")
    return phases


def _currents(record: _Record) -> tuple[float, float]:
    max_a = record.take("max_a").positive(MAX_AMPS)
    lowest = record.take("min_a")
    min_a = float(lowest.number(0, MAX_AMPS))
    if min_a > max_a:
        lowest.fail(f"must not be more than max_a, {max_a:g}")
    return min_a, max_a


def _car(
    node: _Node, evses: Mapping[str, EvseLimits]
) -> tuple[CarLimits, list[tuple[_Node, ChargingWindow]]]:
    record = node.record()
    car_id = record.take("id").text()
    phases = record.take("phases").whole(1, PHASES_OF_A_SITE)
    min_a, max_a = _currents(record)
    efficiency = record.optional("efficiency", lambda n: n.positive(1), 0.9)
    windows = [(item, _window(item, car_id, evses)) for item in record.take("windows").items()]
    record.finish()
    car = CarLimits(id=car_id, phases=phases, max_a=max_a, min_a=min_a, efficiency=efficiency)
    return car, windows


def _window(node: _Node, car: str, evses: Mapping[str, EvseLimits]) -> ChargingWindow:
    record = node.record()
    evse = record.take("evse")
    if evse.text() not in evses:
        evse.fail(f"unknown EVSE {evse.value!r}")
    plugged_from = record.take("plugged_from").instant()
    until = record.take("plugged_until")
    if until.instant() <= plugged_from:
        until.fail("must be after plugged_from")
    window = ChargingWindow(
        car=car,
        evse=evse.text(),
        plugged_from=plugged_from,
        plugged_until=until.instant(),
        need_wh=record.take("need_wh").whole(0, MAX_WH),
        max_wh=record.take("max_wh").whole(0, MAX_WH),
        priority=record.optional("priority", lambda n: n.whole(0, MAX_PRIORITY), 1),
    )
    record.finish()
    return window


Named = TypeVar("Named", EvseLimits, CarLimits)


def _by_id(items: Sequence[Named], path: str) -> dict[str, Named]:
    known: dict[str, Named] = {}
    for index, item in enumerate(items):
        if item.id in known:
            raise FieldError(f"{path}[{index}].id", f"{item.id!r} is used twice")
        known[item.id] = item
    return known


def _refuse_overlaps(
    placed: Sequence[tuple[_Node, ChargingWindow]], key: Callable[[ChargingWindow], str], kind: str
) -> None:
    latest: dict[str, tuple[_Node, ChargingWindow]] = {}
    for node, window in sorted(placed, key=lambda pair: pair[1].plugged_from):
        before = latest.get(key(window))
        if before is not None and window.plugged_from < before[1].plugged_until:
            node.fail(f"overlaps {before[0].path} on {kind} {key(window)!r}")
        latest[key(window)] = (node, window)


def render_problem(problem: PlanningProblem) -> dict[str, object]:
    """Return the problem as the document that `parse_problem` reads back to an equal one.

    Windows are grouped by car; a problem whose windows are in another order comes back in that of the cars.
    """
    grid = problem.grid
    return {
        "now": format_instant(problem.now),
        "slot_min": problem.slot_min,
        "grid": {
            "limit_a": list(grid.limit_a),
            "voltage_v": grid.voltage_v,
            "prices": [
                {"from": format_instant(step.start), "eur_per_kwh": float(step.eur_per_kwh)}
                for step in grid.prices
            ],
            "base_load_w": [
                {"from": format_instant(step.start), "watts": list(step.values)} for step in grid.base_load_w
            ],
            "limits": [
                {"from": format_instant(step.start), "limit_a": list(step.values)} for step in grid.limits
            ],
        },
        "evses": [
            {"id": e.id, "phases": list(e.phases), "max_a": e.max_a, "min_a": e.min_a}
            for e in problem.evses.values()
        ],
        "cars": [_render_car(car, problem) for car in problem.cars.values()],
    }


def _render_car(car: CarLimits, problem: PlanningProblem) -> dict[str, object]:
    return {
        "id": car.id,
        "phases": car.phases,
        "max_a": car.max_a,
        "min_a": car.min_a,
        "efficiency": car.efficiency,
        "windows": [
            {
                "evse": window.evse,
                "plugged_from": format_instant(window.plugged_from),
                "plugged_until": format_instant(window.plugged_until),
                "need_wh": window.need_wh,
                "max_wh": window.max_wh,
                "priority": window.priority,
            }
            for window in problem.windows
            if window.car == car.id
        ],
    }


def render_plan(plan: ChargingPlan) -> dict[str, object]:
    """Return the plan in the shape of API.md, with plain JSON values."""
    return {
        "status": "ok",
        "solver": plan.solver,
        "cost_eur": float(plan.cost_eur),
        "peak_a": list(plan.peak_a),
        "windows": [_render_window(answer) for answer in plan.windows],
    }


def _render_window(answer: WindowPlan) -> dict[str, object]:
    return {
        "car": answer.window.car,
        "evse": answer.window.evse,
        "delivered_wh": answer.delivered_wh,
        "shortfall_wh": answer.shortfall_wh,
        "reason": answer.reason.sentence,
        "periods": [_render_period(period) for period in answer.periods],
    }


def _render_period(period: Period) -> dict[str, object]:
    return {
        "from": format_instant(period.start),
        "to": format_instant(period.end),
        "amps": period.current_a,
        "watts": period.power_w,
    }
