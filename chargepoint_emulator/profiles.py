"""Charging profiles: installing, clearing, and the limit they make together. Pure, for 1.6 and 2.0.1.

The rules (OCPP 1.6 §3.13, OCPP 2.0.1 K): within a purpose the profile of the highest stack level that
covers the instant leads, and one that is not valid or past its duration does not hide the one below; a
transaction's own profile replaces the default one; across purposes the lowest limit holds; where nothing
covers the instant there is no limit at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from chargepoint_emulator.battery import VOLTAGE_V

STATION = 0
DEFAULT_PHASES = 3


class Purpose(StrEnum):
    """What a profile is for; the values are OCPP 2.0.1's."""

    STATION_MAX = "ChargingStationMaxProfile"
    EXTERNAL = "ChargingStationExternalConstraints"
    TX_DEFAULT = "TxDefaultProfile"
    TX = "TxProfile"


class Kind(StrEnum):
    """How the schedule is anchored in time."""

    ABSOLUTE = "Absolute"
    RECURRING = "Recurring"
    RELATIVE = "Relative"


class Unit(StrEnum):
    """Amperes per phase, or watts over all phases."""

    AMPERE = "A"
    WATT = "W"


RECURRENCES = {"Daily": timedelta(days=1), "Weekly": timedelta(days=7)}


@dataclass(frozen=True, kw_only=True)
class Period:
    """A limit from ``start_s`` seconds after the start of the schedule, until the next period."""

    start_s: int
    limit: float
    phases: int | None = None


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One charging profile; ``evse_id`` 0 is the whole station, ``tx_key`` the transaction served."""

    profile_id: int
    evse_id: int
    stack_level: int
    purpose: Purpose
    kind: Kind
    unit: Unit
    periods: tuple[Period, ...]
    start_at: datetime | None = None
    duration_s: int | None = None
    recurrence: timedelta | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    tx_key: str | None = None
    wire: Mapping[str, Any] = field(default_factory=dict, compare=False)


Profiles = tuple[Profile, ...]


@dataclass(frozen=True, kw_only=True)
class Running:
    """The charging transaction a limit is asked for: its key and when it began."""

    tx_key: str
    started_at: datetime


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a station announces and enforces about profiles."""

    max_stack_level: int = 10
    max_periods: int = 24
    units: frozenset[Unit] = frozenset(Unit)
    max_installed: int = 20
    purposes: frozenset[Purpose] = frozenset({Purpose.STATION_MAX, Purpose.TX_DEFAULT, Purpose.TX})


def refusal(profile: Profile, capabilities: Capabilities) -> str | None:
    """Return why a station refuses this profile by itself, or None (OCPP 2.0.1 K01 names most of these)."""
    return next((reason for reason, broken in _RULES.items() if broken(profile, capabilities)), None)


_RULES: dict[str, Callable[[Profile, Capabilities], bool]] = {
    "PurposeNotSupported": lambda p, c: p.purpose not in c.purposes,
    "StackLevelTooHigh": lambda p, c: not 0 <= p.stack_level <= c.max_stack_level,
    "TooManyPeriods": lambda p, c: len(p.periods) > c.max_periods,
    "UnitNotSupported": lambda p, c: p.unit not in c.units,
    "FirstPeriodNotZero": lambda p, _: not p.periods or p.periods[0].start_s != 0,
    "PeriodsNotIncreasing": lambda p, _: any(
        later.start_s <= earlier.start_s for earlier, later in zip(p.periods, p.periods[1:], strict=False)
    ),
    "NegativeLimit": lambda p, _: any(period.limit < 0 for period in p.periods),
    "NoStartSchedule": lambda p, _: p.kind is not Kind.RELATIVE and p.start_at is None,
    "NoRecurrencyKind": lambda p, _: p.kind is Kind.RECURRING and p.recurrence is None,
    "StationMaxRelative": lambda p, _: p.purpose is Purpose.STATION_MAX and p.kind is Kind.RELATIVE,
    "StationMaxOnEvse": lambda p, _: p.purpose is Purpose.STATION_MAX and p.evse_id != STATION,
    "TxProfileOnStation": lambda p, _: p.purpose is Purpose.TX and p.evse_id == STATION,
}


def slot(profile: Profile) -> tuple[Purpose, int, int]:
    """Return the place a profile takes: in 1.6 only one profile stands in it."""
    return profile.purpose, profile.stack_level, profile.evse_id


