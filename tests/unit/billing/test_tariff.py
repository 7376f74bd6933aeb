"""Tariffs and trips read from JSON: strict, with the path of the wrong field."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from supervision.billing.model import CancelPolicy, HourStep, Tariff, Trip
from supervision.billing.quote import run
from supervision.billing.tariff import parse_tariff, parse_trip, tariff_at, tariff_document
from supervision.kernel.errors import FieldError
from supervision.kernel.reading import read_json

PARIS = ZoneInfo("Europe/Paris")
API_TARIFF: dict[str, Any] = {
    "id": "t1",
    "community": "valdrome",
    "valid_from": "2026-01-01",
    "hour_cents": 600,
    "km_cents": 0,
    "booking_fee_cents": 100,
    "late_per_half_hour_cents": 1000,
}
TRIP: dict[str, Any] = {"start_at": "2026-11-21T18:00:00+01:00", "end_at": "2026-11-21T20:00:00+01:00"}


def test_C41_the_tariff_of_the_api_page_is_read_with_the_defaults_of_the_seed() -> None:
    assert parse_tariff(API_TARIFF) == Tariff(
        id="t1", community="valdrome", valid_from=date(2026, 1, 1), hour_cents=600
    )


def test_C41_a_full_tariff_survives_being_written_and_read() -> None:
    tariff = parse_tariff(
        API_TARIFF
        | {
            "steps": [{"from_hour": 6, "extra_cents": 50}],
            "cancel": {"free_until_min": 60, "late_percent": 12.5, "fee_on": ["cancelled"]},
            "subscription_discount_percent": "30",
            "vat_rate": "0.055",
            "late_cap_cents": 5000,
            "late_mode": "completed",
        }
    )
    assert tariff.steps == (HourStep(from_hour=6, extra_cents=50),)
    assert tariff.cancel.fee_on == CancelPolicy(fee_on=frozenset({"cancelled"})).fee_on
    assert parse_tariff(read_json(json.dumps(tariff_document(tariff)))) == tariff


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"hour_cents": None}, "$.hour_cents"),
        ({"hour_cents": -1}, "$.hour_cents"),
        ({"hour_cents": True}, "$.hour_cents"),
        ({"hour_cents": "600"}, "$.hour_cents"),
        ({"hour_cent": 5}, "$.hour_cent"),
        ({"late_mode": "begun"}, "$.late_mode"),
        ({"vat_rate": 20}, "$.vat_rate"),
        ({"valid_from": "01/01/2026"}, "$.valid_from"),
        ({"step_min": 0}, "$.step_min"),
        ({"steps": {}}, "$.steps"),
        ({"steps": [{"from_hour": 1, "extra_cents": 5}]}, "$.steps[0].from_hour"),
        ({"steps": [{"from_hour": 6}]}, "$.steps[0].extra_cents"),
        ({"steps": [{"from_hour": 6, "extra_cents": 5}, {"from_hour": 6, "extra_cents": 5}]}, "$.steps"),
        ({"steps": [{"from_hour": 6, "extra_cents": -601}]}, "$.steps"),
        ({"cancel": {"fee_on": ["sometimes"]}}, "$.cancel.fee_on[0]"),
        ({"cancel": {"late": 1}}, "$.cancel.late"),
        ({"currency": "CHF"}, "$.currency"),
        ({"fee_included": 1}, "$.fee_included"),
    ],
)
def test_C41_a_wrong_tariff_names_the_field(change: dict[str, Any], path: str) -> None:
    with pytest.raises(FieldError) as refused:
        parse_tariff(API_TARIFF | change)
    assert refused.value.path == path


def test_trip_instants_become_utc() -> None:
    assert parse_trip(TRIP | {"km": 12, "zone": "Europe/Paris"}) == Trip(
        start_at=datetime(2026, 11, 21, 17, tzinfo=UTC), end_at=datetime(2026, 11, 21, 19, tzinfo=UTC), km=12
    )


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"start_at": "2026-11-21T18:00:00"}, "$.start_at"),
        ({"start_at": "soon"}, "$.start_at"),
        ({"end_at": "2026-11-21T18:00:00+01:00"}, "$.end_at"),
        ({"end_at": "2028-11-21T18:00:00+01:00"}, "$.end_at"),
        ({"returned_at": "2026-11-21T17:59:00+01:00"}, "$.returned_at"),
        ({"zone": "Europe/Privas"}, "$.zone"),
        ({"zone": "../../etc/passwd"}, "$.zone"),
        ({"km": 1.5}, "$.km"),
        ({"outcome": "cancelled"}, "$.cancelled_at"),
        ({"colour": "red"}, "$.colour"),
    ],
)
def test_a_wrong_trip_names_the_field(change: dict[str, Any], path: str) -> None:
    with pytest.raises(FieldError) as refused:
        parse_trip(TRIP | change)
    assert refused.value.path == path


def test_C12_the_version_of_the_local_day_of_the_start_holds() -> None:
    old, new = (
        Tariff(hour_cents=cents, valid_from=date(year, 1, 1)) for cents, year in ((600, 2026), (700, 2027))
    )
    last_evening = datetime(2026, 12, 31, 22, 59, tzinfo=UTC)
    midnight_in_paris = datetime(2026, 12, 31, 23, 0, tzinfo=UTC)
    assert tariff_at([new, old], last_evening, PARIS) == old
    assert tariff_at([old, new], midnight_in_paris, PARIS) == new
    assert tariff_at([new], last_evening, PARIS) is None


# the command


def test_C12_quote_command_prints_lines_and_total() -> None:
    printed = json.loads(run(json.dumps({"tariff": API_TARIFF, "trip": TRIP})))
    assert printed == {
        "currency": "EUR",
        "lines": [
            {
                "code": "time",
                "quantity": "2",
                "unit": "h",
                "unit_cents": 600,
                "amount_cents": 1200,
                "vat_rate": "0.20",
                "params": {},
            },
            {
                "code": "booking_fee",
                "quantity": "1",
                "unit": "booking",
                "unit_cents": 100,
                "amount_cents": 100,
                "vat_rate": "0.20",
                "params": {},
            },
        ],
        "total_cents": 1300,
        "fee_cents": 100,
        "vat": [{"vat_rate": "0.20", "net_cents": 1083, "vat_cents": 217, "gross_cents": 1300}],
    }


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", "$"),
        ("[]", "$"),
        ("{", "$"),
        ("[" * 100_000, "$"),
        ('{"tariff": {"hour_cents": NaN}}', "$"),
        ('{"tariff": {}}', "$.tariff.hour_cents"),
        ('{"tariff": {"hour_cents": 600}}', "$.trip"),
        (json.dumps({"tariff": API_TARIFF, "trip": TRIP, "tip": 1}), "$.tip"),
    ],
)
def test_quote_command_refuses_what_it_does_not_understand(text: str, path: str) -> None:
    with pytest.raises(FieldError) as refused:
        run(text)
    assert refused.value.path == path
