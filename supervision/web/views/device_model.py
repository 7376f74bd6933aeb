"""What the pages about a charging station as a machine show: notices, errands, files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class NoticeLine:
    """Something the station told about itself."""

    at: datetime
    name: str
    facts: str
    alarming: bool
    cleared: bool
    evse_id: int | None


@dataclass(frozen=True, kw_only=True)
class ErrandLine:
    """Something the station is or was busy with; `href` leads to its report, empty without one."""

    kind: str
    state: str
    word: str
    begun_at: datetime
    told_at: datetime
    href: str
    charging_station: str = ""


@dataclass(frozen=True, kw_only=True)
class HoldLine:
    """An EVSE held for a badge."""

    evse_id: int
    token_hint: str
    state: str
    until: datetime | None


@dataclass(frozen=True, kw_only=True)
class LimitLine:
    """A limit somebody else has set."""

    evse_id: int
    source: str
    facts: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class FileLine:
    """A firmware or an uploaded log; `href` is empty while its bytes are still to come."""

    id: str
    kind: str
    name: str
    facts: str
    size_bytes: int | None
    at: datetime
    href: str


@dataclass(frozen=True, kw_only=True)
class MachineView:
    """One charging station as a machine."""

    identity: str
    ocpp: str
    notices: tuple[NoticeLine, ...]
    errands: tuple[ErrandLine, ...]
    holds: tuple[HoldLine, ...]
    limits: tuple[LimitLine, ...]
    files: tuple[FileLine, ...]
    commands: bool  # whether the viewer may send any
    now: datetime


@dataclass(frozen=True, kw_only=True)
class ReportView:
    """One report, its pages put together; `rows` hold what it is about and what it says."""

    identity: str
    errand: ErrandLine
    rows: tuple[tuple[str, str], ...]
    pages: int
    now: datetime


@dataclass(frozen=True, kw_only=True)
class FirmwareView:
    """Firmware, who can be sent for it, and how far everybody is. `stations` are (identity, what it is)."""

    organisations: Mapping[str, str]
    files: tuple[FileLine, ...]
    stations: tuple[tuple[str, str], ...]
    errands: tuple[ErrandLine, ...]
    sent: tuple[tuple[str, str], ...]
    now: datetime
