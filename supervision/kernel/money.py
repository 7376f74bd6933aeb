"""Money is integer cents; the only rounding of the program lives here."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction


def round_cents(amount: Fraction | Decimal) -> int:
    """Round an exact amount in cents to whole cents, half away from zero.

    ======  ======
    exact   cents
    ======  ======
    0.49    0
    0.5     1
    -0.5    -1
    2.675   3
    ======  ======
    """
    exact = Fraction(amount)
    sign = -1 if exact < 0 else 1
    return sign * int((abs(exact) + Fraction(1, 2)).__floor__())


def apportion(total: int, weights: Sequence[Fraction | int]) -> list[int]:
    """Split `total` units by `weights` so that the shares sum to it (largest remainder, P24).

    Each share lies within one unit of the exact one; equal remainders favour the first. Weights are not
    negative and not all zero (ValueError).
    """
    fractions = [Fraction(weight) for weight in weights]
    whole = sum(fractions, Fraction(0))
    if whole <= 0 or min(fractions) < 0:
        raise ValueError("weights must be positive in sum and never negative")
    exact = [total * weight / whole for weight in fractions]
    shares = [part.__floor__() for part in exact]
    missing = total - sum(shares)
    by_remainder = sorted(range(len(exact)), key=lambda i: (shares[i] - exact[i], i))
    for index in by_remainder[:missing]:
        shares[index] += 1
    return shares


def vat_of_gross(gross_cents: int, vat_rate: Decimal) -> int:
    """VAT contained in a gross amount, e.g. 1200 cents at 0.20 -> 200."""
    exact_vat_rate = Fraction(vat_rate)
    return round_cents(gross_cents * exact_vat_rate / (1 + exact_vat_rate))


def euros(cents: int) -> str:
    """Plain decimal text for machines ("12.50"); screens use the locale instead."""
    return str((Decimal(cents) / 100).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))
