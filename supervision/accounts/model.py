"""Who there is: organisations, communities with their rules, people with roles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from supervision.kernel.errors import FieldError


class RoleName(StrEnum):
    """What a person may be; a person has any number of roles."""

    DRIVER = "driver"
    FLEET_MANAGER = "fleet_manager"
    TECHNICIAN = "technician"
    ACCOUNTANT = "accountant"


class Scope(StrEnum):
    """What an API token may do at most; the person's roles limit it further."""

    ADMIN = "admin"
    MANAGER = "manager"
    DRIVER = "driver"


@dataclass(frozen=True, kw_only=True)
class CommunityRules:
    """Every figure of the public service, as data of the community; the defaults are those of the seed.

    Minutes, hours, days as named; `closed` is the local interval in which no booking starts or ends
    (None: never closed). Sources: C20-C25, C28, C38, C44.
    """

    min_duration_min: int = 30
    max_duration_h: int = 72
    horizon_days: int = 90
    max_upcoming: int = 3
    buffer_min: int = 30
    lead_min: int = 5
    grid_min: int = 1  # starts and ends fall on multiples of this many minutes
    closed: tuple[time, time] | None = (time(0, 0), time(5, 0))
    chain_counts_as_one: bool = True  # back-to-back bookings may not defeat the longest duration
    code_release_min: int = 60  # the code is shown and sent this long before the start
    code_early_min: int = 15  # and opens this long before it
    code_late_min: int = 15  # and this long after the end
    no_show_min: int = 60
    return_needs_charge: bool = True  # plugged and charging, or a recorded exception
    driver_charge_anywhere: bool = False  # a driver's badge starts a charge without a booking

    @classmethod
    def from_json(cls, document: Mapping[str, Any], path: str = "rules") -> CommunityRules:
        """Read what differs from the defaults; FieldError names an unknown or impossible figure."""
        known = {item.name: item for item in fields(cls)}
        values: dict[str, Any] = {}
        for name, value in document.items():
            if name not in known:
                raise FieldError(f"{path}.{name}", "unknown rule")
            where = f"{path}.{name}"
            values[name] = _closed(value, where) if name == "closed" else _figure(value, name, where)
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Write every figure."""
        document: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        if self.closed is not None:
            document["closed"] = [moment.strftime("%H:%M") for moment in self.closed]
        return document


_BOUNDS: dict[str, tuple[int, int]] = {
    "min_duration_min": (1, 24 * 60),
    "max_duration_h": (1, 24 * 31),
    "horizon_days": (1, 730),
    "max_upcoming": (1, 100),
    "buffer_min": (0, 24 * 60),
    "lead_min": (0, 7 * 24 * 60),
    "grid_min": (1, 60),
    "code_release_min": (0, 14 * 24 * 60),
    "code_early_min": (0, 240),
    "code_late_min": (0, 240),
    "no_show_min": (0, 24 * 60),
}


def _figure(value: object, name: str, path: str) -> int | bool:
    if name not in _BOUNDS:
        if not isinstance(value, bool):
            raise FieldError(path, "expected true or false")
        return value
    low, high = _BOUNDS[name]
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise FieldError(path, f"expected a whole number from {low} to {high}")
    return value


def _closed(value: object, path: str) -> tuple[time, time] | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple) or len(value) != 2:  # noqa: PLR2004 - from, until
        raise FieldError(path, 'expected ["HH:MM", "HH:MM"] or null')
    try:
        start, end = (time.fromisoformat(str(part)) for part in value)
    except ValueError:
        raise FieldError(path, 'expected ["HH:MM", "HH:MM"]') from None
    return (start, end)


@dataclass(frozen=True, kw_only=True)
class Organisation:
    """The legal customer: the tenant, and the seller on invoices."""

    id: str
    name: str
    legal: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Community:
    """The drivers and rules of one public service."""

    id: str
    organisation_id: str
    name: str
    zone: ZoneInfo
    rules: CommunityRules
    support_phone: str | None = None


@dataclass(frozen=True, kw_only=True)
class Role:
    """One role of a person, in a whole organisation or in one community of it."""

    role: RoleName
    organisation_id: str
    community_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Licence:
    """A driving licence as checked; no copy of the card is kept (C18)."""

    number: str
    category: str
    valid_until: date


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody who may sign in, with the roles that decide what they see."""

    id: str
    email: str
    name: str
    phone: str | None = None
    locale: str = "fr"
    licence: Licence | None = None
    roles: tuple[Role, ...] = ()
    disabled_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who is asking: a person, and the narrowing of a token's scope (None: signed in by hand)."""

    person: Person
    scope: Scope | None = None
