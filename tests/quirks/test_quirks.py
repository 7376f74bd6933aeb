"""The 60 quirks of real stations: a script for each that concerns the wire, a row of the ledger for all."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from supervision.clock import FixedClock
from supervision.store.db import Database
from tests.integration.ocpp_client import Server
from tests.quirks.player import play

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SCRIPTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted((HERE / "scripts").glob("*.txt"))}
LEDGER: dict[str, dict[str, str]] = tomllib.loads((HERE / "ledger.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", SCRIPTS)
async def test_recorded_script(server: Server, sqlite_db: Database, clock: FixedClock, name: str) -> None:
    played = await play(server, sqlite_db, clock, SCRIPTS[name])
    assert played.refused == []  # no CALLERROR to a message that carries a charging transaction


@pytest.mark.parametrize("number", [str(number) for number in range(1, 61)])
def test_quirk_is_shown_or_not_with_its_reason(number: str) -> None:
    row = LEDGER[number]
    assert len(row["title"]) >= 10
    scripts = [name for name in SCRIPTS if int(name[:2]) == int(number)]
    if row["is"] == "script":
        assert len(scripts) == 1
    elif row["is"] == "test":
        assert defined(row["test"]), row["test"]
    else:
        assert row["is"] in {"open", "declined"}
        assert len(row["why"]) >= 20
    assert bool(scripts) == (row["is"] == "script")


def test_ledger_has_no_other_row() -> None:
    assert len(LEDGER) == 60


def defined(name: str) -> bool:
    """Tell whether `path::function` is a test."""
    path, _, function = name.partition("::")
    text = (ROOT / path).read_text(encoding="utf-8")
    return re.search(rf"^(?:async )?def {re.escape(function)}\(", text, re.MULTILINE) is not None
