"""What the driver's pages show: plain values, times on the community's clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Literal

PresetCode = Literal["now", "evening", "morning", "day"]
CheckState = Literal["done", "waiting", "missing", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a wish was refused, and where it could be granted instead."""

    code: str
    params: Mapping[str, object] = field(default_factory=dict)
    next_href: str = ""
    next_label: str = ""
    next_at: datetime | None = None
    next_end: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class PriceLine:
    """One line of a price; `quantity` already says its unit."""

    label: str
    quantity: str
    amount_cents: int


@dataclass(frozen=True, kw_only=True)
class Choice:
    """An option of a select."""

    value: str
    label: str


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A time most people want; `code` names it, the times say what it means."""

    code: PresetCode
    start: datetime
    end: datetime
    href: str
    current: bool


@dataclass(frozen=True, kw_only=True)
class CarOffer:
    """A free car for the wished time."""

    vehicle: str
    name: str
    model: str
    plate: str
    station: str
    total_cents: int
    soc_percent: float | None
    range_km: int | None
    href: str
    elsewhere: bool


@dataclass(frozen=True, kw_only=True)
class SearchView:
    """Time first, then the cars that are free."""

    presets: tuple[Preset, ...]
    community: str
    communities: tuple[Choice, ...]
    station: str
    stations: tuple[Choice, ...]
    favourite: str
    start_on: date
    start_time: time
    end_on: date
    end_time: time
    first_on: date
    last_on: date
    start: datetime | None
    end: datetime | None
    offers: tuple[CarOffer, ...]
    refusal: Refusal | None
    times: tuple[time, ...]
    now: datetime

    @property
    def searched(self) -> bool:
        """Tell whether a valid time was asked for."""
        return self.start is not None and self.end is not None


@dataclass(frozen=True, kw_only=True)
class CommunityTerms:
    """What a driver must know before booking, as figures of the community (C41)."""

    buffer_min: int
    late_step_cents: int
    code_lead: timedelta
    closed: tuple[time, time] | None
    return_needs_charge: bool


@dataclass(frozen=True, kw_only=True)
class ConfirmView:
    """The last look before booking."""

    offer: CarOffer
    start: datetime
    end: datetime
    lines: tuple[PriceLine, ...]
    km_cents: int
    terms: CommunityTerms
    back: str
    refusal: Refusal | None
    now: datetime

    @property
    def total_cents(self) -> int:
        """Sum of the lines."""
        return sum(line.amount_cents for line in self.lines)


@dataclass(frozen=True, kw_only=True)
class CodeView:
    """The access code, or when it will come (C24, C44)."""

    digits: str
    valid_from: datetime
    valid_until: datetime
    released_at: datetime
    sent_to: tuple[str, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """The digits as people read them aloud: groups of four."""
        return tuple(self.digits[i : i + 4] for i in range(0, len(self.digits), 4))


@dataclass(frozen=True, kw_only=True)
class BookingView:
    """One booking of the driver."""

    id: str
    number: str
    state: str
    vehicle: str
    plate: str
    station: str
    place: str
    evse: str
    start: datetime
    end: datetime
    taken_at: datetime | None
    returned_at: datetime | None
    soc_percent: float | None
    range_km: int | None
    code: CodeView | None
    lines: tuple[PriceLine, ...]
    latest_end: datetime | None
    latest_extra_cents: int
    support_phone: str
    invoice: str
    can_start: bool
    can_return: bool
    can_extend: bool
    can_cancel: bool
    late_by: timedelta | None
    driver: str
    odometer_km: int
    now: datetime

    @property
    def total_cents(self) -> int:
        """Sum of the lines."""
        return sum(line.amount_cents for line in self.lines)


@dataclass(frozen=True, kw_only=True)
class BookingSummary:
    """A line of "My bookings"."""

    id: str
    state: str
    vehicle: str
    station: str
    start: datetime
    end: datetime
    total_cents: int | None


@dataclass(frozen=True, kw_only=True)
class BookingsView:
    """The driver's bookings, nearest first."""

    current: tuple[BookingSummary, ...]
    upcoming: tuple[BookingSummary, ...]
    past: tuple[BookingSummary, ...]
    max_upcoming: int
    now: datetime


@dataclass(frozen=True, kw_only=True)
class ExtendOption:
    """A later end and what it adds to the price."""

    end: datetime
    extra_cents: int


@dataclass(frozen=True, kw_only=True)
class ExtendView:
    """Every later end that is possible, up to the latest."""

    booking: BookingSummary
    options: tuple[ExtendOption, ...]
    refusal: Refusal | None
    now: datetime


@dataclass(frozen=True, kw_only=True)
class ReturnView:
    """What the key box and the charging station have seen of the return."""

    booking: BookingSummary
    key: CheckState
    plugged: CheckState
    charging: CheckState
    needs_charge: bool
    evse: str
    power_w: int
    last_km: int | None
    late_by: timedelta | None
    late_cents: int
    refusal: Refusal | None
    support_phone: str
    now: datetime

    @property
    def proven(self) -> bool:
        """The charging station sees the car (C44: a booking ends plugged and charging)."""
        return self.charging == "done" or not self.needs_charge


@dataclass(frozen=True, kw_only=True)
class ProblemView:
    """A form for what is wrong with the car."""

    booking: BookingSummary
    support_phone: str
    refusal: Refusal | None
    now: datetime


@dataclass(frozen=True, kw_only=True)
class InvoiceSummary:
    """A line of the list of invoices."""

    id: str
    number: str
    issued_on: date
    total_cents: int
    state: str
    what: str


@dataclass(frozen=True, kw_only=True)
class InvoicesView:
    """The driver's invoices, newest first; `more` leads to older ones."""

    invoices: tuple[InvoiceSummary, ...]
    more: str


@dataclass(frozen=True, kw_only=True)
class VatLine:
    """Tax of one rate, contained in the total."""

    percent: float
    net_cents: int
    vat_cents: int


@dataclass(frozen=True, kw_only=True)
class InvoiceView:
    """One invoice, as issued."""

    id: str
    number: str
    issued_at: datetime
    state: str
    seller: tuple[str, ...]
    buyer: tuple[str, ...]
    booking: str
    vehicle: str
    start: datetime | None
    end: datetime | None
    lines: tuple[PriceLine, ...]
    vat: tuple[VatLine, ...]
    total_cents: int
    due_at: datetime | None
    corrects: str


@dataclass(frozen=True, kw_only=True)
class LoginView:
    """The sign-in form, with what was typed except the password."""

    email: str
    next: str
    refusal: Refusal | None


@dataclass(frozen=True, kw_only=True)
class ErrorView:
    """A page that could not be shown."""

    status: int
    reference: str
