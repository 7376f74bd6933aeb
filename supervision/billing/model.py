"""What a trip costs, as values: tariffs, trips, quotes. Amounts are integer cents, tax included.

A tariff is data of a community and never changes once in use: a new price is a new version with a later
`valid_from` (C12, C41).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

LateMode = Literal["started", "completed"]
EarlyReturn = Literal["planned", "returned"]
BuybackDay = Literal["started_24h", "calendar_day"]
Outcome = Literal["returned", "cancelled", "no_show"]

LATE_MODES: tuple[str, ...] = ("started", "completed")
EARLY_RETURNS: tuple[str, ...] = ("planned", "returned")
BUYBACK_DAYS: tuple[str, ...] = ("started_24h", "calendar_day")
OUTCOMES: tuple[str, ...] = ("returned", "cancelled", "no_show")

NORMAL_VAT_RATE = Decimal("0.20")
DEFAULT_ZONE = ZoneInfo("Europe/Paris")


@dataclass(frozen=True, kw_only=True)
class HourStep:
    """From its `from_hour`-th hour on, a trip pays `extra_cents` more per hour; steps add up (Libelul)."""

    from_hour: int
    extra_cents: int


@dataclass(frozen=True, kw_only=True)
class CancelPolicy:
    """What is due when a trip does not take place (C13).

    A cancellation is free until `free_until_min` minutes before the start, afterwards it costs
    `late_percent` of the time price; a no-show costs `no_show_percent`. `fee_on` lists the outcomes that
    owe the booking fee.
    """

    free_until_min: int = 0
    late_percent: Decimal = Decimal(0)
    no_show_percent: Decimal = Decimal(100)
    fee_on: frozenset[str] = frozenset({"returned", "no_show"})


@dataclass(frozen=True, kw_only=True)
class Tariff:
    """Prices of a community from a local date on; defaults are the seed's figures (C12-C17, C28, C30)."""

    hour_cents: int
    km_cents: int = 0
    booking_fee_cents: int = 100
    fee_included: bool = False
    late_per_half_hour_cents: int = 1000
    late_mode: LateMode = "started"
    late_grace_min: int = 0
    late_cap_cents: int | None = None
    late_time_billed: bool = False
    early_return: EarlyReturn = "planned"
    step_min: int = 30
    steps: tuple[HourStep, ...] = ()
    day_cap_cents: int | None = None
    free_km: int = 0
    subscription_discount_percent: Decimal = Decimal(0)
    excess_buyback_day_cents: int = 760
    excess_buyback_day: BuybackDay = "started_24h"
    cancel: CancelPolicy = field(default_factory=CancelPolicy)
    payment_delay_h: int = 24
    vat_rate: Decimal | None = None  # None: the seller's
    currency: str = "EUR"
    valid_from: date | None = None
    id: str = ""
    name: str = ""
    community: str = ""

    @property
    def usual_vat_rate(self) -> Decimal:
        """VAT rate of the lines: the tariff's own, or the normal one until the seller's is known."""
        return NORMAL_VAT_RATE if self.vat_rate is None else self.vat_rate


@dataclass(frozen=True, kw_only=True)
class Trip:
    """The facts a price depends on.

    Before the booking `returned_at` is unknown and `km` holds the driver's guess, if any. `end_at` is the
    planned end after any extension: an extension is the same booking and pays no second fee.
    """

    start_at: datetime
    end_at: datetime
    returned_at: datetime | None = None
    km: int | None = None
    zone: ZoneInfo = DEFAULT_ZONE
    subscription: bool = False
    fault_waived: bool = False
    excess_buyback: bool = False
    outcome: Outcome = "returned"
    cancelled_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Line:
    """One priced line.

    `quantity` is an exact decimal (or fraction) text counted in `unit`; `amount_cents` is quantity x
    unit_cents, rounded once, tax included. `code` and `params` are translated where the line is shown.
    """

    code: str
    quantity: str
    unit: str
    unit_cents: int
    amount_cents: int
    vat_rate: Decimal
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class VatShare:
    """Gross amount of all lines of one VAT rate and the tax in it; net + vat = gross, always."""

    vat_rate: Decimal
    net_cents: int
    vat_cents: int
    gross_cents: int

    def __post_init__(self) -> None:
        if self.net_cents + self.vat_cents != self.gross_cents:
            raise ValueError("net and tax must add up to gross")


@dataclass(frozen=True, kw_only=True)
class Quote:
    """A priced trip; `fee_cents` is the part of the total that goes to the platform (C13), shown or not."""

    lines: Sequence[Line]
    vat: Sequence[VatShare]
    total_cents: int
    fee_cents: int
    currency: str