def install(profiles: Profiles, new: Profile, *, by_slot: bool) -> Profiles:
    """Return the profiles after installing ``new``, which replaces the one of the same id.

    With ``by_slot`` (1.6) it also replaces the one of the same purpose, level and EVSE; in 2.0.1 such a one
    may stand beside it for another time (:func:`overlaps`).
    """
    return (
        *(
            old
            for old in profiles
            if old.profile_id != new.profile_id and not (by_slot and slot(old) == slot(new))
        ),
        new,
    )


def overlaps(new: Profile, old: Profile) -> bool:
    """Tell whether two profiles take the same place at the same time (2.0.1 K01.FR.06)."""
    if slot(new) != slot(old) or new.profile_id == old.profile_id:
        return False
    starts_before_end = new.valid_from is None or old.valid_to is None or new.valid_from < old.valid_to
    ends_after_start = new.valid_to is None or old.valid_from is None or old.valid_from < new.valid_to
    return starts_before_end and ends_after_start


def matches(
    profile: Profile,
    *,
    profile_ids: Iterable[int] | None = None,
    evse_id: int | None = None,
    purpose: Purpose | None = None,
    stack_level: int | None = None,
) -> bool:
    """Tell whether every criterion given holds; no criterion matches everything."""
    return (
        (profile_ids is None or profile.profile_id in tuple(profile_ids))
        and (evse_id is None or profile.evse_id == evse_id)
        and (purpose is None or profile.purpose is purpose)
        and (stack_level is None or profile.stack_level == stack_level)
    )


def active_period(profile: Profile, at: datetime, running: Running | None) -> Period | None:
    """Return the period of ``profile`` that covers ``at``, if any."""
    if (profile.valid_from and at < profile.valid_from) or (profile.valid_to and at >= profile.valid_to):
        return None
    start = _start(profile, at, running)
    if start is None or at < start:
        return None
    elapsed_s = (at - start).total_seconds()
    if profile.duration_s is not None and elapsed_s >= profile.duration_s:
        return None
    return next((p for p in reversed(profile.periods) if p.start_s <= elapsed_s), None)


