"""The kinds of charging point a town installs, with what each can give when nothing else is said."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """Phases and amperes per phase at most, as drawn from the grid (a DC point converts them)."""

    phase_count: int
    max_a: float


KINDS: dict[str, Kind] = {
    "ac7": Kind(1, 32),
    "ac11": Kind(3, 16),
    "ac22": Kind(3, 32),
    "dc11": Kind(3, 16),
}
MIN_A = 6.0  # the least a car may be offered over a type 2 cable, IEC 61851-1
