"""Read tariffs and trips from JSON, strictly; choose the version of a tariff that holds at an instant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from supervision.billing.model import (
    BUYBACK_DAYS,
    EARLY_RETURNS,
    LATE_MODES,
    OUTCOMES,
    CancelPolicy,
    HourStep,
    Tariff,
    Trip,
)
from supervision.kernel.errors import FieldError
from supervision.kernel.reading import Fields

MOST_CENTS = 100_000_000
MOST_MIN = 366 * 24 * 60
MOST_KM = 1_000_000

Getter = Callable[[Fields, str], object]

_cents: Getter = partial(Fields.integer, at_least=0, at_most=MOST_CENTS)
_any_cents: Getter = partial(Fields.integer, at_least=-MOST_CENTS, at_most=MOST_CENTS)
_minutes: Getter = partial(Fields.integer, at_least=0, at_most=MOST_MIN)
_km: Getter = partial(Fields.integer, at_least=0, at_most=MOST_KM)
_percent: Getter = partial(Fields.decimal, at_most=Decimal(100))


def _word(*choices: str) -> Getter:
    return partial(Fields.choice, choices=choices)


def _outcomes(read: Fields, name: str) -> frozenset[str]:
    words = set()
    for value, path in read.sequence(name):
        if value not in OUTCOMES:
            raise FieldError(path, f"one of {', '.join(OUTCOMES)} is wanted")
        words.add(str(value))
    return frozenset(words)


def _steps(read: Fields, name: str) -> tuple[HourStep, ...]:
    steps = tuple(HourStep(**_read(item, STEP, required=set(STEP))) for item in read.children(name))
    hours = [step.from_hour for step in steps]
    if hours != sorted(set(hours)):
        raise FieldError(read.at(name), "steps go upwards, one per hour")
    return steps


def _cancel(read: Fields, name: str) -> CancelPolicy:
    return CancelPolicy(**_read(read.child(name), CANCEL))


STEP: Mapping[str, Getter] = {
    "from_hour": partial(Fields.integer, at_least=2, at_most=MOST_MIN // 60),
    "extra_cents": _any_cents,
}
CANCEL: Mapping[str, Getter] = {
    "free_until_min": _minutes,
    "late_percent": _percent,
    "no_show_percent": _percent,
    "fee_on": _outcomes,
}
TARIFF: Mapping[str, Getter] = {
    "id": Fields.text,
    "name": Fields.text,
    "community": Fields.text,
    "valid_from": Fields.local_date,
    "hour_cents": _cents,
    "km_cents": _cents,
    "booking_fee_cents": _cents,
    "fee_included": Fields.flag,
    "late_per_half_hour_cents": _cents,
    "late_mode": _word(*LATE_MODES),
    "late_grace_min": _minutes,
    "late_cap_cents": _cents,
    "late_time_billed": Fields.flag,
    "early_return": _word(*EARLY_RETURNS),
    "step_min": partial(Fields.integer, at_least=1, at_most=24 * 60),
    "steps": _steps,
    "day_cap_cents": _cents,
    "free_km": _km,
    "subscription_discount_percent": _percent,
    "excess_buyback_day_cents": _cents,
    "excess_buyback_day": _word(*BUYBACK_DAYS),
    "cancel": _cancel,
    "payment_delay_h": partial(Fields.integer, at_least=0, at_most=31 * 24),
    "vat_rate": partial(Fields.decimal, at_most=Decimal(1)),
    "currency": _word("EUR"),
}
TRIP: Mapping[str, Getter] = {
    "start_at": Fields.instant,
    "end_at": Fields.instant,
    "returned_at": Fields.instant,
    "km": _km,
    "zone": Fields.zone,
    "subscription": Fields.flag,
    "fault_waived": Fields.flag,
    "excess_buyback": Fields.flag,
    "outcome": _word(*OUTCOMES),
    "cancelled_at": Fields.instant,
}


def _read(read: Fields, getters: Mapping[str, Getter], *, required: Iterable[str] = ()) -> dict[str, Any]:
    """Only what is given: whatever is absent takes the default that the model states, and only the model."""
    given = {name: get(read, name) for name, get in getters.items() if read.has(name) or name in required}
    read.ignore(*getters)
    read.close()
    return given


def parse_tariff(value: object, path: str = "$") -> Tariff:
    """Read a tariff as in the import document; only `hour_cents` is required.

    `id`, `community` and `valid_from` (a local date) may be absent where one tariff is priced alone.
    FieldError names the wrong field.
    """
    tariff = Tariff(**_read(Fields(value, path), TARIFF, required=["hour_cents"]))
    if any(tariff.hour_cents + extra < 0 for extra in _running_extras(tariff)):
        raise FieldError(f"{path}.steps", "an hour cannot cost less than nothing")
    return tariff


def _running_extras(tariff: Tariff) -> list[int]:
    return [sum(step.extra_cents for step in tariff.steps[: n + 1]) for n in range(len(tariff.steps))]


def parse_trip(value: object, path: str = "$") -> Trip:
    """Read a trip; `start_at` and `end_at` (the planned end) are required, instants carry an offset."""
    read = Fields(value, path)
    trip = Trip(**_read(read, TRIP, required=["start_at", "end_at"]))
    if trip.end_at <= trip.start_at:
        raise FieldError(read.at("end_at"), "a trip ends after it starts")
    if (trip.end_at - trip.start_at).total_seconds() > MOST_MIN * 60:
        raise FieldError(read.at("end_at"), "a trip lasts one year at most")
    if trip.returned_at is not None and trip.returned_at < trip.start_at:
        raise FieldError(read.at("returned_at"), "a car comes back after it left")
    if trip.outcome == "cancelled" and trip.cancelled_at is None:
        raise FieldError(read.at("cancelled_at"), "missing: a cancelled trip says when")
    return trip


def tariff_document(tariff: Tariff) -> dict[str, object]:
    """JSON-ready values from which `parse_tariff` reads the same tariff again."""
    document: dict[str, object] = {item.name: getattr(tariff, item.name) for item in fields(Tariff)}
    document["steps"] = [vars(step) for step in tariff.steps]
    document["cancel"] = {
        "free_until_min": tariff.cancel.free_until_min,
        "late_percent": str(tariff.cancel.late_percent),
        "no_show_percent": str(tariff.cancel.no_show_percent),
        "fee_on": sorted(tariff.cancel.fee_on),
    }
    document["valid_from"] = tariff.valid_from and tariff.valid_from.isoformat()
    document["vat_rate"] = None if tariff.vat_rate is None else str(tariff.vat_rate)
    document["subscription_discount_percent"] = str(tariff.subscription_discount_percent)
    return {name: value for name, value in document.items() if value not in (None, "")}


def tariff_at(versions: Iterable[Tariff], start_at: datetime, zone: ZoneInfo) -> Tariff | None:
    """The version that holds on the local day of `start_at`: the latest `valid_from` not after it (C12)."""
    day = start_at.astimezone(zone).date()
    valid = [
        (tariff.valid_from, tariff) for tariff in versions if tariff.valid_from and tariff.valid_from <= day
    ]
    return max(valid, key=lambda version: version[0], default=(None, None))[1]
