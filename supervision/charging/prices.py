"""Electricity prices of a delivery point: local hours become steps of UTC instants.

Off-peak hours are local hours ("from 23:00"), so the steps move with the clock change and are never a
repeating UTC pattern. A list of ``{"local_from": "HH:MM", "eur_per_kwh": "0.1579"}`` holds every day of the
year.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from supervision.charging.model import PriceStep
from supervision.kernel.timespan import Timespan, local_instant


def price_steps(
    prices: Sequence[Mapping[str, Any]], *, zone: ZoneInfo, span: Timespan
) -> tuple[PriceStep, ...]:
    """Steps that cover `span`, the one in force at its start first; none without prices."""
    hours = sorted((time.fromisoformat(p["local_from"]), Decimal(str(p["eur_per_kwh"]))) for p in prices)
    if not hours:
        return ()
    # A day early: before the first hour of a day the last price of the day before holds.
    days = Timespan(span.start - timedelta(days=1), span.end).local_days(zone)
    found: dict[datetime, Decimal] = {}
    for day in days:
        # Two hours skipped by the clock change fall on one instant: the later one holds.
        found.update({local_instant(day, hour, zone): price for hour, price in hours})
    return _covering(sorted(found.items()), span)


def _covering(steps: Sequence[tuple[datetime, Decimal]], span: Timespan) -> tuple[PriceStep, ...]:
    before = [step for step in steps if step[0] <= span.start][-1:]
    inside = [step for step in steps if span.start < step[0] < span.end]
    kept: list[PriceStep] = []
    for start, price in [*before, *inside]:
        if not kept or kept[-1].eur_per_kwh != price:
            kept.append(PriceStep(start=start, eur_per_kwh=price))
    return tuple(kept)
