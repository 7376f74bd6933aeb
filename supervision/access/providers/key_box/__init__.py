"""Key boxes: what the service asks of any of them, whoever made it.

A provider is told the whole list of codes its box shall hold (`put`), so that a lost message is mended by
the next one. What happens at the keypad comes back as `BoxEvent` values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a kind of box can do; vendors differ in every line.

    `online`: reached over a network, codes can be added and taken back at any time. `granularity_min`:
    windows are widened to multiples of it. `key_sensor`: the box knows whether a key hangs in a slot.
    """

    online: bool
    digits: int
    granularity_min: int
    max_codes: int
    revocable: bool
    key_sensor: bool


@dataclass(frozen=True, kw_only=True)
class BoxAddress:
    """One box of one organisation, with the settings its provider needs."""

    id: str
    organisation_id: str
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class BoxCode:
    """A code the box shall take, and the slot it opens."""

    booking_id: str
    revision: int
    digits: str = field(repr=False)
    slot: int
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """The box answered: it holds the list; `clock_offset_s` is how far its clock was off before."""

    clock_offset_s: int


@dataclass(frozen=True, kw_only=True)
class Health:
    """How a box is."""

    reachable: bool
    clock_offset_s: int | None = None
    fault: str | None = None


@dataclass(frozen=True, kw_only=True)
class BoxEvent:
    """Something that happened at a box: opened | wrong_code | locked_out | key_taken | key_returned."""

    kind: str
    at: datetime
    slot: int | None = None
    booking_id: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


class KeyBoxProvider(Protocol):
    """One make of key box."""

    capabilities: Capabilities

    async def put(self, box: BoxAddress, codes: Sequence[BoxCode], now: datetime) -> Confirmation:
        """Make the box hold exactly these codes and set its clock; DeviceUnreachableError when it is away."""
        ...

    async def keys(self, box: BoxAddress) -> Mapping[int, bool]:
        """Return slot -> key present, without slots nothing is known of; DeviceUnreachableError."""
        ...

    async def open_now(self, box: BoxAddress, slot: int, now: datetime) -> None:
        """Open a slot from afar (help for a driver, audited by the caller); DeviceUnreachableError."""
        ...

    async def health(self, box: BoxAddress, now: datetime) -> Health:
        """Tell how the box is; never raises for a box that is away."""
        ...
