"""A private group's accounts as values (Parc du Pilat guide); cents, and exact euros per km."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

Method = Literal["real", "fixed", "fixed_then_true_up", "advance"]
Allocation = Literal["km", "equal", "ownership", "owner"]
Rounding = Literal["cent", "euro"]

METHODS: tuple[str, ...] = ("real", "fixed", "fixed_then_true_up", "advance")
ALLOCATIONS: tuple[str, ...] = ("km", "equal", "ownership", "owner")
ROUNDINGS: tuple[str, ...] = ("cent", "euro")

SHARED_CATEGORIES: tuple[str, ...] = (  # P20
    "depreciation",
    "accessories",
    "supplies",
    "maintenance",
    "repairs",
    "inspection",
    "fuel",
    "electricity",
    "insurance",
    "taxes",
    "other",
)
DRIVER_CATEGORIES: tuple[str, ...] = ("parking", "tolls", "fines", "at_fault_damage")  # P19


@dataclass(frozen=True, kw_only=True)
class Member:
    """One household of the group; `ownership` is its part of the car, all parts sum to 1."""

    id: str
    ownership: Fraction = Fraction(0)


@dataclass(frozen=True, kw_only=True)
class Expense:
    """Money a member spent for the car; `allocation` says by what it is shared (P21)."""

    payer: str
    amount_cents: int
    category: str
    allocation: Allocation = "km"


@dataclass(frozen=True, kw_only=True)
class Advance:
    """Money one member already gave to another for this period (advance, provisional account)."""

    giver: str
    receiver: str
    amount_cents: int


@dataclass(frozen=True, kw_only=True)
class Period:
    """What is known when a period is settled.

    `eur_per_km` is the agreed price. With `fixed_then_true_up` the months run on it and the `final`
    settlement of the year counts the real costs, minus what was already given (P36).
    """

    members: Sequence[Member]
    km: Mapping[str, int]
    expenses: Sequence[Expense] = ()
    advances: Sequence[Advance] = ()
    method: Method = "real"
    eur_per_km: Decimal | None = None
    final: bool = False
    rounding: Rounding = "cent"


@dataclass(frozen=True, kw_only=True)
class Share:
    """One member's part: paid minus share plus advances is the balance; positive means is owed money."""

    member: str
    km: int
    paid_cents: int
    share_cents: int
    advanced_cents: int
    balance_cents: int


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """One payment that settles."""

    giver: str
    receiver: str
    amount_cents: int


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """Who bears what and who pays whom; balances sum to zero and the transfers bring each to zero."""

    total_cents: int
    km: int
    eur_per_km: Fraction | None
    shares: Sequence[Share]
    transfers: Sequence[Transfer]


@dataclass(frozen=True, kw_only=True)
class AdvancePlan:
    """What each member pays at the start of each part of the year (P26)."""

    eur_per_km: Decimal
    periods_per_year: int
    amounts_cents: Mapping[str, int]
