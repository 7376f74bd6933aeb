"""Share the costs of a car between its drivers, exactly and without losing a cent.

Every part is computed as an exact fraction, never from a rounded price, and rounded once, all members
together: each balance is rounded down to the unit and the missing units go to the largest remainders, so
that the balances sum to zero whatever the order of the rows (equal remainders: alphabetical order of ids).
The guide's example B (P24), 3 070 EUR for 12 790 km, whole euros:

=========  ======  ======  ===========  =======
member     km      paid    exact share  balance
=========  ======  ======  ===========  =======
Laurent    6 422   2 181   1 541.48     +640
Catherine  4 341   574     1 041.98     -468
Julien     2 027   315     486.54       -172
=========  ======  ======  ===========  =======
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction

from supervision.kernel.errors import FieldError
from supervision.kernel.money import round_cents
from supervision.sharing.model import AdvancePlan, Allocation, Period, Settlement, Share, Transfer

Parts = dict[str, Fraction]
Balances = dict[str, int]

UNITS = {"cent": 1, "euro": 100}
CENT = Decimal("0.01")


def settle(period: Period) -> Settlement:
    """Settle a period by its method; FieldError when nothing can be shared by (no km, owner, price)."""
    parts = _fixed_parts(period) if _runs_on_price(period) else _real_parts(period)
    paid = _paid(period)
    advanced = _advanced(period)
    exact = {member: paid[member] + advanced[member] - parts[member] for member in parts}
    balances = round_to_zero(exact, unit=UNITS[period.rounding])
    shares = tuple(
        Share(
            member=member.id,
            km=period.km.get(member.id, 0),
            paid_cents=paid[member.id],
            share_cents=paid[member.id] + advanced[member.id] - balances[member.id],
            advanced_cents=advanced[member.id],
            balance_cents=balances[member.id],
        )
        for member in period.members
    )
    return Settlement(
        total_cents=sum(paid.values()),
        km=sum(period.km.values()),
        eur_per_km=_eur_per_km(period),
        shares=shares,
        transfers=transfers(balances),
    )


def _runs_on_price(period: Period) -> bool:
    return period.method == "fixed" or (period.method == "fixed_then_true_up" and not period.final)


def _eur_per_km(period: Period) -> Fraction | None:
    """Euros per km: the agreed one, or the real one, unrounded."""
    if _runs_on_price(period):
        return Fraction(_agreed_price(period))
    km = sum(period.km.values())
    return Fraction(sum(expense.amount_cents for expense in period.expenses), 100 * km) if km else None


def _agreed_price(period: Period) -> Decimal:
    if period.eur_per_km is None:
        raise FieldError("$.eur_per_km", "missing: this method needs the agreed price")
    return period.eur_per_km


def _paid(period: Period) -> Balances:
    paid = {member.id: 0 for member in period.members}
    for expense in period.expenses:
        paid[expense.payer] += expense.amount_cents
    return paid


def _advanced(period: Period) -> Balances:
    """What a member gave to others before, less what he received."""
    advanced = {member.id: 0 for member in period.members}
    for advance in period.advances:
        advanced[advance.giver] += advance.amount_cents
        advanced[advance.receiver] -= advance.amount_cents
    return advanced


# real costs


def _real_parts(period: Period) -> Parts:
    """Each expense shared by its own allocation (P21, P24)."""
    parts = {member.id: Fraction(0) for member in period.members}
    for index, expense in enumerate(period.expenses):
        weights = _weights(period, expense.allocation, f"$.expenses[{index}].allocation")
        whole = sum(weights.values())
        for member, weight in weights.items():
            parts[member] += expense.amount_cents * weight / whole
    return parts


def _weights(period: Period, allocation: Allocation, path: str) -> Parts:
    weights = {
        "km": {member.id: Fraction(period.km.get(member.id, 0)) for member in period.members},
        "equal": {member.id: Fraction(1) for member in period.members},
        "ownership": {member.id: member.ownership for member in period.members},
        "owner": _main_owner(period),
    }[allocation]
    if not any(weights.values()):
        raise FieldError(path, f"nothing to share by: no {'km' if allocation == 'km' else 'owner'} is known")
    return weights


def _main_owner(period: Period) -> Parts:
    """The owner keeps the cost: who has the largest part of the car, the first id in case of a draw."""
    owner = min(period.members, key=lambda member: (-member.ownership, member.id))
    return {owner.id: Fraction(1)} if owner.ownership else {}


# agreed price


def _fixed_parts(period: Period) -> Parts:
    """Everyone owes km x price, rounded to the cent; what is missing or left is the owners' (P22, P23)."""
    price = Fraction(_agreed_price(period)) * 100
    parts = {
        member.id: Fraction(round_cents(price * period.km.get(member.id, 0))) for member in period.members
    }
    rest = sum(expense.amount_cents for expense in period.expenses) - sum(parts.values())
    for member, ownership in _weights(period, "ownership", "$.members").items():
        parts[member] += rest * ownership
    return parts


# rounding and transfers


def round_to_zero(exact: Mapping[str, Fraction], *, unit: int) -> Balances:
    """Round balances that sum to zero to multiples of `unit`, so that they still do (largest remainder)."""
    floors = {member: (value / unit).__floor__() for member, value in exact.items()}
    missing = -sum(floors.values())
    by_remainder = sorted(exact, key=lambda member: (floors[member] - exact[member] / unit, member))
    favoured = set(by_remainder[:missing])
    return {member: unit * (floors[member] + (member in favoured)) for member in exact}


def transfers(balances: Mapping[str, int]) -> tuple[Transfer, ...]:
    """Fewest steps we can promise: the largest debt goes to the largest claim, at most n - 1 transfers."""
    left = {member: balance for member, balance in balances.items() if balance}
    found = []
    while left:
        giver = min(left, key=lambda member: (left[member], member))
        receiver = min(left, key=lambda member: (-left[member], member))
        amount = min(-left[giver], left[receiver])
        found.append(Transfer(giver=giver, receiver=receiver, amount_cents=amount))
        left[giver] += amount
        left[receiver] -= amount
        left = {member: balance for member, balance in left.items() if balance}
    return tuple(found)


# advances


def plan_advances(
    *,
    eur_per_km: Decimal,
    fuel_eur_per_litre: Decimal,
    litres_per_100_km: Decimal,
    forecast_km: Mapping[str, int],
    periods_per_year: int,
) -> AdvancePlan:
    """What each member pays ahead: the price without fuel, rounded down to the cent (P26).

    Fuel is left out because drivers fill up in turn; newcomers count with their forecast km.
    """
    without_fuel = eur_per_km - fuel_eur_per_litre * litres_per_100_km / 100
    rounded = max(Decimal(0), without_fuel).quantize(CENT, rounding=ROUND_DOWN)
    return AdvancePlan(
        eur_per_km=rounded,
        periods_per_year=periods_per_year,
        amounts_cents={
            member: round_cents(Fraction(rounded) * 100 * km / periods_per_year)
            for member, km in forecast_km.items()
        },
    )
