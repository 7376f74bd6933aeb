"""The ledger tells the truth: every id once, a test for each that is shown, none for any other."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
LEDGER: dict[str, Any] = tomllib.loads((HERE / "ledger.toml").read_text(encoding="utf-8"))
NAMED = re.compile(r"(?:def test_|\")TC_([A-P]_\d{2}|\d{3}(?:_\d)?)(?![\d])")
VERSIONS = ("ocpp16", "ocpp201")


def named_in(version: str) -> Counter[str]:
    """Count the ids that tests are named after, as functions or as parameters."""
    return Counter(NAMED.findall((HERE / f"test_{version}.py").read_text(encoding="utf-8")))


def groups(version: str, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = LEDGER[version].get(kind, [])
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_every_case_stands_in_the_ledger_once(version: str) -> None:
    listed = [*LEDGER[version]["shown"]]
    listed += [
        one for kind in ("open", "declined") for group in groups(version, kind) for one in group["ids"]
    ]
    assert [one for one, times in Counter(listed).items() if times > 1] == []
    assert len(listed) == LEDGER[version]["cases"]


@pytest.mark.parametrize("version", VERSIONS)
def test_shown_are_exactly_those_with_a_test_of_their_name(version: str) -> None:
    assert sorted(named_in(version)) == sorted(LEDGER[version]["shown"])
    assert [one for one, times in named_in(version).items() if times > 1] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_not_shown_has_a_reason(version: str) -> None:
    reasons = [group["why"] for kind in ("open", "declined") for group in groups(version, kind)]
    assert [reason for reason in reasons if len(reason) < 20] == []
