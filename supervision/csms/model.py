"""What charging stations say, in words that do not depend on the OCPP version.

Instants are aware UTC; `at` is the station's own time, or None where it could not be read. Readings are exact
integers: thousandths of the base unit (Wh, W, A, V, Percent ...).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
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


@dataclass(frozen=True, slots=True)
class ReadingKind:
    """What is read, in which base unit, where and on which occasion.

    A station says the same few kinds for years: what every message would ask of them is worked out here once.
    `place` is where `measured` keeps such a value, None for what it has no use for; `before` and `after` are
    the JSON around the value in storage.
    """

    measurand: str
    unit: str
    phase: str = ""
    location: str = OUTLET
    context: str = "Sample.Periodic"
    place: int | None = field(init=False, compare=False, repr=False)
    before: str = field(init=False, compare=False, repr=False)
    after: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        others = map(json.dumps, (self.unit, self.phase, self.location, self.context))
        object.__setattr__(self, "place", _place_of(self))
        object.__setattr__(self, "before", f"[{json.dumps(self.measurand)},")
        object.__setattr__(self, "after", f",{','.join(others)}]")


Reading = tuple[ReadingKind, int]  # one sampled value: thousandths of the base unit of its kind


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
    first register only when it carries two readings, because one reading measures nothing. `first_read_at`
    is when the first register was read, None where the station says that it is the one of the start.
    """

    phase: Phase
    rank: int
    at: datetime
    received_at: datetime
    evse_id: int | None = None
    connector_id: int | None = None
    id_token: str | None = None
    first_register_wh: int | None = None
    first_read_at: datetime | None = None
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


class Measured(NamedTuple):
    """What one instant's readings amount to; None for what they do not tell."""

    register_wh: int | None  # imported energy at the outlet
    power_w: int | None  # imported
    currents_a: tuple[float, float, float] | None  # imported, per phase
    soc_percent: float | None  # of the vehicle


def measured(sample: MeterSample) -> Measured:
    """Work out everything in one pass; of two readings of one kind the last counts.

    A total is as told, or the sum of the phases; power not told is current times voltage. A single current
    without phase is that of L1. What no charger delivers is no power: no column takes such a number.
    """
    found: list[int | None] = [None] * _PLACES
    soc: float | None = None
    for kind, milli in sample.readings:
        place = kind.place
        if place is None:
            continue
        if place != _SOC:
            found[place] = milli
        elif soc is None and 0 <= milli <= 100_000:  # noqa: PLR2004 - per cent
            soc = milli / 1000
    energy, currents = _total(found, _ENERGY), _currents_a(found)
    watts = _power_w(found, currents)
    return Measured(
        None if energy is None else round_milli(energy),
        watts if watts is not None and -MOST_W <= watts <= MOST_W else None,
        currents,
        soc,
    )


def register_wh(sample: MeterSample) -> int | None:
    """Imported energy at the outlet in Wh."""
    return measured(sample).register_wh


def in_order(samples: Sequence[MeterSample]) -> list[MeterSample]:
    """Sort by the station's times; as they came when one of them has none."""
    timed = [(sample.at, sample) for sample in samples if sample.at is not None]
    if len(timed) < len(samples):
        return list(samples)
    return [sample for _, sample in sorted(timed, key=lambda entry: entry[0])]


def is_of_start(sample: MeterSample) -> bool:
    """Tell whether a sample says of itself that it was taken when the charging transaction began."""
    return any(kind.context == "Transaction.Begin" for kind, _ in sample.readings)


# Places of the values in `measured`: for each measurand the total, then L1 to L3; "L1-N" counts as "L1".
_ENERGY, _POWER, _CURRENT, _VOLTAGE, _SOC = range(0, 20, 4)
_PLACES = _SOC
_PLACE_OF = {
    (measurand, phase): first + offset
    for measurand, first in (
        (ENERGY_REGISTER, _ENERGY),
        (POWER_IMPORT, _POWER),
        (CURRENT_IMPORT, _CURRENT),
        (VOLTAGE, _VOLTAGE),
    )
    for offset, phase in enumerate(("", *PHASES))
}


def _place_of(kind: ReadingKind) -> int | None:
    if kind.measurand == STATE_OF_CHARGE:
        return _SOC
    if kind.location != OUTLET:
        return None
    return _PLACE_OF.get((kind.measurand, kind.phase.removesuffix("-N")))


def _total(found: Sequence[int | None], first: int) -> int | None:
    told = found[first]
    if told is not None:
        return told
    parts = [part for part in found[first + 1 : first + 4] if part is not None]
    return sum(parts) if parts else None


def _currents_a(found: Sequence[int | None]) -> tuple[float, float, float] | None:
    whole, one, two, three = found[_CURRENT:_VOLTAGE]
    if one is None and two is None and three is None:
        return None if whole is None else (whole / 1000, 0.0, 0.0)
    return ((one or 0) / 1000, (two or 0) / 1000, (three or 0) / 1000)


def _power_w(found: Sequence[int | None], currents: tuple[float, float, float] | None) -> int | None:
    milli = _total(found, _POWER)
    if milli is not None:
        return round_milli(milli)
    if currents is None:
        return None
    same, *told = found[_VOLTAGE : _VOLTAGE + 4]
    volts = [(_usual(same) if volt is None else volt) / 1000 for volt in told]
    return round(sum(current * volt for current, volt in zip(currents, volts, strict=True)))


def _usual(volt_milli: int | None) -> int:
    return 230_000 if volt_milli is None else volt_milli


def round_milli(value_milli: int) -> int:
    """Thousandths to whole units, halves upwards."""
    return (value_milli + 500) // 1000
