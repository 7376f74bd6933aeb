"""What charging stations say, in words that do not depend on the OCPP version.

Instants are aware UTC; `at` is the station's own time, or None where it could not be read. Readings are exact
integers: thousandths of the base unit (Wh, W, A, V, Percent ...).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

ENERGY_REGISTER = "Energy.Active.Import.Register"
POWER_IMPORT = "Power.Active.Import"
CURRENT_IMPORT = "Current.Import"
VOLTAGE = "Voltage"
STATE_OF_CHARGE = "SoC"
OUTLET = "Outlet"
PHASES = ("L1", "L2", "L3")
MOST_W = 10_000_000

EARLIEST = datetime.fromisoformat("2015-01-01T00:00:00+00:00")
CLOCK_TOLERANCE = timedelta(minutes=5)


class ConnectorStatus(StrEnum):
    """State of an EVSE; 1.6 tells the phases of a charge, 2.0.1 only says Occupied."""

    UNKNOWN = "Unknown"
    AVAILABLE = "Available"
    PREPARING = "Preparing"
    CHARGING = "Charging"
    SUSPENDED_EVSE = "SuspendedEVSE"
    SUSPENDED_EV = "SuspendedEV"
    FINISHING = "Finishing"
    OCCUPIED = "Occupied"
    RESERVED = "Reserved"
    UNAVAILABLE = "Unavailable"
    FAULTED = "Faulted"


class IdTokenStatus(StrEnum):
    """Answer to a badge; the words are those of both versions."""

    ACCEPTED = "Accepted"
    BLOCKED = "Blocked"
    EXPIRED = "Expired"
    INVALID = "Invalid"
    CONCURRENT_TX = "ConcurrentTx"


class Phase(StrEnum):
    """Which part of its life a charging transaction reports."""

    STARTED = "Started"
    UPDATED = "Updated"
    ENDED = "Ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdTokenDecision:
    """What we know about a badge at this moment.

    `parent` is OCPP's group (1.6 parentIdTag); `many_at_once` lets a technician charge several cars with one
    badge, where a second charge is otherwise answered ConcurrentTx.
    """

    status: IdTokenStatus
    parent: str | None = None
    expires_at: datetime | None = None
    person_id: str | None = None
    booking_id: str | None = None
    vehicle_id: str | None = None
    many_at_once: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """A station says what it is."""

    vendor: str
    model: str
    serial: str | None = None
    firmware: str | None = None
    reason: str | None = None

    def facts(self) -> dict[str, str]:
        """The fields that are known, for storage."""
        named = {
            "vendor": self.vendor,
            "model": self.model,
            "serial": self.serial,
            "firmware": self.firmware,
            "reason": self.reason,
        }
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """A connector changed its state; EVSE 0 is the whole station."""

    evse_id: int
    connector_id: int
    status: ConnectorStatus
    error_code: str | None
    at: datetime | None


class ReadingKind(NamedTuple):
    """What is read, in which base unit, where and on which occasion."""

    measurand: str
    unit: str
    phase: str = ""
    location: str = OUTLET
    context: str = "Sample.Periodic"


class Reading(NamedTuple):
    """One sampled value: thousandths of the base unit of its kind."""

    kind: ReadingKind
    value_milli: int


class SignedValue(NamedTuple):
    """What a meter signed (OCMF and the like): text to be kept as it is, never a number."""

    data: str
    context: str
    encoding: str | None = None
    public_key: str | None = None


class MeterSample(NamedTuple):
    """What a meter said at one instant."""

    at: datetime | None
    readings: tuple[Reading, ...]
    signed: tuple[SignedValue, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReport:
    """MeterValues outside (2.0.1) or inside (1.6) a charging transaction."""

    evse_id: int
    ocpp_transaction_id: str | None
    samples: tuple[MeterSample, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionFact:
    """One statement of a station about one charging transaction.

    `rank` orders the statements of one charging transaction whatever the order of arrival: the seqNo in
    2.0.1; in 1.6 0 for the start and the milliseconds of a meter value; the end is always `RANK_OF_STOP`. The
    registers are Wh of Energy.Active.Import.Register at the outlet, None means not told; an end tells a
    first register only when it carries two readings, because one reading measures nothing.
    """

    phase: Phase
    rank: int
    at: datetime
    received_at: datetime
    evse_id: int | None = None
    connector_id: int | None = None
    id_token: str | None = None
    first_register_wh: int | None = None
    last_register_wh: int | None = None
    charging_state: str | None = None
    stop_reason: str | None = None
    offline: bool = False


RANK_OF_STOP = 2**62


class Ground(StrEnum):
    """Why the central system takes a charging transaction for ended though no end was told."""

    SUPERSEDED = "superseded"  # the next charge began at the same EVSE
    IDLE = "idle"  # the EVSE has been free again for a while
    NEVER_STARTED = "never_started"  # the same, and no energy ever flowed
    GONE = "gone"  # the station has been away for days
    BY_HAND = "by_hand"  # a person closed it


@dataclass(frozen=True, slots=True, kw_only=True)
class PresumedEnd:
    """An end nobody told: `at` is the station's time of the last thing heard of the charge."""

    ground: Ground
    at: datetime