def _start(profile: Profile, at: datetime, running: Running | None) -> datetime | None:
    if profile.kind is Kind.RELATIVE:
        return running.started_at if running else at
    if profile.kind is Kind.ABSOLUTE or profile.start_at is None or profile.recurrence is None:
        return profile.start_at
    return profile.start_at + max(0, (at - profile.start_at) // profile.recurrence) * profile.recurrence


def leading(
    profiles: Profiles, *, purpose: Purpose, evse_id: int, at: datetime, running: Running | None
) -> tuple[Profile, Period] | None:
    """Return the profile of one purpose that leads for an EVSE at an instant, with its period.

    The highest stack level wins; on the same level a default for the EVSE itself overrides one for all EVSEs,
    which stands for one on each of them.
    """
    found = [
        (profile, period)
        for profile in profiles
        if _applies(profile, purpose=purpose, evse_id=evse_id, running=running)
        and (period := active_period(profile, at, running)) is not None
    ]
    return max(found, key=lambda pair: (pair[0].stack_level, pair[0].evse_id != STATION), default=None)


def _applies(profile: Profile, *, purpose: Purpose, evse_id: int, running: Running | None) -> bool:
    if profile.purpose is not purpose or profile.evse_id not in {STATION, evse_id}:
        return False
    return purpose is not Purpose.TX or (running is not None and profile.tx_key == running.tx_key)


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A limit in amperes per phase, infinite when nothing limits, and the phases it was written for."""

    amps: float
    phases: int


def evse_limit(
    profiles: Profiles, *, evse_id: int, phases: int, at: datetime, running: Running | None
) -> Limit:
    """Return the limit of an EVSE's own profiles (transaction, else default)."""
    for purpose in (Purpose.TX, Purpose.TX_DEFAULT):
        pair = leading(profiles, purpose=purpose, evse_id=evse_id, at=at, running=running)
        if pair:
            return _limit(*pair, phases)
    return Limit(amps=math.inf, phases=phases)


def station_limit(profiles: Profiles, *, phases: int, at: datetime) -> Limit:
    """Return the cap shared by all EVSEs of the station."""
    pair = leading(profiles, purpose=Purpose.STATION_MAX, evse_id=STATION, at=at, running=None)
    return _limit(*pair, phases) if pair else Limit(amps=math.inf, phases=phases)


def _limit(profile: Profile, period: Period, phases: int) -> Limit:
    used = min(period.phases or DEFAULT_PHASES, phases)
    amps = period.limit if profile.unit is Unit.AMPERE else period.limit / (VOLTAGE_V * used)
    return Limit(amps=amps, phases=used)


def lowest(*limits: Limit) -> Limit:
    """Return what holds when several limits do: the least current and the fewest phases."""
    return Limit(amps=min(one.amps for one in limits), phases=min(one.phases for one in limits))


def edges(
    profiles: Profiles,
    *,
    after: datetime,
    until: datetime,
    running: Mapping[str, Running],
    fresh_at: datetime,
) -> list[datetime]:
    """Return the instants in (after, until] at which some limit may change, sorted.

    ``running`` maps transaction keys to transactions; a relative profile without one counts from
    ``fresh_at``.
    """
    found = {
        instant
        for profile in profiles
        for instant in _instants(profile, after=after, until=until, running=running, fresh_at=fresh_at)
        if after < instant <= until
    }
    return sorted(found)


def _instants(
    profile: Profile, *, after: datetime, until: datetime, running: Mapping[str, Running], fresh_at: datetime
) -> Iterator[datetime]:
    yield from (bound for bound in (profile.valid_from, profile.valid_to) if bound)
    for start in _starts(profile, after=after, until=until, running=running, fresh_at=fresh_at):
        yield from (start + timedelta(seconds=period.start_s) for period in profile.periods)
        if profile.duration_s is not None:
            yield start + timedelta(seconds=profile.duration_s)


def _starts(
    profile: Profile, *, after: datetime, until: datetime, running: Mapping[str, Running], fresh_at: datetime
) -> Iterator[datetime]:
    if profile.kind is Kind.RELATIVE:
        yield fresh_at
        yield from (one.started_at for one in running.values())
    elif profile.start_at is not None and profile.recurrence is None:
        yield profile.start_at
    elif profile.start_at is not None and profile.recurrence is not None:
        first = max(0, (after - profile.start_at) // profile.recurrence)
        last = max(0, (until - profile.start_at) // profile.recurrence)
        yield from (profile.start_at + count * profile.recurrence for count in range(first, last + 1))


def composite(
    limit_at: Callable[[datetime], Limit],
    *,
    start: datetime,
    duration_s: int,
    edges_at: Iterable[datetime],
    unit: Unit,
) -> tuple[Period, ...]:
    """Return a limit as a schedule over a duration, in ``unit``, without two equal neighbours.

    ``limit_at`` must be finite: the caller puts the hardware in as a limit.
    """
    end = start + timedelta(seconds=duration_s)
    found: list[Period] = []
    for instant in (start, *(edge for edge in edges_at if start < edge < end)):
        period = _period(limit_at(instant), int((instant - start).total_seconds()), unit)
        if not found or (found[-1].limit, found[-1].phases) != (period.limit, period.phases):
            found.append(period)
    return tuple(found)


def _period(limit: Limit, start_s: int, unit: Unit) -> Period:
    factor = 1.0 if unit is Unit.AMPERE else VOLTAGE_V * limit.phases
    return Period(start_s=start_s, limit=floor_tenth(limit.amps * factor), phases=limit.phases)


def floor_tenth(value: float) -> float:
    """Round down to the one decimal OCPP carries, never up past a limit."""
    return math.floor(value * 10 + 1e-6) / 10


def share_out(*, cap_a: float, wanted_a: Mapping[int, float], min_a: float) -> dict[int, float]:
    """Divide a station's cap among its EVSEs: equal parts, unused parts passed on.

    ``wanted_a`` is what each EVSE may take by itself, oldest transaction first; when the parts would fall
    below ``min_a`` the newest wait with nothing.
    """
    served = [evse_id for evse_id, amps in wanted_a.items() if amps >= min_a]
    while served and cap_a / len(served) < min_a:
        served.pop()
    offers = dict.fromkeys(wanted_a, 0.0)
    left_a = cap_a
    for position, evse_id in enumerate(sorted(served, key=lambda one: wanted_a[one])):
        offers[evse_id] = min(wanted_a[evse_id], left_a / (len(served) - position))
        left_a -= offers[evse_id]
    return offers
