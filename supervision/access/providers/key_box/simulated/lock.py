"""The inside of the simulated key box, pure: codes, slots, keys, lock-out, a clock of its own.

It behaves as a box on a wall does: it decides by what it was told last and by its own clock, whether or
not the service can be reached. Codes are kept as digests, so that a copy of the database opens nothing
at a glance.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from supervision.access.providers.key_box import BoxCode, BoxEvent
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import format_instant, instant_text, parse_instant

WRONG_BEFORE_LOCK = 5
FIRST_LOCK = timedelta(minutes=5)
LONGEST_LOCK = timedelta(hours=4)
MEMORY = timedelta(hours=24)  # lock-outs within a day make the next one longer
CLOCK_TOLERANCE = timedelta(minutes=2)
LOG_LENGTH = 200


@dataclass(frozen=True, kw_only=True)
class HeldCode:
    """A code as the box remembers it."""

    booking_id: str
    revision: int
    digest: str
    slot: int
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, kw_only=True)
class BoxState:
    """Everything the box knows.

    `absent` maps a slot without its key to the booking that took it, "" after an opening from afar; the
    same holds for `opened_by`.
    """

    codes: tuple[HeldCode, ...] = ()
    absent: Mapping[int, str] = field(default_factory=dict)
    open_slot: int | None = None
    opened_by: str = ""
    wrong: int = 0
    locks: tuple[datetime, ...] = ()
    locked_until: datetime | None = None
    offline: bool = False
    fault: str | None = None
    drift_s: int = 0
    log: tuple[BoxEvent, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A slot opened for this booking; `key_present` tells whether there is a key to take."""

    slot: int
    booking_id: str
    key_present: bool


def digest(booking_id: str, digits: str) -> str:
    """What the box keeps of a code."""
    return hashlib.sha256(f"{booking_id}|{digits}".encode()).hexdigest()


def hold(state: BoxState, codes: Sequence[BoxCode]) -> BoxState:
    """Hold exactly these codes; the contact sets the clock."""
    held = [
        HeldCode(
            booking_id=code.booking_id,
            revision=code.revision,
            digest=digest(code.booking_id, code.digits),
            slot=code.slot,
            valid_from=code.valid_from,
            valid_until=code.valid_until,
        )
        for code in codes
    ]
    return replace(state, codes=tuple(held), drift_s=0)


def enter(state: BoxState, digits: str, now: datetime) -> tuple[BoxState, Opened | Refused]:
    """Type digits on the keypad. Five wrong ones lock it for 5 minutes, then 10, 20 ... at most 4 hours."""
    own = now + timedelta(seconds=state.drift_s)
    if state.fault is not None:
        return state, Refused("box_fault", {"fault": state.fault})
    if state.locked_until is not None and own < state.locked_until:
        return state, Refused("box_locked", {"until": format_instant(state.locked_until)})
    code = next((held for held in state.codes if _matches(held, digits, state, own)), None)
    if code is None:
        return _wrong(state, own)
    present = code.slot not in state.absent
    opened = Opened(slot=code.slot, booking_id=code.booking_id, key_present=present)
    event = BoxEvent(kind="opened", at=own, slot=code.slot, booking_id=code.booking_id)
    calm = replace(state, wrong=0, locked_until=None, open_slot=code.slot, opened_by=code.booking_id)
    return _logged(calm, event), opened


def take_key(state: BoxState, now: datetime) -> tuple[BoxState, BoxEvent | Refused]:
    """Take the key out of the open slot and close the door."""
    slot = state.open_slot
    if slot is None:
        return state, Refused("slot_closed")
    if slot in state.absent:
        return state, Refused("key_missing")
    event = BoxEvent(kind="key_taken", at=_own(state, now), slot=slot, booking_id=state.opened_by or None)
    taken = replace(state, absent={**state.absent, slot: state.opened_by}, open_slot=None, opened_by="")
    return _logged(taken, event), event


