"""Prices before and after a trip: Libelul's published prices, lateness, clock changes, policies."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervision.billing.model import CancelPolicy, HourStep, Quote, Tariff, Trip
from supervision.billing.pricing import price

PARIS = ZoneInfo("Europe/Paris")
NOON = datetime(2026, 11, 21, 11, 0, tzinfo=UTC)
LIBELUL = Tariff(
    hour_cents=600,
    fee_included=True,
    steps=tuple(HourStep(from_hour=hour, extra_cents=50) for hour in (6, 12, 18)),
    subscription_discount_percent=Decimal(30),
)
PLAIN = Tariff(hour_cents=600)


def trip(*, hours: float = 2, late_min: int | None = None, **facts: object) -> Trip:
    end_at = NOON + timedelta(hours=hours)
    returned_at = None if late_min is None else end_at + timedelta(minutes=late_min)
    return replace(Trip(start_at=NOON, end_at=end_at, returned_at=returned_at), **facts)  # type: ignore[arg-type]


def lines(quote: Quote) -> list[tuple[str, str, int, int]]:
    return [(line.code, line.quantity, line.unit_cents, line.amount_cents) for line in quote.lines]


@pytest.mark.parametrize(
    ("hours", "flex", "subscriber"),
    [
        (2, 1200, 840),
        (4, 2400, 1680),
        (6, 3650, 2555),  # the page prints 25,60: arithmetic wins
        (12, 7600, 5320),
        (24, 16350, 11445),
        (48, 34350, 24045),
    ],
)
def test_C12_libelul_prices_are_reproduced(hours: float, flex: int, subscriber: int) -> None:
    assert price(LIBELUL, trip(hours=hours)).total_cents == flex
    assert price(LIBELUL, trip(hours=hours, subscription=True)).total_cents == subscriber


def test_C12_steps_apply_from_the_first_minute_of_their_hour() -> None:
    assert lines(price(LIBELUL, trip(hours=5.5))) == [("time", "5", 600, 3000), ("time", "0.5", 650, 325)]


@pytest.mark.parametrize(("minutes", "cents"), [(1, 300), (30, 300), (31, 600), (60, 600), (61, 900)])
def test_C12_time_is_billed_in_started_steps(minutes: int, cents: int) -> None:
    assert price(replace(PLAIN, booking_fee_cents=0), trip(hours=minutes / 60)).total_cents == cents


def test_C12_kilometres_beyond_the_free_ones_are_billed() -> None:
    tariff = replace(PLAIN, km_cents=25, free_km=20)
    assert lines(price(tariff, trip(km=67))) == [
        ("time", "2", 600, 1200),
        ("km", "47", 25, 1175),
        ("booking_fee", "1", 100, 100),
    ]


def test_C12_unknown_kilometres_show_their_price_and_cost_nothing_yet() -> None:
    quote = price(replace(PLAIN, km_cents=25), trip())
    assert quote.total_cents == 1300
    assert [line.params for line in quote.lines if line.code == "km"] == [{"known": False, "free_km": 0}]


def test_C12_day_cap_limits_each_24_hours() -> None:
    tariff = replace(PLAIN, day_cap_cents=4000, booking_fee_cents=0)
    assert lines(price(tariff, trip(hours=26))) == [
        ("time", "26", 600, 15600),
        ("day_cap", "1", -10400, -10400),
    ]
    assert price(tariff, trip(hours=26)).total_cents == 4000 + 1200


def test_C12_day_cap_not_reached_adds_no_line() -> None:
    assert lines(price(replace(PLAIN, day_cap_cents=4000), trip())) == [
        ("time", "2", 600, 1200),
        ("booking_fee", "1", 100, 100),
    ]


@pytest.mark.parametrize(
    ("start_at", "end_at", "cents"),
    [
        # 25 Oct 2026: 02:00-03:00 happens twice, midnight to 05:00 lasts 6 h
        (datetime(2026, 10, 25, 0, tzinfo=PARIS), datetime(2026, 10, 25, 5, tzinfo=PARIS), 3600),
        # 28 Mar 2027: 02:00-03:00 does not exist, midnight to 05:00 lasts 4 h
        (datetime(2027, 3, 28, 0, tzinfo=PARIS), datetime(2027, 3, 28, 5, tzinfo=PARIS), 2400),
        (datetime(2026, 10, 24, 12, tzinfo=PARIS), datetime(2026, 10, 27, 12, tzinfo=PARIS), 73 * 600),
        (datetime(2027, 3, 27, 12, tzinfo=PARIS), datetime(2027, 3, 30, 12, tzinfo=PARIS), 71 * 600),
    ],
)
def test_C12_a_night_of_clock_change_costs_what_it_lasted(
    start_at: datetime, end_at: datetime, cents: int
) -> None:
    planned = Trip(start_at=start_at.astimezone(UTC), end_at=end_at.astimezone(UTC))
    assert price(replace(PLAIN, booking_fee_cents=0), planned).total_cents == cents


def test_C12_price_shown_before_equals_price_billed_for_the_same_facts() -> None:
    assert price(LIBELUL, trip(late_min=0)) == price(LIBELUL, trip())


def test_C12_early_return_pays_the_planned_time_by_default() -> None:
    assert price(PLAIN, trip(late_min=-75)).total_cents == 1300


def test_C12_early_return_pays_the_used_time_when_the_tariff_says_so() -> None:
    assert price(replace(PLAIN, early_return="returned"), trip(late_min=-75)).total_cents == 700


def test_C12_a_car_given_back_at_once_pays_one_step() -> None:
    assert price(replace(PLAIN, early_return="returned"), trip(late_min=-120)).total_cents == 400


# the booking fee, requirement C13


def test_C13_fee_on_top_is_one_line() -> None:
    quote = price(PLAIN, trip())
    assert lines(quote) == [("time", "2", 600, 1200), ("booking_fee", "1", 100, 100)]
    assert (quote.total_cents, quote.fee_cents) == (1300, 100)


def test_C13_fee_included_changes_no_price_and_is_still_owed_to_the_platform() -> None:
    quote = price(replace(PLAIN, fee_included=True), trip())
    assert (quote.total_cents, quote.fee_cents) == (1200, 100)


def test_C13_subscribers_pay_the_full_fee_on_top() -> None:
    tariff = replace(PLAIN, subscription_discount_percent=Decimal(30))
    assert price(tariff, trip(subscription=True)).total_cents == 840 + 100


def test_C13_vat_is_taken_out_of_the_gross_sum() -> None:
    (share,) = price(PLAIN, trip()).vat
    assert (share.gross_cents, share.net_cents, share.vat_cents) == (1300, 1083, 217)


def test_C13_a_seller_without_vat_shows_no_tax() -> None:
    (share,) = price(replace(PLAIN, vat_rate=Decimal(0)), trip()).vat
    assert (share.gross_cents, share.net_cents, share.vat_cents) == (1300, 1300, 0)


def test_C13_cancellation_in_time_is_free() -> None:
    quote = price(PLAIN, trip(outcome="cancelled", cancelled_at=NOON - timedelta(minutes=1)))
    assert (quote.lines, quote.total_cents, quote.fee_cents) == ((), 0, 0)


@pytest.mark.parametrize(("before_min", "cents"), [(121, 0), (120, 0), (119, 600), (-5, 600)])
def test_C13_late_cancellation_pays_its_part_of_the_time(before_min: int, cents: int) -> None:
    tariff = replace(PLAIN, cancel=CancelPolicy(free_until_min=120, late_percent=Decimal(50)))
    cancelled = trip(outcome="cancelled", cancelled_at=NOON - timedelta(minutes=before_min))
    assert price(tariff, cancelled).total_cents == cents


def test_C13_no_show_pays_the_planned_time_and_the_fee() -> None:
    quote = price(PLAIN, trip(outcome="no_show"))
    assert lines(quote) == [("no_show", "1", 1200, 1200), ("booking_fee", "1", 100, 100)]


# excess buy-back, requirement C17


@pytest.mark.parametrize(("mode", "cents"), [("calendar_day", 3040), ("started_24h", 2280)])
def test_C17_72_hours_over_four_days_pay_three_or_four_days(mode: str, cents: int) -> None:
    tariff = replace(PLAIN, excess_buyback_day=mode)  # type: ignore[arg-type]
    (buyback,) = [
        line
        for line in price(tariff, trip(hours=72, excess_buyback=True)).lines
        if line.code == "excess_buyback"
    ]
    assert buyback.amount_cents == cents


# lateness, requirement C28


@pytest.mark.parametrize(
    ("late_min", "cents"), [(0, 0), (1, 1000), (30, 1000), (31, 2000), (60, 2000), (61, 3000)]
)
def test_C28_each_started_half_hour_costs_ten_euros(late_min: int, cents: int) -> None:
    assert price(PLAIN, trip(late_min=late_min)).total_cents == 1300 + cents


@pytest.mark.parametrize(
    ("late_min", "cents"), [(1, 0), (29, 0), (30, 1000), (31, 1000), (60, 2000), (61, 2000)]
)
def test_C28_completed_half_hours_are_the_other_setting(late_min: int, cents: int) -> None:
    assert price(replace(PLAIN, late_mode="completed"), trip(late_min=late_min)).total_cents == 1300 + cents


@pytest.mark.parametrize(("late_min", "cents"), [(10, 0), (11, 1000), (40, 1000), (41, 2000)])
def test_C28_grace_moves_the_first_half_hour(late_min: int, cents: int) -> None:
    assert price(replace(PLAIN, late_grace_min=10), trip(late_min=late_min)).total_cents == 1300 + cents


def test_C28_one_second_late_is_a_started_half_hour() -> None:
    late = trip(returned_at=NOON + timedelta(hours=2, seconds=1))
    assert price(PLAIN, late).total_cents == 2300


def test_C28_penalty_is_waived_and_says_so_when_our_equipment_failed() -> None:
    assert lines(price(PLAIN, trip(late_min=61, fault_waived=True))) == [
        ("time", "2", 600, 1200),
        ("late", "3", 1000, 3000),
        ("late_waived", "1", -3000, -3000),
        ("booking_fee", "1", 100, 100),
    ]


def test_C28_penalty_stops_at_the_cap() -> None:
    quote = price(replace(PLAIN, late_cap_cents=2500), trip(late_min=600))
    assert quote.total_cents == 1300 + 2500


def test_C28_late_time_is_billed_too_when_the_tariff_says_so() -> None:
    assert price(replace(PLAIN, late_time_billed=True), trip(late_min=31)).total_cents == 1800 + 100 + 2000


def test_C28_an_extended_trip_is_late_only_after_its_new_end() -> None:
    extended = replace(trip(late_min=31), end_at=NOON + timedelta(hours=3))
    assert price(PLAIN, extended).total_cents == 1800 + 100


def test_a_step_of_ten_minutes_keeps_the_exact_quantity() -> None:
    quote = price(replace(PLAIN, step_min=10, hour_cents=500), trip(hours=1 / 6))
    assert lines(quote)[0] == ("time", "1/6", 500, 83)


@given(
    hours=st.integers(1, 200),
    hour_cents=st.integers(0, 2000),
    percent=st.integers(0, 100),
    late_min=st.integers(-60, 600),
    vat=st.sampled_from(["0", "0.055", "0.10", "0.20"]),
)
def test_total_is_the_sum_of_its_lines_and_of_its_vat(
    hours: int, hour_cents: int, percent: int, late_min: int, vat: str
) -> None:
    tariff = replace(
        LIBELUL,
        hour_cents=hour_cents,
        subscription_discount_percent=Decimal(percent),
        vat_rate=Decimal(vat),
        fee_included=False,
    )
    quote = price(tariff, trip(hours=hours, late_min=late_min, subscription=True))
    assert quote.total_cents == sum(line.amount_cents for line in quote.lines)
    assert quote.total_cents == sum(share.net_cents + share.vat_cents for share in quote.vat)
    assert quote.total_cents >= 0