class SettledHow(StrEnum):
    """How a person settled what the machine may not decide."""

    ACCEPTED = "accepted"  # the energy proposed
    ENTERED = "entered"  # another energy, with a reason
    NONE = "none"  # no energy is counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The energy in Wh a person decided on; None when none is counted."""

    how: SettledHow
    energy_wh: int | None


Decision = PresumedEnd | Settlement
"""What was decided here about a charging transaction, beside what its station told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionEvent:
    """A 2.0.1 TransactionEvent: the fact, its key, and the samples it carries."""

    ocpp_transaction_id: str
    fact: TransactionFact
    token_type: str | None
    samples: tuple[MeterSample, ...] = field(default=())


def trusted_time(at: datetime | None, received_at: datetime) -> datetime:
    """The station's time unless it cannot be: missing, before the product existed, or in the future.

    Old times are believed: a station that was offline tells what happened then.
    """
    if at is None or at < EARLIEST or at > received_at + CLOCK_TOLERANCE:
        return received_at
    return at


def register_wh(sample: MeterSample) -> int | None:
    """Imported energy at the outlet in Wh; per-phase registers are summed when no total is given."""
    milli = _total(sample, ENERGY_REGISTER)
    return None if milli is None else round_milli(milli)


def power_w(sample: MeterSample) -> int | None:
    """Imported power in W: as told, or the sum of the phases, or current times voltage.

    None as well for what no charger delivers: such a number is no power, and no column takes it.
    """
    watts = _power_w(sample)
    return watts if watts is not None and abs(watts) <= MOST_W else None


def _power_w(sample: MeterSample) -> int | None:
    milli = _total(sample, POWER_IMPORT)
    if milli is not None:
        return round_milli(milli)
    currents = currents_a(sample)
    if currents is None:
        return None
    voltages = _by_phase(sample, VOLTAGE)
    volts = [voltages.get(phase, voltages.get("", 230_000)) / 1000 for phase in PHASES]
    return round(sum(current * volt for current, volt in zip(currents, volts, strict=True)))


def currents_a(sample: MeterSample) -> tuple[float, float, float] | None:
    """Imported current per phase in A; a single value without phase is that of L1."""
    by_phase = _by_phase(sample, CURRENT_IMPORT)
    if not by_phase:
        return None
    if not any(phase in by_phase for phase in PHASES):
        return (by_phase.get("", 0) / 1000, 0.0, 0.0)
    first, second, third = (by_phase.get(phase, 0) / 1000 for phase in PHASES)
    return (first, second, third)


def soc_percent(sample: MeterSample) -> float | None:
    """State of charge of the vehicle, where the station is told it."""
    for kind, milli in sample.readings:
        if kind.measurand == STATE_OF_CHARGE and 0 <= milli <= 100_000:  # noqa: PLR2004
            return milli / 1000
    return None


def round_milli(value_milli: int) -> int:
    """Thousandths to whole units, halves upwards."""
    return (value_milli + 500) // 1000


def _by_phase(sample: MeterSample, measurand: str) -> dict[str, int]:
    """Readings at the outlet by phase; "L1-N" counts as "L1"."""
    found: dict[str, int] = {}
    for kind, milli in sample.readings:
        if kind.measurand == measurand and kind.location == OUTLET:
            found[kind.phase.removesuffix("-N")] = milli
    return found


def _total(sample: MeterSample, measurand: str) -> int | None:
    by_phase = _by_phase(sample, measurand)
    if "" in by_phase:
        return by_phase[""]
    parts = [by_phase[phase] for phase in PHASES if phase in by_phase]
    return sum(parts) if parts else None
