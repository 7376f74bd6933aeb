"""A stored charging plan as the pages draw and explain it. Pure.

The plan's document is that of the API: windows with periods and reasons, and beside it the needs in the same
order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from supervision.kernel.timespan import Timespan, parse_instant
from supervision.web.timeline import PowerStep

Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class PlannedPeriod:
    """Constant current at one EVSE."""

    span: Timespan
    current_a: float
    power_w: int

    @property
    def step(self) -> PowerStep:
        """The period as it is drawn."""
        return PowerStep(span=self.span, power_w=self.power_w)

    @property
    def energy_wh(self) -> int:
        """Energy from the grid."""
        return round(self.power_w * self.span.seconds / 3600)


@dataclass(frozen=True, kw_only=True)
class PlannedWindow:
    """One window of the plan with the need behind it; `index` counts within the plan."""

    index: int
    car: str
    evse: str
    periods: tuple[PlannedPeriod, ...]
    delivered_wh: int
    shortfall_wh: int
    reason: str
    reason_params: Mapping[str, object]
    need: Document

    @property
    def booking_start(self) -> datetime | None:
        """Departure the energy is for; None when it is for nobody in particular."""
        text = self.need.get("booking_start")
        return None if text is None else parse_instant(text)

    @property
    def stretches(self) -> list[Sequence[PlannedPeriod]]:
        """Periods that follow each other without a pause, together."""
        groups: list[list[PlannedPeriod]] = []
        for period in self.periods:
            if groups and groups[-1][-1].span.end == period.span.start:
                groups[-1].append(period)
            else:
                groups.append([period])
        return list(groups)


@dataclass(frozen=True, kw_only=True)
class StoredPlan:
    """The plan in force at a station."""

    id: int
    made_at: datetime
    solver: str
    windows: tuple[PlannedWindow, ...]

    def of_car(self, vehicle_id: str) -> list[PlannedWindow]:
        """The windows of one car, in time order."""
        return [window for window in self.windows if window.car == vehicle_id]

    def periods(self) -> list[PlannedPeriod]:
        """Every period of the plan."""
        return [period for window in self.windows for period in window.periods]

    def limit_a(self, evse: str, now: datetime) -> float | None:
        """Current planned at an EVSE now; None when the plan does not speak of it."""
        mine = [window for window in self.windows if window.evse == evse]
        if not mine:
            return None
        periods = (period for window in mine for period in window.periods)
        return next((period.current_a for period in periods if period.span.contains(now)), 0.0)


def plan_from(row: Mapping[str, Any]) -> StoredPlan:
    """Read a row of charging plans."""
    needs: Sequence[Document] = row["needs"]
    windows = row["plan"]["windows"]
    return StoredPlan(
        id=row["id"],
        made_at=row["made_at"],
        solver=row["solver"],
        windows=tuple(
            _window(index, window, need)
            for index, (window, need) in enumerate(zip(windows, needs, strict=True))
        ),
    )


def _window(index: int, window: Document, need: Document) -> PlannedWindow:
    periods = tuple(_period(period) for period in window["periods"] if period["watts"] > 0)
    return PlannedWindow(
        index=index,
        car=window["car"],
        evse=window["evse"],
        periods=periods,
        delivered_wh=window["delivered_wh"],
        shortfall_wh=window["shortfall_wh"],
        reason=window.get("reason_code", ""),
        reason_params=window.get("reason_params", {}),
        need=need,
    )


def _period(period: Document) -> PlannedPeriod:
    return PlannedPeriod(
        span=Timespan(parse_instant(period["from"]), parse_instant(period["to"])),
        current_a=period["amps"],
        power_w=period["watts"],
    )
