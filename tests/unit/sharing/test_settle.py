"""Settlement of private groups: the examples of the Parc du Pilat guide, and money that never gets lost."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervision.kernel.errors import FieldError
from supervision.sharing.model import Expense, Member, Period
from supervision.sharing.rules import round_to_zero, settle, transfers
from supervision.sharing.settle import run

EXAMPLE_A: dict[str, Any] = {
    "members": [{"id": "marie", "owner": True}, "francoise", "pierre"],
    "km": {"francoise": 2440, "pierre": 5320},
    "expenses": [
        {"payer": "francoise", "amount_cents": 19400, "category": "fuel"},
        {"payer": "francoise", "amount_cents": 7500, "category": "repairs"},
        {"payer": "pierre", "amount_cents": 52100, "category": "fuel"},
    ],
    "method": "fixed",
    "eur_per_km": "0.25",
}
EXAMPLE_B: dict[str, Any] = {
    "members": ["laurent", "catherine", "julien"],
    "km": {"laurent": 6422, "catherine": 4341, "julien": 2027},
    "expenses": [
        {"payer": "laurent", "amount_cents": 94000, "category": "depreciation"},
        {"payer": "laurent", "amount_cents": 35100, "category": "insurance"},
        {"payer": "laurent", "amount_cents": 23500, "category": "repairs"},
        {"payer": "laurent", "amount_cents": 65500, "category": "fuel"},
        {"payer": "catherine", "amount_cents": 4200, "category": "supplies"},
        {"payer": "catherine", "amount_cents": 53200, "category": "fuel"},
        {"payer": "julien", "amount_cents": 31500, "category": "fuel"},
    ],
    "method": "real",
}


def answer(document: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(run(json.dumps(document)))
    return result


def column(document: dict[str, Any], name: str) -> dict[str, int]:
    return {share["member"]: share[name] for share in document["shares"]}


def test_P23_example_a_fixed_rate() -> None:
    settled = answer(EXAMPLE_A)
    assert column(settled, "balance_cents") == {"marie": 115000, "francoise": -34100, "pierre": -80900}
    assert settled["transfers"] == [
        {"from": "pierre", "to": "marie", "amount_cents": 80900},
        {"from": "francoise", "to": "marie", "amount_cents": 34100},
    ]
    assert settled["eur_per_km"] == "0.25"


def test_P24_example_b_real_costs_in_cents() -> None:
    settled = answer(EXAMPLE_B)
    assert (settled["total_cents"], settled["km"], settled["eur_per_km"]) == (
        307000,
        12790,
        "0.2400312744",
    )
    assert column(settled, "paid_cents") == {"laurent": 218100, "catherine": 57400, "julien": 31500}
    assert column(settled, "share_cents") == {"laurent": 154148, "catherine": 104198, "julien": 48654}
    assert column(settled, "balance_cents") == {"laurent": 63952, "catherine": -46798, "julien": -17154}


def test_P24_example_b_real_costs_in_whole_euros() -> None:
    settled = answer(EXAMPLE_B | {"rounding": "euro"})
    assert column(settled, "share_cents") == {"laurent": 154100, "catherine": 104200, "julien": 48700}
    assert column(settled, "balance_cents") == {"laurent": 64000, "catherine": -46800, "julien": -17200}
    assert settled["transfers"] == [
        {"from": "catherine", "to": "laurent", "amount_cents": 46800},
        {"from": "julien", "to": "laurent", "amount_cents": 17200},
    ]


def test_P25_example_c_price_per_kilometre() -> None:
    settled = answer(
        {
            "members": ["a", "b"],
            "km": {"a": 12200},
            "expenses": [{"payer": "b", "amount_cents": 341600}],
            "method": "real",
        }
    )
    assert settled["eur_per_km"] == "0.28"


def test_P26_example_d_quarterly_advance() -> None:
    planned = answer(
        {
            "members": ["julie"],
            "method": "advance",
            "eur_per_km": "0.30",
            "fuel_eur_per_litre": "1.60",
            "litres_per_100_km": 6,
            "km": {"julie": 4000},
            "periods_per_year": 4,
        }
    )
    assert planned == {
        "eur_per_km": "0.20",
        "periods_per_year": 4,
        "advances": [{"member": "julie", "amount_cents": 20000}],
    }


def test_P26_advances_are_counted_at_the_end_of_the_year() -> None:
    advances = [{"from": "catherine", "to": "laurent", "amount_cents": 40000, "note": "4 x 100"}]
    settled = answer(EXAMPLE_B | {"advances": advances})
    assert column(settled, "balance_cents") == {"laurent": 23952, "catherine": -6798, "julien": -17154}
    assert column(settled, "share_cents") == {"laurent": 154148, "catherine": 104198, "julien": 48654}


def test_P36_fixed_months_then_true_up_at_the_real_cost() -> None:
    mixed = EXAMPLE_B | {"method": "fixed_then_true_up", "eur_per_km": "0.24"}
    mixed["members"] = [{"id": "laurent", "owner": True}, "catherine", "julien"]
    monthly = answer(mixed)
    assert column(monthly, "share_cents")["julien"] == 48648
    yearly = answer(mixed | {"final": True})
    assert column(yearly, "share_cents")["julien"] == 48654


def test_P21_elodie_and_emilie_share_depreciation_by_ownership_and_fuel_by_km() -> None:
    settled = answer(
        {
            "members": [{"id": "elodie", "ownership": "1/2"}, {"id": "emilie", "ownership": 0.5}],
            "km": {"elodie": 3000, "emilie": 7000},
            "expenses": [
                {
                    "payer": "elodie",
                    "amount_cents": 100000,
                    "category": "depreciation",
                    "allocation": "ownership",
                },
                {"payer": "emilie", "amount_cents": 50000, "category": "fuel", "allocation": "km"},
            ],
            "method": "real",
        }
    )
    assert column(settled, "share_cents") == {"elodie": 50000 + 15000, "emilie": 50000 + 35000}


def test_P21_the_owner_keeps_some_costs() -> None:
    kept = [expense | {"allocation": "owner"} for expense in EXAMPLE_A["expenses"]]
    settled = answer(EXAMPLE_A | {"method": "real", "expenses": kept})
    assert column(settled, "share_cents") == {"marie": 79000, "francoise": 0, "pierre": 0}


@pytest.mark.parametrize("category", ["parking", "tolls", "fines", "at_fault_damage"])
def test_P19_what_the_driver_pays_alone_is_refused(category: str) -> None:
    with pytest.raises(FieldError) as refused:
        answer(EXAMPLE_B | {"expenses": [{"payer": "julien", "amount_cents": 100, "category": category}]})
    assert refused.value.path == "$.expenses[0].category"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"members": []}, "$.members"),
        ({"members": ["laurent", "laurent"]}, "$.members"),
        ({"members": [1]}, "$.members[0]"),
        ({"members": [{"id": "laurent", "ownership": 0.4}, "catherine", "julien"]}, "$.members"),
        ({"members": [{"id": "laurent", "ownership": "3/2"}, "catherine"]}, "$.members[0].ownership"),
        ({"members": [{"id": "laurent", "ownership": "1/0"}, "catherine"]}, "$.members[0].ownership"),
        ({"km": {"zoe": 5}}, "$.km.zoe"),
        ({"members": [{"id": "laurent", "km": 1}, "catherine", "julien"]}, "$.km.laurent"),
        ({"km": {"julien": -5}}, "$.km.julien"),
        ({"km": {}}, "$.expenses[0].allocation"),
        ({"expenses": [{"payer": "zoe", "amount_cents": 1}]}, "$.expenses[0].payer"),
        ({"expenses": [{"payer": "julien", "amount_cents": 0.5}]}, "$.expenses[0].amount_cents"),
        (
            {"expenses": [{"payer": "julien", "amount_cents": 1, "allocation": "owner"}]},
            "$.expenses[0].allocation",
        ),
        ({"method": "guess"}, "$.method"),
        ({"method": "fixed"}, "$.eur_per_km"),
        ({"method": "fixed", "eur_per_km": "0.25"}, "$.members"),
        ({"rounding": "franc"}, "$.rounding"),
        ({"advances": [{"from": "julien", "to": "zoe", "amount_cents": 1}]}, "$.advances[0].to"),
        ({"colour": "red"}, "$.colour"),
    ],
)
def test_settle_names_the_wrong_field(change: dict[str, Any], path: str) -> None:
    with pytest.raises(FieldError) as refused:
        answer(EXAMPLE_B | change)
    assert refused.value.path == path


def test_P24_kilometres_may_stand_beside_each_member() -> None:
    members = [{"id": name, "name": name.title(), "km": km} for name, km in EXAMPLE_B["km"].items()]
    assert answer(EXAMPLE_B | {"members": members, "km": None}) == answer(EXAMPLE_B)


def test_a_period_without_expenses_settles_to_nothing() -> None:
    settled = answer({"members": ["a", "b"], "method": "real"})
    assert (settled["transfers"], settled["eur_per_km"]) == ([], None)


# any group


@st.composite
def groups(draw: st.DrawFn) -> Period:
    names = [f"m{index}" for index in range(draw(st.integers(1, 7)))]
    parts = draw(st.lists(st.integers(1, 5), min_size=len(names), max_size=len(names)))
    amounts = st.integers(-10_000, 1_000_000)
    expenses = draw(
        st.lists(
            st.builds(
                Expense,
                payer=st.sampled_from(names),
                amount_cents=amounts,
                category=st.just("fuel"),
                allocation=st.sampled_from(["km", "equal", "ownership", "owner"]),
            ),
            max_size=8,
        )
    )
    return Period(
        members=[
            Member(id=name, ownership=Fraction(part, sum(parts)))
            for name, part in zip(names, parts, strict=True)
        ],
        km={name: draw(st.integers(1, 30_000)) for name in names},
        expenses=expenses,
        method=draw(st.sampled_from(["real", "fixed"])),
        eur_per_km=draw(st.decimals("0.01", "0.99", places=3)),
        rounding=draw(st.sampled_from(["cent", "euro"])),
    )


@given(groups())
def test_no_cent_is_lost_and_the_transfers_settle_everyone(period: Period) -> None:
    settled = settle(period)
    balances = {share.member: share.balance_cents for share in settled.shares}
    assert sum(balances.values()) == 0
    assert sum(share.share_cents for share in settled.shares) == settled.total_cents
    assert len(settled.transfers) <= max(0, len(balances) - 1)
    for transfer in settled.transfers:
        assert transfer.amount_cents > 0
        balances[transfer.giver] += transfer.amount_cents
        balances[transfer.receiver] -= transfer.amount_cents
    assert set(balances.values()) == {0}


@given(groups(), st.integers(0, 1000))
def test_the_result_does_not_depend_on_the_order_of_the_rows(period: Period, seed: int) -> None:
    members, expenses = list(period.members), list(period.expenses)
    Random(seed).shuffle(members)
    Random(seed).shuffle(expenses)
    shuffled = replace(period, members=members, expenses=expenses)
    by_member = {share.member: share for share in settle(shuffled).shares}
    assert by_member == {share.member: share for share in settle(period).shares}
    assert settle(shuffled).transfers == settle(period).transfers


@given(
    st.lists(st.fractions(min_value=-10_000, max_value=10_000, max_denominator=997), min_size=1, max_size=9),
    st.sampled_from([1, 100]),
)
def test_round_to_zero_stays_within_one_unit_of_the_exact_balance(parts: list[Fraction], unit: int) -> None:
    mean = sum(parts, Fraction(0)) / len(parts)
    exact = {f"m{index}": part - mean for index, part in enumerate(parts)}
    rounded = round_to_zero(exact, unit=unit)
    assert sum(rounded.values()) == 0
    assert all(abs(rounded[name] - exact[name]) < unit for name in exact)


def test_transfers_of_even_balances_is_empty() -> None:
    assert transfers({"a": 0, "b": 0}) == ()
