"""Which tests judge the mutants of a module, and which mutants nobody could tell from the original."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalent:
    """A changed line that does the same as the true one, and why."""

    was: str
    now: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One module of the ledger."""

    module: str
    tests: tuple[str, ...]
    equivalents: tuple[Equivalent, ...] = ()

    @property
    def path(self) -> str:
        """The file of the module, from the root."""
        return self.module.replace(".", "/") + ".py"


def read() -> dict[str, Entry]:
    """Return the ledger by the names of its modules, in the order written."""
    rows: dict[str, dict[str, Any]] = tomllib.loads((HERE / "ledger.toml").read_text(encoding="utf-8"))
    return {
        name: Entry(
            module=f"supervision.{name}",
            tests=tuple(row["tests"]),
            equivalents=tuple(Equivalent(**one) for one in row.get("equivalent", ())),
        )
        for name, row in rows.items()
    }
