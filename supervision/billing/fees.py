"""What a card provider takes: a forecast only; the fee really taken stands in the payment (C14)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from supervision.kernel.money import round_cents


@dataclass(frozen=True, kw_only=True)
class CardFee:
    """Percent of the amount plus a fixed part; the defaults are the seed's 1.5 % + 0.25 EUR."""

    percent: Decimal = Decimal("1.5")
    fixed_cents: int = 25

    def of(self, amount_cents: int) -> int:
        """Fee on one payment: 0.43 EUR on 12 EUR, 0.40 EUR on 10 EUR; nothing on nothing."""
        if not amount_cents:
            return 0
        return round_cents(Fraction(self.percent) * amount_cents / 100 + self.fixed_cents)
