"""What the supervision page shows (C9): plain values, times on the community's clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from supervision.web.timeline import Axis, Lane, SitePower

Severity = Literal["high", "medium", "low"]
VehicleCondition = Literal[
    "charging", "waiting", "plugged", "out", "late", "free", "unplugged", "unreachable", "faulted"
]


@dataclass(frozen=True, kw_only=True)
class StatusStrip:
    """The figures of the first line, over every station the viewer may see."""

    power_w: int
    limit_w: int
    stations: int
    charging: int
    out: int
    late: int
    departures: int
    at_risk: int
    faulted: int
    offline: int
    revenue_today_cents: int

    @property
    def load_percent(self) -> float:
        """Power now against the sum of the limits."""
        return load_percent(self.power_w, self.limit_w)


@dataclass(frozen=True, kw_only=True)
class VehicleState:
    """One word about the car, and the figure that goes with it."""

    kind: VehicleCondition
    power_w: int = 0
    until: datetime | None = None
    late: timedelta | None = None
    who: str = ""


@dataclass(frozen=True, kw_only=True)
class VehicleRow:
    """One car: its name, its state, its lane of the timeline."""

    id: str
    name: str
    plate: str
    soc_percent: float | None
    soc_estimated: bool
    state: VehicleState
    lane: Lane


@dataclass(frozen=True, kw_only=True)
class StationCard:
    """One car-sharing place with its cars and its grid connection."""

    id: str
    name: str
    power: SitePower
    power_w: int
    rows: tuple[VehicleRow, ...]
    wide: Axis
    narrow: Axis
    online: int
    charging_stations: int
    faulted: int

    @property
    def load_percent(self) -> float:
        """Power now against the limit."""
        return load_percent(self.power_w, self.power.limit_w)

    @property
    def anchor(self) -> str:
        """The id as part of an element's id, safe in selectors whatever the operator chose."""
        return "".join(
            letter if letter.isascii() and letter.isalnum() else f"_{ord(letter):x}_" for letter in self.id
        )

    @property
    def headroom_w(self) -> int:
        """What may still be drawn; negative above the limit."""
        return self.power.limit_w - self.power_w


@dataclass(frozen=True, kw_only=True)
class AlertAction:
    """What the manager can do at once; `label` is a code of `Words.action`."""

    label: str
    href: str
    params: Mapping[str, object] = field(default_factory=dict)
    primary: bool = False


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One line per cause; `code` and `params` make the sentences (`Words.alert`)."""

    id: str
    severity: Severity
    code: str
    params: Mapping[str, object]
    station: str
    since: datetime | None
    actions: tuple[AlertAction, ...] = ()
    taken_by: str = ""
    organisation: str = ""

    @property
    def can_be_closed(self) -> bool:
        """Tell whether a person ends it, because no event will."""
        return bool(self.organisation) and self.code in {"problem", "undelivered", "disobeys"}

    @property
    def can_be_taken(self) -> bool:
        """Tell whether somebody may still say "I take care"; the plan's own warnings are nobody's."""
        return bool(self.organisation) and not self.taken_by


@dataclass(frozen=True, kw_only=True)
class Why:
    """Every number that made a charging window: a plan whose basis is hidden is not believed."""

    key: str
    vehicle: str
    station: str
    start: datetime
    end: datetime
    departure_at: datetime | None
    trip_km: int | None
    trip_estimated: bool
    goal: str
    wanted_wh: int | None
    wanted_percent: float | None
    battery_wh: int | None
    battery_percent: float | None
    margin_wh: int | None
    need_wh: int
    delivered_wh: int
    shortfall_wh: int
    power_w: int
    ready_at: datetime | None
    spare: timedelta | None
    reason: str
    reason_params: Mapping[str, object]
    profile: Literal["confirmed", "sent", "refused", "none"]
    profile_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class SupervisionView:
    """The whole page; `seq` grows with each change a live page has seen."""

    strip: StatusStrip
    stations: tuple[StationCard, ...]
    alerts: tuple[Alert, ...]
    why: Why | None
    now: datetime


def load_percent(power_w: int, limit_w: int) -> float:
    """Share of a limit, 0 to 100 and never beyond: a meter drawn from it stays inside its frame."""
    return min(100.0, max(0.0, 100 * power_w / limit_w)) if limit_w else 0.0
