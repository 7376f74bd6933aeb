"""One pure function prices a trip, before the booking and after the return: same facts, same price (C12).

Order of the lines: time, day cap, kilometres, subscription discount, excess buy-back, late penalty,
booking fee. Time is elapsed time in UTC, so that a night of clock change costs what it lasted. Each line is
rounded once to whole cents, half away from zero, the total is the sum of the lines, and the tax is taken out
of the sum of each VAT rate, so that the gross amount shown before the booking never moves:

=====================  ========  =====  ======
line                   quantity  unit   amount
=====================  ========  =====  ======
time                   5 h       6.00   30.00
time                   1 h       6.50   6.50
subscription discount  1         -10.95 -10.95
total                                   25.55
of which 20 % VAT                       4.26
=====================  ========  =====  ======
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from supervision.billing.model import Line, Quote, Tariff, Trip, VatShare
from supervision.kernel.money import round_cents, vat_of_gross
from supervision.kernel.timespan import Timespan

MINUTE = timedelta(minutes=1)
HALF_HOUR = timedelta(minutes=30)
DAY = timedelta(days=1)
DAY_MIN = 24 * 60


def price(tariff: Tariff, trip: Trip) -> Quote:
    """Price a planned, finished, cancelled or missed trip."""
    lines = [*_trip_lines(tariff, trip), *_fee_lines(tariff, trip)]
    owes_fee = trip.outcome in tariff.cancel.fee_on
    return Quote(
        lines=tuple(lines),
        vat=vat_shares(lines),
        total_cents=sum(line.amount_cents for line in lines),
        fee_cents=tariff.booking_fee_cents if owes_fee else 0,
        currency=tariff.currency,
    )


def _trip_lines(tariff: Tariff, trip: Trip) -> list[Line]:
    if trip.outcome != "returned":
        return list(_missed_lines(tariff, trip))
    use = [*_time_lines(tariff, billed_min(tariff, trip)), *_km_lines(tariff, trip)]
    return [
        *use,
        *_discount_lines(tariff, trip, use),
        *_buyback_lines(tariff, trip),
        *_late_lines(tariff, trip),
    ]


def _line(
    tariff: Tariff, code: str, quantity: Fraction | int, unit: str, unit_cents: int, **params: object
) -> Line:
    return Line(
        code=code,
        quantity=exact_text(Fraction(quantity)),
        unit=unit,
        unit_cents=unit_cents,
        amount_cents=round_cents(Fraction(quantity) * unit_cents),
        vat_rate=tariff.usual_vat_rate,
        params=params,
    )


def _single(tariff: Tariff, code: str, amount_cents: int, **params: object) -> Line:
    return _line(tariff, code, 1, "item", amount_cents, **params)


def exact_text(number: Fraction) -> str:
    """Write a fraction exactly: "2.5" when it is a decimal number, else "1/6"."""
    scaled = number * 10**6
    if scaled.denominator != 1:
        return str(number)
    text = f"{Decimal(scaled.numerator) / 10**6:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


# time


def billed_min(tariff: Tariff, trip: Trip) -> int:
    """Minutes billed: the planned ones, changed by the return only as the tariff says, in started steps."""
    end_at = trip.end_at
    if trip.returned_at is not None:
        early, late = trip.returned_at < trip.end_at, trip.returned_at > trip.end_at
        if (early and tariff.early_return == "returned") or (late and tariff.late_time_billed):
            end_at = trip.returned_at
    step = tariff.step_min * MINUTE
    steps = max(1, started(end_at - trip.start_at, step))
    return steps * tariff.step_min


def started(elapsed: timedelta, step: timedelta) -> int:
    """How many steps have begun: 0 for nothing, 1 for a moment, 1 for exactly one step."""
    return max(0, -(-elapsed // step))


@dataclass(frozen=True)
class _Piece:
    """Minutes `[from_min, to_min)` of a trip at one price per hour."""

    from_min: int
    to_min: int
    hour_cents: int

    def cost(self, from_min: int, to_min: int) -> Fraction:
        """Exact cents of the part of this piece inside `[from_min, to_min)`."""
        shared = max(0, min(self.to_min, to_min) - max(self.from_min, from_min))
        return Fraction(shared * self.hour_cents, 60)


def _pieces(tariff: Tariff, total_min: int) -> list[_Piece]:
    edges = [(0, 0), *(((step.from_hour - 1) * 60, step.extra_cents) for step in tariff.steps)]
    bounds = [min(at, total_min) for at, _ in edges] + [total_min]
    pieces, hour_cents = [], tariff.hour_cents
    for (from_min, to_min), (_, extra_cents) in zip(pairwise(bounds), edges, strict=True):
        hour_cents += extra_cents
        if to_min > from_min:
            pieces.append(_Piece(from_min, to_min, hour_cents))
    return pieces


def _time_lines(tariff: Tariff, total_min: int) -> list[Line]:
    pieces = _pieces(tariff, total_min)
    lines = [
        _line(tariff, "time", Fraction(piece.to_min - piece.from_min, 60), "h", piece.hour_cents)
        for piece in pieces
        if piece.hour_cents
    ]
    return [*lines, *_day_cap_lines(tariff, pieces, total_min)]


def _day_cap_lines(tariff: Tariff, pieces: Sequence[_Piece], total_min: int) -> Iterator[Line]:
    """Take back what each period of 24 h from the start costs above the cap."""
    if tariff.day_cap_cents is None:
        return
    above = Fraction(0)
    for from_min in range(0, total_min, DAY_MIN):
        day = sum((piece.cost(from_min, from_min + DAY_MIN) for piece in pieces), Fraction(0))
        above += max(Fraction(0), day - tariff.day_cap_cents)
    if above:
        yield _single(tariff, "day_cap", -round_cents(above), cap_cents=tariff.day_cap_cents)


# kilometres, subscription, excess


def _km_lines(tariff: Tariff, trip: Trip) -> Iterator[Line]:
    """A trip of unknown length shows the price per km with quantity 0, so that nobody thinks km are free."""
    if not tariff.km_cents:
        return
    billed_km = max(0, (trip.km or 0) - tariff.free_km)
    yield _line(
        tariff, "km", billed_km, "km", tariff.km_cents, known=trip.km is not None, free_km=tariff.free_km
    )


def _discount_lines(tariff: Tariff, trip: Trip, use: Sequence[Line]) -> Iterator[Line]:
    """Subscribers pay less for time and km, never less for penalties or a fee on top."""
    percent = tariff.subscription_discount_percent
    off = round_cents(sum(line.amount_cents for line in use) * Fraction(percent) / 100)
    if trip.subscription and off:
        yield _single(tariff, "subscription_discount", -off, percent=str(percent))


def _buyback_lines(tariff: Tariff, trip: Trip) -> Iterator[Line]:
    """Excess buy-back (C17): 72 h over four calendar days are 3 or 4 days, as the tariff says."""
    if not trip.excess_buyback:
        return
    span = Timespan(trip.start_at, trip.end_at)
    if tariff.excess_buyback_day == "calendar_day":
        days = len(list(span.local_days(trip.zone)))
    else:
        days = started(span.duration, DAY)
    yield _line(tariff, "excess_buyback", days, "day", tariff.excess_buyback_day_cents)


# penalties and fees


def late_half_hours(tariff: Tariff, trip: Trip) -> int:
    """Half-hours of lateness after the planned end and the grace period, until the physical return (C28)."""
    if trip.returned_at is None:
        return 0
    late = trip.returned_at - trip.end_at - tariff.late_grace_min * MINUTE
    whole = started(late, HALF_HOUR) if tariff.late_mode == "started" else late // HALF_HOUR
    return max(0, whole)


def _late_lines(tariff: Tariff, trip: Trip) -> Iterator[Line]:
    half_hours = late_half_hours(tariff, trip)
    if not half_hours or not tariff.late_per_half_hour_cents:
        return
    due = _line(tariff, "late", half_hours, "half_hour", tariff.late_per_half_hour_cents)
    yield due
    if trip.fault_waived:
        yield _single(tariff, "late_waived", -due.amount_cents)
    elif tariff.late_cap_cents is not None and due.amount_cents > tariff.late_cap_cents:
        yield _single(tariff, "late_cap", tariff.late_cap_cents - due.amount_cents)


def _missed_lines(tariff: Tariff, trip: Trip) -> Iterator[Line]:
    """What a cancelled or missed trip costs: a part of its planned time, by the policy (C13)."""
    percent = _missed_percent(tariff, trip)
    planned = _time_lines(tariff, billed_min(tariff, trip))
    due = round_cents(sum(line.amount_cents for line in planned) * Fraction(percent) / 100)
    if due:
        line = _single(tariff, trip.outcome, due, percent=str(percent))
        yield line
        yield from _discount_lines(tariff, trip, [line])


def _missed_percent(tariff: Tariff, trip: Trip) -> Decimal:
    if trip.outcome == "no_show":
        return tariff.cancel.no_show_percent
    free_until = trip.start_at - tariff.cancel.free_until_min * MINUTE
    in_time = trip.cancelled_at is None or trip.cancelled_at <= free_until
    return Decimal(0) if in_time else tariff.cancel.late_percent


def _fee_lines(tariff: Tariff, trip: Trip) -> Iterator[Line]:
    """One booking fee per booking, on top unless the prices include it (C13)."""
    if tariff.booking_fee_cents and not tariff.fee_included and trip.outcome in tariff.cancel.fee_on:
        yield _line(tariff, "booking_fee", 1, "booking", tariff.booking_fee_cents)


def vat_shares(lines: Sequence[Line]) -> tuple[VatShare, ...]:
    """Tax in the gross sum of each VAT rate, highest rate first."""
    vat_rates = sorted({line.vat_rate for line in lines}, reverse=True)
    return tuple(_vat_share(vat_rate, lines) for vat_rate in vat_rates)


def _vat_share(vat_rate: Decimal, lines: Sequence[Line]) -> VatShare:
    gross = sum(line.amount_cents for line in lines if line.vat_rate == vat_rate)
    vat = vat_of_gross(gross, vat_rate)
    return VatShare(vat_rate=vat_rate, net_cents=gross - vat, vat_cents=vat, gross_cents=gross)
