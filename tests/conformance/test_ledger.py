"""The ledger tells the truth: every id once, a test for each that is shown, none for any other."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LEDGER: dict[str, dict[str, dict[str, str]]] = tomllib.loads(
    (HERE / "ledger.toml").read_text(encoding="utf-8")
)
NAMED = re.compile(r"(?:def test_|\")TC_([A-P]_\d{2}|\d{3}(?:_\d)?)(?![\d])")
CASES = {"ocpp16": 77, "ocpp201": 252}


def named_in(version: str) -> Counter[str]:
    """Count the ids that tests are named after, as functions or as parameters."""
    files = sorted(HERE.glob(f"test_{version}*.py"))
    return Counter(name for file in files for name in NAMED.findall(file.read_text(encoding="utf-8")))


def ids(version: str, state: str) -> list[str]:
    return [case for case, row in LEDGER[version].items() if row["is"] == state]


@pytest.mark.parametrize("version", CASES)
def test_every_case_has_its_row(version: str) -> None:
    states = Counter(row["is"] for row in LEDGER[version].values())
    assert states.keys() <= {"shown", "open", "declined"}
    assert states.total() == CASES[version]


@pytest.mark.parametrize("version", CASES)
def test_shown_are_exactly_those_with_a_test_of_their_name(version: str) -> None:
    assert sorted(named_in(version)) == sorted(ids(version, "shown"))
    assert [one for one, times in named_in(version).items() if times > 1] == []


@pytest.mark.parametrize("version", CASES)
def test_what_is_not_shown_has_a_reason(version: str) -> None:
    unexplained = [
        case for case, row in LEDGER[version].items() if row["is"] != "shown" and len(row.get("why", "")) < 20
    ]
    assert unexplained == []
