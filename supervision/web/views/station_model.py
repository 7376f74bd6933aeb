"""What the station and charging station pages show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from supervision.web.views.command_model import CommandOutcome
from supervision.web.views.supervision_model import StationCard


@dataclass(frozen=True, kw_only=True)
class EvseState:
    """One charging point: what it says, what it gives, what it may give."""

    id: int
    kind: str
    status: str
    error: str
    since: datetime | None
    power_w: int
    limit_a: float | None
    max_a: int
    energy_wh: int | None
    id_token: str
    vehicle: str
    charging_transaction: str
    remedy: str = ""  # csms.hanging: what to try next where it hangs


@dataclass(frozen=True, kw_only=True)
class LocalListBadge:
    """How far the list of badges is that the device keeps for times without a connection."""

    state: str
    entries: int
    version: int
    changed_at: datetime


@dataclass(frozen=True, kw_only=True)
class ChargingStationState:
    """One OCPP device."""

    identity: str
    connected: bool
    ocpp: str
    vendor: str
    model: str
    firmware: str
    seen_at: datetime | None
    evses: tuple[EvseState, ...]
    deviations: int
    local_list: LocalListBadge | None = None


@dataclass(frozen=True, kw_only=True)
class ChargingStationsView:
    """Every device the viewer may see, by station."""

    groups: tuple[tuple[str, str, tuple[ChargingStationState, ...]], ...]
    now: datetime
    may_adopt: bool = False


@dataclass(frozen=True, kw_only=True)
class Stranger:
    """A charging station that knocked and is not registered; `address` is empty where it may not be seen."""

    identity: str
    address: str
    first_seen_at: datetime
    last_seen_at: datetime
    attempts: int
    offered: tuple[str, ...]
    sent_password: bool


@dataclass(frozen=True, kw_only=True)
class NewPassword:
    """What is shown once after an adoption."""

    identity: str
    password: str


@dataclass(frozen=True, kw_only=True)
class StrangersView:
    """The unknown stations the viewer may adopt, and where to: (id, name) of car-sharing stations."""

    strangers: tuple[Stranger, ...]
    places: tuple[tuple[str, str], ...]
    kinds: tuple[tuple[str, str], ...]
    sought: str
    adopted: NewPassword | None
    now: datetime


@dataclass(frozen=True, kw_only=True)
class ConfigurationView:
    """The page of one device's settings."""

    report: ConfigurationReport
    connected: bool
    policy: str
    registration: str
    now: datetime


@dataclass(frozen=True, kw_only=True)
class WishLine:
    """A setting wished for; `value` None leaves it as it is, empty scopes mean any."""

    id: int
    ocpp: str
    name: str
    value: str | None
    reason: str
    kind: str
    charging_station: str


@dataclass(frozen=True, kw_only=True)
class WishesView:
    """What is wished for, and the devices that are not so."""

    wishes: tuple[WishLine, ...]
    drifting: tuple[ConfigurationReport, ...]
    may_edit: bool
    organisations: tuple[tuple[str, str], ...]  # (id, name) of those whose wishes the viewer may edit
    now: datetime


@dataclass(frozen=True, kw_only=True)
class ProbeView:
    """What a probe found of one device, and what is known of its kind; (code, word) each."""

    identity: str
    kind: str
    connected: bool
    state: str
    step: str
    found: tuple[tuple[str, str], ...]
    known: tuple[tuple[str, str], ...]
    learnt_at: datetime | None
    learnt_from: str
    now: datetime


@dataclass(frozen=True, kw_only=True)
class PlanLine:
    """One planned stretch of a car."""

    vehicle: str
    start: datetime
    end: datetime
    power_w: int
    amps: float
    energy_wh: int
    reason: str
    reason_params: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class StationView:
    """One car-sharing place."""

    card: StationCard
    charging_stations: tuple[ChargingStationState, ...]
    plan: tuple[PlanLine, ...]
    planned_at: datetime | None
    solver: str
    limit_a: tuple[float, ...]
    voltage_v: int
    now: datetime


@dataclass(frozen=True, kw_only=True)
class FrameLine:
    """One OCPP message in readable form; `raw` keeps what stood on the wire, secrets masked."""

    id: int
    at: datetime
    direction: Literal["in", "out"]
    kind: Literal["call", "result", "error", "other"]
    action: str
    summary: str
    raw: str


@dataclass(frozen=True, kw_only=True)
class CertificateLine:
    """A certificate the station asked for; `reason` is a code."""

    id: int
    state: str
    reason: str
    serial: str
    ends_at: datetime | None
    requested_at: datetime


@dataclass(frozen=True, kw_only=True)
class RootLine:
    """A root certificate the station has told of; `name` is what the form sends back."""

    kind: str
    serial: str
    ours: bool
    name: str


@dataclass(frozen=True, kw_only=True)
class SecurityView:
    """How the connection is protected. Public halves only."""

    profile: int
    wanted_profile: int | None
    password_set: bool
    password_on_its_way: bool
    certificates: tuple[CertificateLine, ...]
    roots: tuple[RootLine, ...]
    roots_at: datetime | None
    higher_profiles: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class RelayState:
    """A second backend and how it stands; `owner` and `error` are codes."""

    url: str
    identity: str
    password_set: bool
    owner: str
    connected_at: datetime | None
    error: str
    error_at: datetime | None
    waiting: int
    delivered: int
    refused: int
    lost: int
    own_answers: int


@dataclass(frozen=True, kw_only=True)
class RelayView:
    """The second backend of a charging station; no `hosts`: the operator of the server allows none."""

    charging_station: str
    hosts: tuple[str, ...]
    state: RelayState | None
    editable: bool


@dataclass(frozen=True, kw_only=True)
class SettingLine:
    """One setting: what is wished for beside what was found."""

    name: str
    wanted: str
    found: str | None
    state: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ConfigurationReport:
    """The settings of one device at the last look."""

    identity: str
    state: str
    checked_at: datetime | None
    lines: tuple[SettingLine, ...]


@dataclass(frozen=True, kw_only=True)
class ChargingStationView:
    """One device with its messages and its commands."""

    station: str
    station_name: str
    state: ChargingStationState
    settings: ConfigurationReport
    frames: tuple[FrameLine, ...]
    actions: tuple[str, ...]
    filter_action: str
    filter_kind: str
    older: str
    outcome: CommandOutcome | None
    commands: tuple[CommandOutcome, ...]
    security: SecurityView
    relay: RelayView
    now: datetime
