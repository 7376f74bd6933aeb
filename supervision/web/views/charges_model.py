"""What the pages about doubtful charges and about badges shown need to know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class ReadingLine:
    """The counter at one instant."""

    at: datetime
    register_wh: int
    power_w: int | None


@dataclass(frozen=True, kw_only=True)
class DecisionLine:
    """What was decided: by the machine (`ground`) or by a person (`how`)."""

    at: datetime
    ground: str
    how: str
    energy_wh: int | None
    person: str
    note: str


@dataclass(frozen=True, kw_only=True)
class DoubtfulCharge:
    """One charge that waits: energies and registers in Wh, None where unknown."""

    id: int
    charging_station: str
    evse_id: int
    station_name: str
    vehicle: str
    id_token: str
    started_at: datetime
    stopped_at: datetime | None
    meter_start_wh: int | None
    meter_stop_wh: int | None
    measured_wh: int | None
    settled: str
    settled_wh: int | None
    reasons: tuple[str, ...]
    ground: str
    proposal_wh: int | None
    basis: str
    readings: tuple[ReadingLine, ...]
    decisions: tuple[DecisionLine, ...]
    may_settle: bool


@dataclass(frozen=True, kw_only=True)
class ReviewView:
    """The list; `more` is the address of what follows."""

    charges: tuple[DoubtfulCharge, ...]
    more: str
    now: datetime


@dataclass(frozen=True, kw_only=True)
class AttemptLine:
    """A badge or code shown; only its last characters are known."""

    at: datetime
    charging_station: str
    evse_id: int | None
    purpose: str
    token: str
    status: str
    person: str
    booking: str


@dataclass(frozen=True, kw_only=True)
class AttemptsView:
    """The log with its filters."""

    attempts: tuple[AttemptLine, ...]
    charging_stations: tuple[str, ...]
    charging_station: str
    status: str
    day: str
    older: str
