"""The kinds of charge point that can be emulated."""

from __future__ import annotations

from dataclasses import dataclass

PILOT_MIN_A = 6.0


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Hardware of every EVSE of a station: phases and amperes per phase on the grid side."""

    name: str
    phases: int
    max_a: float
    min_a: float = PILOT_MIN_A  # IEC 61851: the pilot cannot announce less
    dc: bool = False


KINDS = {
    kind.name: kind
    for kind in (
        Kind(name="ac7", phases=1, max_a=32.0),
        Kind(name="ac11", phases=3, max_a=16.0),
        Kind(name="ac22", phases=3, max_a=32.0),
        Kind(name="dc11", phases=3, max_a=16.0, min_a=1.0, dc=True),
    )
}
