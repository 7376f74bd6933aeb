"""Problems that read like a calendar: instants are "HH:MM" on one winter evening or the day after, UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from supervision.charging.model import (
    CarLimits,
    ChargingWindow,
    EvseLimits,
    GridLimits,
    PhaseStep,
    PlanningProblem,
    PriceStep,
)

DAY = datetime(2026, 11, 21, tzinfo=UTC)


def at(text: str) -> datetime:
    """'18:30' on the day, '+06:00' on the day after."""
    hours, minutes = text.lstrip("+").split(":")
    return DAY + timedelta(days=text.startswith("+"), hours=int(hours), minutes=int(minutes))


def evse(
    evse_id: str = "e1", *, phases: Sequence[int] = (1, 2, 3), max_a: float = 32, min_a: float = 6
) -> EvseLimits:
    return EvseLimits(id=evse_id, phases=tuple(phases), max_a=max_a, min_a=min_a)


def car(car_id: str = "zoe", *, phases: int = 3, max_a: float = 32, min_a: float = 8) -> CarLimits:
    return CarLimits(id=car_id, phases=phases, max_a=max_a, min_a=min_a, efficiency=0.9)


def window(
    car_id: str = "zoe",
    *,
    evse_id: str = "e1",
    plugged: tuple[str, str] = ("18:00", "20:00"),
    need_wh: int = 14_200,
    max_wh: int = 30_000,
    priority: int = 1,
) -> ChargingWindow:
    start, end = plugged
    return ChargingWindow(
        car=car_id,
        evse=evse_id,
        plugged_from=at(start),
        plugged_until=at(end),
        need_wh=need_wh,
        max_wh=max_wh,
        priority=priority,
    )


def problem(
    *windows: ChargingWindow,
    cars: Sequence[CarLimits] = (car(),),
    evses: Sequence[EvseLimits] = (evse(),),
    limit_a: Sequence[float] = (32, 32, 32),
    prices: Mapping[str, str] | None = None,
    base_load_w: Mapping[str, Sequence[float]] | None = None,
    limits: Mapping[str, Sequence[float]] | None = None,
    now: str = "18:00",
    slot_min: int = 15,
) -> PlanningProblem:
    steps = {"18:00": "0.20"} if prices is None else prices
    grid = GridLimits(
        limit_a=tuple(limit_a),
        voltage_v=230,
        prices=tuple(PriceStep(start=at(t), eur_per_kwh=Decimal(p)) for t, p in steps.items()),
        base_load_w=tuple(PhaseStep(start=at(t), values=tuple(v)) for t, v in (base_load_w or {}).items()),
        limits=tuple(PhaseStep(start=at(t), values=tuple(v)) for t, v in (limits or {}).items()),
    )
    return PlanningProblem(
        now=at(now),
        grid=grid,
        evses={one.id: one for one in evses},
        cars={one.id: one for one in cars},
        windows=windows,
        slot_min=slot_min,
    )
