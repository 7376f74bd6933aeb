"""One word, one meaning (DESIGN §4): words that identifiers, tables and columns must not use."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache

import pytest

from tests.architecture.source import columns, named, sources, words

# Where the names of OCPP's own messages appear: the words there are the standard's.
WIRE = ("chargepoint_emulator/", "supervision/csms/", "supervision/charging/profile.py")
# GetCompositeSchedule's answers, and the form that sends a profile by hand.
ON_SCHEDULES = (*WIRE, "supervision/charging/composite.py", "supervision/web/views/commands.py")

# (file, identifier) -> why it may stay.
KNOWN = {
    ("supervision/ocpp_cs.py", "rate_per_s"): "messages per second of a flood limit, no price",
    ("supervision/ocpp_cs.py", "_rate_per_s"): "messages per second of a flood limit, no price",
}

MONEY = {"cents", "amount", "fee", "price", "cost", "euro", "euros"}


def _alone(word: str, before: set[str]) -> Callable[[list[str]], bool]:
    """Tell whether `word` (or its plural) stands without one of `before` in front of it."""

    def found(parts: list[str]) -> bool:
        return any(
            part in {word, word + "s"} and (place == 0 or parts[place - 1] not in before)
            for place, part in enumerate(parts)
        )

    return found


def _together(some: set[str], others: set[str]) -> Callable[[list[str]], bool]:
    return lambda parts: bool(some & set(parts)) and bool(others & set(parts))


# word -> (where it is at home, test of the identifier's words, what to say instead)
RULES: dict[str, tuple[tuple[str, ...], Callable[[list[str]], bool], str]] = {
    "reservation": (WIRE, _alone("reservation", {"evse"}), "Booking; EvseReservation for OCPP's"),
    "transaction": (WIRE, _alone("transaction", {"charging", "ocpp"}), "ChargingTransaction, Tx or Payment"),
    "charge as money": ((), _together({"charge", "charges", "charged"}, MONEY), "Fee, Invoice or Payment"),
    "rate": (WIRE, _alone("rate", {"vat"}), "Tariff, Fee; only vat_rate"),
    "schedule": (ON_SCHEDULES, _alone("schedule", {"charging"}), "plan or job"),
    "asset": ((), _alone("asset", set()), "Vehicle"),
    "charge point": (WIRE, _together({"charge"}, {"point", "points"}), "ChargingStation"),
    "reversed interval": ((), lambda parts: parts in (["from", "to"], ["begin", "end"]), "start_at, end_at"),
}


@cache
def identifiers() -> tuple[tuple[str, str, str], ...]:
    """Return (file, place, identifier) of every name given."""
    return tuple(
        (source.path, source.at(node), name)
        for source in sources()
        for name, node in [*named(source.tree), *columns(source.tree)]
    )


@pytest.mark.parametrize("word", RULES)
def test_word_means_one_thing(word: str) -> None:
    home, found, instead = RULES[word]
    misused = [
        f"{place} {name}: say {instead}"
        for path, place, name in identifiers()
        if not path.startswith(home) and (path, name) not in KNOWN and found(words(name))
    ]
    assert misused == []


def test_transaction_never_stands_alone_even_on_the_wire() -> None:
    alone = [
        f"{place} {name}"
        for path, place, name in identifiers()
        if path.startswith("supervision/") and name.lower().strip("_") in {"transaction", "transactions"}
    ]
    assert alone == []


def test_known_exceptions_are_still_there() -> None:
    present = {(path, name) for path, _, name in identifiers()}
    assert [entry for entry in KNOWN if entry not in present] == []


@pytest.mark.parametrize(
    ("word", "identifier"),
    [
        ("reservation", "make_reservation"),
        ("reservation", "Reservations"),
        ("transaction", "start_transaction"),
        ("charge as money", "charge_cents"),
        ("rate", "hourly_rate"),
        ("schedule", "ScheduleEntry"),
        ("charge point", "ChargePoint"),
    ],
)
def test_planted_word_is_found(word: str, identifier: str) -> None:
    assert RULES[word][1](words(identifier))


@pytest.mark.parametrize(
    ("word", "identifier"),
    [
        ("reservation", "EvseReservation"),
        ("transaction", "charging_transactions"),
        ("transaction", "ocpp_transaction_id"),
        ("charge as money", "charged_wh"),
        ("rate", "vat_rate"),
        ("schedule", "scheduler"),
    ],
)
def test_right_word_is_left_alone(word: str, identifier: str) -> None:
    assert not RULES[word][1](words(identifier))


def test_money_is_never_a_float() -> None:
    floats = [
        source.at(node)
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.arg | ast.AnnAssign)
        and (node.arg if isinstance(node, ast.arg) else ast.unparse(node.target)).endswith("_cents")
        and "float" in ast.unparse(node.annotation or ast.Constant(value=None))
    ]
    assert floats == []


def test_instants_are_never_dates_or_numbers() -> None:
    """A field `..._at` is an instant and `..._on` a local day; numbers of milliseconds stay in the store."""
    wrong = []
    for source in sources():
        for node in ast.walk(source.tree):
            if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
                continue
            name, kind = node.target.id, ast.unparse(node.annotation)
            if (name.endswith("_at") and kind.startswith(("int", "float", "date "))) or (
                name.endswith("_on") and kind.startswith("datetime")
            ):
                wrong.append(f"{source.at(node)} {name}: {kind}")
    assert wrong == []
