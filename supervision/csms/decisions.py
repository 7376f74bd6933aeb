"""Decisions about charging transactions as rows: what is needed to take them again in the same order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supervision.csms.model import Decision, Ground, PresumedEnd, SettledHow, Settlement
from supervision.kernel.timespan import format_instant, parse_instant

PRESUMED_END, SETTLEMENT = "presumed_end", "settlement"


def decision_values(decision: Decision) -> dict[str, Any]:
    """Write `kind` and `facts`."""
    if isinstance(decision, PresumedEnd):
        facts: dict[str, Any] = {"ground": decision.ground.value, "at": format_instant(decision.at)}
        return {"kind": PRESUMED_END, "facts": facts}
    facts = {"how": decision.how.value, "energy_wh": decision.energy_wh}
    return {"kind": SETTLEMENT, "facts": facts}


def decision_from(row: Mapping[str, Any]) -> Decision:
    """Read what `decision_values` wrote."""
    facts = row["facts"]
    if row["kind"] == PRESUMED_END:
        return PresumedEnd(ground=Ground(facts["ground"]), at=parse_instant(facts["at"]))
    return Settlement(how=SettledHow(facts["how"]), energy_wh=facts["energy_wh"])
