"""What a charging plan is made from and what it says.

A problem is one `GridConnection` with its EVSEs, its cars and the windows in which each car is plugged.
Instants are aware UTC, energies Wh taken from the grid, currents A per phase. Currents are plain numbers so
that a later discharge is a negative one; nothing here discharges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

SolverName = Literal["highs", "greedy"]
SolverChoice = Literal["auto", "highs", "greedy"]


@dataclass(frozen=True, kw_only=True)
class PriceStep:
    """Price of energy from `start` until the next step; may be negative on the day-ahead market."""

    start: datetime
    eur_per_kwh: Decimal


@dataclass(frozen=True, kw_only=True)
class PhaseStep:
    """One value per phase of the site from `start` until the next step."""

    start: datetime
    values: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class GridLimits:
    """The metered connection: hard limit per phase, minus what the building itself takes.

    `limits` replace `limit_a` from their instants on (a network operator, another energy manager);
    `base_load_w` is the power per phase that is not ours to steer.
    """

    limit_a: tuple[float, ...]
    voltage_v: int
    prices: tuple[PriceStep, ...] = ()
    base_load_w: tuple[PhaseStep, ...] = ()
    limits: tuple[PhaseStep, ...] = ()


@dataclass(frozen=True, kw_only=True)
class EvseLimits:
    """An EVSE: the site phases it is wired to, in the order of its own L1..L3, and its current range."""

    id: str
    phases: tuple[int, ...]
    max_a: float
    min_a: float


@dataclass(frozen=True, kw_only=True)
class CarLimits:
    """A car: how many phases it uses, its current range, grid-to-battery efficiency."""

    id: str
    phases: int
    max_a: float
    min_a: float
    efficiency: float


@dataclass(frozen=True, kw_only=True)
class ChargingWindow:
    """A car plugged at an EVSE over ``[plugged_from, plugged_until)`` and what it wants by the end.

    `need_wh` from the grid, short of it is a shortfall; `max_wh` is what the battery still takes.
    Priority 1 is served before 2 when the site cannot serve both.
    """

    car: str
    evse: str
    plugged_from: datetime
    plugged_until: datetime
    need_wh: int
    max_wh: int
    priority: int = 1


@dataclass(frozen=True, kw_only=True)
class PlanningProblem:
    """Everything the planner may know. Windows keep the order in which they were given."""

    now: datetime
    grid: GridLimits
    evses: Mapping[str, EvseLimits]
    cars: Mapping[str, CarLimits]
    windows: tuple[ChargingWindow, ...]
    slot_min: int = 15


@dataclass(frozen=True, kw_only=True)
class Period:
    """Constant current over ``[start, end)``; `power_w` is the total of the phases the car uses."""

    start: datetime
    end: datetime
    current_a: float
    power_w: int


@dataclass(frozen=True)
class Reason:
    """Why a window is served as it is: a stable code for the screens, an English sentence for the command."""

    code: str
    params: Mapping[str, object] = field(default_factory=dict)
    sentence: str = ""


@dataclass(frozen=True, kw_only=True)
class WindowPlan:
    """The answer to one window."""

    window: ChargingWindow
    delivered_wh: int
    shortfall_wh: int
    reason: Reason
    periods: tuple[Period, ...]


@dataclass(frozen=True, kw_only=True)
class ChargingPlan:
    """The answer to a problem, window by window in its order.

    `peak_a` is the highest current per phase that the plan itself draws, base load not counted.
    """

    solver: SolverName
    cost_eur: Decimal
    peak_a: tuple[float, ...]
    windows: Sequence[WindowPlan]
