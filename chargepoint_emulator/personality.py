"""How stations differ from what the standard asks, as traits; `personalities` names their combinations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from chargepoint_emulator.faults import Reflex, Rewrite
from chargepoint_emulator.profiles import Capabilities


@dataclass(frozen=True, kw_only=True)
class Personality:
    """Traits of a station; the defaults are those of a good one.

    A good station boots once per power-up and greets a reconnection with a Heartbeat and its states (1.6J
    §5.4, 2.0.1 B04). ``copies`` (0: lost) and ``delays_s`` are by what a message tells: "start", "values",
    "stop", else its action. ``answers_calls`` names the only CALLs it implements.
    """

    name: str
    help: str
    seen: str = ""  # numbers of the quirks it stands for, or "smart charging"
    # the handshake and the socket
    offers: tuple[str, ...] | None = None  # sub-protocols instead of its own
    spells_identity: bool = False  # every character percent-encoded
    hex_password: bool = False
    connection_header: bool = True
    changes_version: bool = False  # at a reconnection between two charges
    second_socket_after_s: float | None = None  # real seconds from power-up, once
    answers_pings: bool = True
    deaf_after_s: float | None = None  # real seconds, then nothing is read or written any more
    # the connection
    boots: bool = True
    boots_on_reconnect: bool = False
    greets_on_reconnect: bool = True
    clock_skew_s: float = 0.0
    # what it says
    copies: Mapping[str, int] = field(default_factory=dict)
    delays_s: Mapping[str, float] = field(default_factory=dict)
    says: tuple[Rewrite, ...] = ()
    flaps: bool = False
    noise: tuple[str, ...] = ()  # texts before every CALL
    null_payloads: bool = False  # where a payload is empty
    # what it hears and answers
    hears: tuple[Rewrite, ...] = ()
    reflexes: tuple[Reflex, ...] = ()
    replies: tuple[Rewrite, ...] = ()
    answer_delay_s: float = 0.0
    other_spelling: bool = False  # of error codes: that of the other version
    answers_calls: frozenset[str] | None = None
    # the meter
    reports_meter: bool = True
    register_per_session: bool = False
    # charging profiles
    capabilities: Capabilities = field(default_factory=Capabilities)
    obeys_profiles: bool = True
    default_acts_at_once: bool = True  # else a default profile counts from the next charge on
    free_s: float = 0.0  # at the start of every charging transaction no profile counts
    wakes: bool = True  # after a pause
    limits_after_pause: bool = True
    ends_when_paused: bool = False
    clear_delay_s: float = 0.0
    profile_writes: int | None = None  # until its memory is worn out
    keeps_profiles_offline: bool = True
    keeps_settings: bool = True  # over a reboot
    default_in_idle_composite: bool = True


def combined(characters: Iterable[Personality]) -> Personality:
    """Return all faults in one station: lists and tables add up, of single traits the last one counts."""
    found: dict[str, Any] = {}
    names: list[str] = []
    for character in characters:
        names.append(character.name)
        for trait in _TRAITS:
            value, usual = getattr(character, trait), getattr(_USUAL, trait)
            if value != usual:
                found[trait] = _both(found.get(trait, usual), value)
    return Personality(name="+".join(names) or "good", help="", **found)


def _both(before: Any, value: Any) -> Any:
    if isinstance(value, tuple) and isinstance(before, tuple):
        return before + value
    if isinstance(value, Mapping):
        return {**before, **value}
    if isinstance(value, Capabilities):
        usual = Capabilities()
        changed = {
            one.name: getattr(value, one.name)
            for one in fields(Capabilities)
            if getattr(value, one.name) != getattr(usual, one.name)
        }
        kept = {one.name: getattr(before, one.name) for one in fields(Capabilities)}
        return Capabilities(**{**kept, **changed})
    return value


_USUAL = Personality(name="good", help="")
_TRAITS = [one.name for one in fields(Personality) if one.name not in {"name", "help", "seen"}]
