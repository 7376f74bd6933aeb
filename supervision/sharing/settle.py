"""`supervision settle`: a group's period in, shares, balances and transfers out; pure.

The shapes of both documents are described in docs/money.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, cast

from supervision.kernel.errors import FieldError
from supervision.kernel.reading import Fields, read_json
from supervision.sharing.model import (
    ALLOCATIONS,
    DRIVER_CATEGORIES,
    METHODS,
    ROUNDINGS,
    SHARED_CATEGORIES,
    Advance,
    AdvancePlan,
    Expense,
    Member,
    Period,
    Settlement,
)
from supervision.sharing.rules import plan_advances, settle

MOST_CENTS = 10**12
MOST_KM = 10**7
MOST_PRICE = Decimal(1000)
PART = re.compile(r"[0-9]{1,6}/[1-9][0-9]{0,5}")


def run(text: str) -> str:
    """Settle (or plan the advances of) one period; returns JSON, raises FieldError on malformed input."""
    read = Fields(read_json(text))
    method = read.choice("method", METHODS)
    document = (
        _advance_answer(read) if method == "advance" else settlement_document(settle(parse_period(read)))
    )
    return json.dumps(document, indent=2, ensure_ascii=False)


# what comes in


def parse_period(read: Fields) -> Period:
    """Read members, km, expenses, advances, method, price and rounding; unknown fields are refused."""
    members = _members(read)
    ids = {member.id for member in members}
    given: dict[str, Any] = {
        "members": members,
        "km": _km(read, ids),
        "expenses": [_expense(item, ids) for item in read.children("expenses")],
        "advances": [_advance(item, ids) for item in read.children("advances")],
        "method": read.choice("method", METHODS),
        "final": read.flag("final"),
    }
    if read.has("eur_per_km"):
        given["eur_per_km"] = read.decimal("eur_per_km", at_most=MOST_PRICE)
    if read.has("rounding"):
        given["rounding"] = read.choice("rounding", ROUNDINGS)
    read.ignore("eur_per_km", "rounding", "period")  # `period` is a label for people
    read.close()
    return Period(**given)


def _members(read: Fields) -> Sequence[Member]:
    """Members are ids, or objects with an id and a part of the car ("owner": true means all of it)."""
    members = [_member(value, path) for value, path in read.sequence("members")]
    ids = [member.id for member in members]
    if not ids or len(set(ids)) != len(ids):
        raise FieldError(read.at("members"), "at least one member is wanted, each only once")
    if sum(member.ownership for member in members) not in (0, 1):
        raise FieldError(read.at("members"), "the parts of the car must sum to 1")
    return members


def _member(value: object, path: str) -> Member:
    if isinstance(value, str) and value:
        return Member(id=value)
    read = Fields(value, path)
    member = Member(id=read.text("id"), ownership=_ownership(read))
    read.ignore("name", "km")
    read.close()
    return member


def _ownership(read: Fields) -> Fraction:
    owner = read.flag("owner")
    read.ignore("ownership")
    return _part(read) if read.has("ownership") else Fraction(owner)


def _part(read: Fields) -> Fraction:
    """A part of the car, as a decimal or as a text such as "1/3"."""
    value = read.raw("ownership")
    if not isinstance(value, str) or "/" not in value:
        return Fraction(read.decimal("ownership", at_most=Decimal(1)))
    if not PART.fullmatch(value) or Fraction(value) > 1:
        raise FieldError(read.at("ownership"), 'a part such as 0.5 or "1/3" is wanted')
    return Fraction(value)


def _km(read: Fields, ids: Collection[str]) -> dict[str, int]:
    """Kilometres by member: a map beside the members, or a field of each."""
    km = _km_of_members(read)
    read.ignore("km")
    if not read.has("km"):
        return km
    item = read.child("km")
    for name in item.names():
        if name not in ids or name in km:
            raise FieldError(item.at(name), "stated twice" if name in km else "not a member")
        km[name] = item.integer(name, at_least=0, at_most=MOST_KM)
    return km


def _km_of_members(read: Fields) -> dict[str, int]:
    members = [Fields(value, path) for value, path in read.sequence("members") if isinstance(value, dict)]
    return {
        member.text("id"): member.integer("km", at_least=0, at_most=MOST_KM)
        for member in members
        if member.has("km")
    }


def _who(read: Fields, name: str, ids: Collection[str]) -> str:
    member = read.text(name)
    if member not in ids:
        raise FieldError(read.at(name), "not a member")
    return member


def _expense(read: Fields, ids: Collection[str]) -> Expense:
    expense = Expense(
        payer=_who(read, "payer", ids),
        amount_cents=read.integer("amount_cents", at_least=-MOST_CENTS, at_most=MOST_CENTS),
        category=_category(read),
        allocation=cast("Any", read.choice("allocation", ALLOCATIONS) if read.has("allocation") else "km"),
    )
    read.ignore("allocation", "note", "on")
    read.close()
    return expense


def _category(read: Fields) -> str:
    """Parking, tolls, fines and damage of one's own making never enter the common account (P19)."""
    if not read.has("category"):
        read.ignore("category")
        return "other"
    category = read.choice("category", (*SHARED_CATEGORIES, *DRIVER_CATEGORIES))
    if category in DRIVER_CATEGORIES:
        raise FieldError(read.at("category"), f"{category} is paid by the driver alone")
    return category


def _advance(read: Fields, ids: Collection[str]) -> Advance:
    advance = Advance(
        giver=_who(read, "from", ids),
        receiver=_who(read, "to", ids),
        amount_cents=read.integer("amount_cents", at_least=0, at_most=MOST_CENTS),
    )
    read.ignore("note", "on")
    read.close()
    return advance


# what goes out


def settlement_document(settlement: Settlement) -> dict[str, object]:
    """JSON-ready values of a settlement, as documented in docs/money.md."""
    return {
        "total_cents": settlement.total_cents,
        "km": settlement.km,
        "eur_per_km": None if settlement.eur_per_km is None else _price_text(settlement.eur_per_km),
        "shares": [vars(share) for share in settlement.shares],
        "transfers": [
            {"from": transfer.giver, "to": transfer.receiver, "amount_cents": transfer.amount_cents}
            for transfer in settlement.transfers
        ],
    }


def _price_text(price: Fraction) -> str:
    """For people to read, ten decimals at most; the shares come from the exact fraction."""
    text = f"{Decimal(round(price * 10**10)) / 10**10:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _advance_answer(read: Fields) -> dict[str, object]:
    ids = {member.id for member in _members(read)}
    plan = plan_advances(
        eur_per_km=read.decimal("eur_per_km", at_most=MOST_PRICE),
        fuel_eur_per_litre=_number(read, "fuel_eur_per_litre"),
        litres_per_100_km=_number(read, "litres_per_100_km"),
        forecast_km=_km(read, ids),
        periods_per_year=read.integer("periods_per_year", at_least=1, at_most=12),
    )
    read.ignore("period")
    read.close()
    return advance_document(plan)


def _number(read: Fields, name: str) -> Decimal:
    """Absent means zero: the price then already leaves fuel out."""
    read.ignore(name)
    return read.decimal(name, at_most=MOST_PRICE) if read.has(name) else Decimal(0)


def advance_document(plan: AdvancePlan) -> dict[str, object]:
    """JSON-ready values of a plan of advances."""
    return {
        "eur_per_km": str(plan.eur_per_km),
        "periods_per_year": plan.periods_per_year,
        "advances": [
            {"member": member, "amount_cents": cents} for member, cents in plan.amounts_cents.items()
        ],
    }