def put_key_back(state: BoxState, now: datetime) -> tuple[BoxState, BoxEvent | Refused]:
    """Hang the key into the open slot and close the door."""
    slot = state.open_slot
    if slot is None:
        return state, Refused("slot_closed")
    if slot not in state.absent:
        return state, Refused("key_present")
    event = BoxEvent(
        kind="key_returned", at=_own(state, now), slot=slot, booking_id=state.absent[slot] or None
    )
    absent = {number: taker for number, taker in state.absent.items() if number != slot}
    return _logged(replace(state, absent=absent, open_slot=None, opened_by=""), event), event


def open_from_afar(state: BoxState, slot: int, now: datetime) -> BoxState:
    """Open a slot without a code; whoever took its key is the one who may put it back."""
    event = BoxEvent(kind="opened", at=_own(state, now), slot=slot, details={"remote": True})
    return _logged(replace(state, open_slot=slot, opened_by=state.absent.get(slot, "")), event)


def _matches(held: HeldCode, digits: str, state: BoxState, own: datetime) -> bool:
    """Inside its window a code opens; after it only for the key it took, which must come back (C25)."""
    if held.digest != digest(held.booking_id, digits) or own < held.valid_from - CLOCK_TOLERANCE:
        return False
    return own < held.valid_until + CLOCK_TOLERANCE or state.absent.get(held.slot) == held.booking_id


def _wrong(state: BoxState, own: datetime) -> tuple[BoxState, Refused]:
    wrong = state.wrong + 1
    counted = _logged(replace(state, wrong=wrong), BoxEvent(kind="wrong_code", at=own))
    if wrong < WRONG_BEFORE_LOCK:
        return counted, Refused("wrong_code", {"left": WRONG_BEFORE_LOCK - wrong})
    recent = tuple(at for at in state.locks if own - at < MEMORY)
    until = own + min(FIRST_LOCK * int(2 ** len(recent)), LONGEST_LOCK)
    locked = replace(counted, wrong=0, locks=(*recent, own), locked_until=until)
    event = BoxEvent(kind="locked_out", at=own, details={"until": format_instant(until)})
    return _logged(locked, event), Refused("box_locked", {"until": format_instant(until)})


def _logged(state: BoxState, event: BoxEvent) -> BoxState:
    return replace(state, log=(*state.log, event)[-LOG_LENGTH:])


def _own(state: BoxState, now: datetime) -> datetime:
    return now + timedelta(seconds=state.drift_s)


def to_json(state: BoxState) -> dict[str, Any]:
    """Write the state as stored."""
    return {
        "codes": [
            {
                **{name: getattr(held, name) for name in ("booking_id", "revision", "digest", "slot")},
                "valid_from": format_instant(held.valid_from),
                "valid_until": format_instant(held.valid_until),
            }
            for held in state.codes
        ],
        "absent": {str(slot): booking_id for slot, booking_id in state.absent.items()},
        "open_slot": state.open_slot,
        "opened_by": state.opened_by,
        "wrong": state.wrong,
        "locks": [format_instant(at) for at in state.locks],
        "locked_until": instant_text(state.locked_until),
        "offline": state.offline,
        "fault": state.fault,
        "drift_s": state.drift_s,
        "log": [
            {
                "kind": event.kind,
                "at": format_instant(event.at),
                "slot": event.slot,
                "booking_id": event.booking_id,
                "details": dict(event.details),
            }
            for event in state.log
        ],
    }


def from_json(document: Mapping[str, Any]) -> BoxState:
    """Read the state as stored; an empty document is a new box with every key in it."""
    if not document:
        return BoxState()
    times = ("valid_from", "valid_until")
    until = document["locked_until"]
    plain = ("open_slot", "opened_by", "wrong", "offline", "fault", "drift_s")
    return BoxState(
        codes=tuple(
            HeldCode(**{**held, **{name: parse_instant(held[name]) for name in times}})
            for held in document["codes"]
        ),
        absent={int(slot): booking_id for slot, booking_id in document["absent"].items()},
        locks=tuple(parse_instant(at) for at in document["locks"]),
        locked_until=None if until is None else parse_instant(until),
        log=tuple(BoxEvent(**{**event, "at": parse_instant(event["at"])}) for event in document["log"]),
        **{name: document[name] for name in plain},
    )
