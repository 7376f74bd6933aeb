"""Priced lines as the pages show them: the words are billing's, so that page and invoice say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from supervision.billing.model import Line, Quote, Tariff, Trip
from supervision.billing.pricing import price
from supervision.billing.texts import line_label, line_quantity
from supervision.web.views.driver_model import PriceLine


def price_lines(lines: Sequence[Line], language: str) -> tuple[PriceLine, ...]:
    """Write lines in a language."""
    return tuple(
        PriceLine(
            label=line_label(line, language),
            quantity=line_quantity(line, language) if line.quantity != "1" else "",
            amount_cents=line.amount_cents,
        )
        for line in lines
    )


@dataclass(frozen=True, kw_only=True)
class BookingPrice:
    """Prices one booking for any end; None without a tariff."""

    start: datetime
    zone: ZoneInfo
    tariff: Tariff | None

    def __call__(self, end: datetime, *, returned_at: datetime | None = None) -> Quote | None:
        """Price the trip from the booking's start to `end`."""
        if self.tariff is None:
            return None
        trip = Trip(start_at=self.start, end_at=end, returned_at=returned_at, zone=self.zone)
        return price(self.tariff, trip)
