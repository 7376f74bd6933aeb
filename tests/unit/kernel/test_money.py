from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervision.kernel.money import apportion, euros, round_cents, vat_of_gross

weights = st.lists(st.fractions(min_value=0, max_value=1000), min_size=1, max_size=12).filter(any)


@pytest.mark.parametrize(
    ("exact", "cents"),
    [
        (Fraction(0), 0),
        (Decimal("0.49"), 0),
        (Decimal("0.5"), 1),
        (Decimal("-0.5"), -1),
        (Decimal("-0.49"), 0),
        (Decimal("2.675"), 3),
        (Decimal("1.5"), 2),
        (Decimal("2.5"), 3),
        (Fraction(1, 3), 0),
        (Fraction(2, 3), 1),
    ],
)
def test_half_a_cent_is_rounded_away_from_zero(exact: Fraction | Decimal, cents: int) -> None:
    assert round_cents(exact) == cents


@given(st.fractions())
def test_rounding_is_symmetric_and_moves_at_most_half_a_cent(exact: Fraction) -> None:
    assert round_cents(-exact) == -round_cents(exact)
    assert abs(round_cents(exact) - exact) <= Fraction(1, 2)


@given(st.integers(-(10**9), 10**9), weights)
def test_P24_shares_sum_to_the_total(total: int, given_weights: list[Fraction]) -> None:
    assert sum(apportion(total, given_weights)) == total


@given(st.integers(-(10**9), 10**9), weights)
def test_P24_each_share_lies_within_one_cent_of_the_exact_one(
    total: int, given_weights: list[Fraction]
) -> None:
    whole = sum(given_weights)
    for share, weight in zip(apportion(total, given_weights), given_weights, strict=True):
        assert abs(share - total * weight / whole) < 1


@given(st.integers(0, 10**9), weights)
def test_P24_more_weight_never_gets_less(total: int, given_weights: list[Fraction]) -> None:
    shares = apportion(total, given_weights)
    ranked = sorted(zip(given_weights, shares, strict=True))
    for (light, less), (heavy, more) in pairwise(ranked):
        assert light == heavy or less <= more


@given(st.integers(0, 10**9), st.integers(1, 12), st.integers(1, 1000))
def test_P24_scaling_the_weights_changes_nothing(total: int, count: int, factor: int) -> None:
    given_weights = list(range(1, count + 1))
    assert apportion(total, given_weights) == apportion(total, [weight * factor for weight in given_weights])


@pytest.mark.parametrize(
    ("total", "given_weights", "shares"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (101, [1, 1, 1], [34, 34, 33]),
        (-100, [1, 1, 1], [-33, -33, -34]),
        (10, [0, 1], [0, 10]),
        (0, [1, 2], [0, 0]),
        (1000, [Fraction(1, 3), Fraction(2, 3)], [333, 667]),
        (5, [7], [5]),
    ],
)
def test_P24_equal_remainders_favour_the_first(
    total: int, given_weights: list[Fraction | int], shares: list[int]
) -> None:
    assert apportion(total, given_weights) == shares


@pytest.mark.parametrize("given_weights", [[], [0], [0, 0], [-1, 2]])
def test_P24_impossible_weights_are_refused(given_weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        apportion(100, given_weights)


@pytest.mark.parametrize(
    ("gross", "vat_rate", "vat"),
    [(1200, "0.20", 200), (1055, "0.055", 55), (100, "0.20", 17), (0, "0.20", 0), (1300, "0", 0)],
)
def test_vat_is_taken_out_of_the_gross_amount(gross: int, vat_rate: str, vat: int) -> None:
    assert vat_of_gross(gross, Decimal(vat_rate)) == vat


@given(st.integers(0, 10**9), st.sampled_from(["0.20", "0.10", "0.055", "0.021"]))
def test_net_and_vat_make_up_the_gross_amount(gross: int, vat_rate: str) -> None:
    vat = vat_of_gross(gross, Decimal(vat_rate))
    assert abs((gross - vat) * Decimal(vat_rate) - vat) <= 1


@pytest.mark.parametrize(
    ("cents", "text"), [(0, "0.00"), (5, "0.05"), (1250, "12.50"), (-1, "-0.01"), (10**12, "10000000000.00")]
)
def test_euros_are_plain_decimals(cents: int, text: str) -> None:
    assert euros(cents) == text
