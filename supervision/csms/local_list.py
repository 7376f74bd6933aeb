"""What a station's local authorisation list should hold, and what to send it next (pure).

The list lets a station start a charge for the right badges while it is offline. We keep what it holds by its
own answers alone, badge by badge, so that the next message follows from three things: what is wanted, what
it holds, what it said last. A list too long for one message needs no bookkeeping: each accepted part is held,
the rest still differs (1.6 5.15, 2.0.1 D01, D02).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

OcppVersion = Literal["1.6", "2.0.1"]

MOST_VERSION = 2**31 - 1
USUAL_PER_MESSAGE = 20  # where the station does not say how many it takes at once
SHORTEST_PAUSE = timedelta(minutes=5)
LONGEST_PAUSE = timedelta(hours=24)
LONGEST_TOKEN = {"1.6": 20, "2.0.1": 36}
TOKEN_TYPES_201 = frozenset(
    {"Central", "eMAID", "ISO14443", "ISO15693", "KeyCode", "Local", "MacAddress", "NoAuthorization"}
)
UNSUPPORTED_ERRORS = frozenset({"NotImplemented", "NotSupported"})
KEYS_16 = ("LocalAuthListMaxLength", "SendLocalListMaxLength")
COMPONENT_201, VARIABLE_201 = "LocalAuthListCtrlr", "ItemsPerMessage"


class ListState(StrEnum):
    """How far the list of a station is; shown as a badge on its page."""

    WAITING = "waiting"
    SENDING = "sending"
    IN_SYNC = "in_sync"
    REFUSED = "refused"
    NOT_SUPPORTED = "not_supported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A badge that may charge without asking; `expires_at` as on the wire."""

    token: str
    type: str
    expires_at: str | None = None
    parent: str | None = None

    @property
    def fingerprint(self) -> str:
        """What makes an entry of this badge equal to another."""
        return f"{self.type}|{self.expires_at or ''}|{self.parent or ''}"


Held = Mapping[str, str]  # badge -> fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a station takes; None where it does not say."""

    most_entries: int | None = None
    per_message: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a station's list.

    `held` is None when only a full list can help; `doubt` is what a message without an answer may have made
    of it.
    """

    supported: bool = True
    limits: Limits | None = None
    has_version: bool = False  # it told its version since its last boot or since doubt arose
    version: int = 0
    held: Held | None = None
    doubt: tuple[int, Held] | None = None
    failures: int = 0  # full lists it did not take, one after another
    refused: bool = False  # the newest failure was an answer, not silence
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskLimits:
    """Ask how much the station takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskVersion:
    """Ask which version the station holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send one message; `after` is what the station holds when it accepts it."""

    version: int
    full: bool
    entries: tuple[Entry, ...] = ()
    removed: tuple[tuple[str, str], ...] = ()  # badge, type
    after: Held = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Nothing to send now."""

    state: ListState


Step = AskLimits | AskVersion | Send | Rest


def next_step(known: Known, wanted: Sequence[Entry], now: datetime) -> Step:
    """Return what to send now; `wanted` in order of importance, for a station that takes fewer."""
    if not known.supported:
        return Rest(state=ListState.NOT_SUPPORTED)
    if known.retry_at is not None and now < known.retry_at:
        return Rest(state=ListState.REFUSED if known.refused else ListState.WAITING)
    if known.limits is None:
        return AskLimits()
    if not known.has_version:
        return AskVersion()
    chosen = tuple(wanted[: known.limits.most_entries])  # all of them where the station names no limit
    if known.held == {entry.token: entry.fingerprint for entry in chosen}:
        return Rest(state=ListState.IN_SYNC)
    return _message(known, chosen, known.limits.per_message or USUAL_PER_MESSAGE)


def _message(known: Known, chosen: tuple[Entry, ...], per_message: int) -> Send:
    version = known.version + 1 if known.version < MOST_VERSION else 1
    held = known.held or {}
    wanted = {entry.token for entry in chosen}
    changed = [entry for entry in chosen if held.get(entry.token) != entry.fingerprint]
    gone = [(token, mark.partition("|")[0]) for token, mark in held.items() if token not in wanted]
    first = known.held is None or version == 1
    if first or len(changed) + len(gone) > max(len(chosen), 1):
        part = chosen[:per_message]
        return Send(version=version, full=True, entries=part, after=_marks(part))
    removed = tuple(gone[:per_message])  # first: a badge that lost its right must not wait for others
    part = tuple(changed[: per_message - len(removed)])
    left = {token: mark for token, mark in held.items() if token not in dict(removed)}
    return Send(version=version, full=False, entries=part, removed=removed, after={**left, **_marks(part)})


def _marks(entries: Sequence[Entry]) -> dict[str, str]:
    return {entry.token: entry.fingerprint for entry in entries}


# --- what answers teach -------------------------------------------------------------------------------


def booted(known: Known) -> Known:
    """After a boot everything is asked again: another firmware may do what the last one could not."""
    return Known(version=known.version, held=known.held, doubt=known.doubt)


def told_version(known: Known, reported: int) -> Known:
    """Read the version; 1.6 says -1 for "no list here", both say 0 for an empty list."""
    if reported < 0:
        return replace(known, supported=False)
    if reported == 0:
        return replace(known, has_version=True, version=0, held={}, doubt=None)
    if known.doubt is not None and reported == known.doubt[0]:
        return replace(known, has_version=True, version=reported, held=known.doubt[1], doubt=None)
    held = known.held if reported == known.version else None
    return replace(known, has_version=True, version=reported, held=held, doubt=None)


def answered(known: Known, sent: Send, status: str, now: datetime) -> Known:
    """Read the answer to a message.

    Failed and VersionMismatch of a change call for the full list; of a full list, for patience.
    """
    if status == "Accepted":
        return replace(
            known,
            version=sent.version,
            held=dict(sent.after),
            doubt=None,
            failures=0,
            refused=False,
            retry_at=None,
        )
    if status == "NotSupported":
        return replace(known, supported=False)
    fresh = replace(known, held=None, has_version=status != "VersionMismatch")
    return fresh if not sent.full else _put_off(fresh, now, refused=True)


def unanswered(known: Known, sent: Send, error_code: str | None, now: datetime) -> Known:
    """Read a CALLERROR, or no answer at all (None): then the station may hold the new list or the old one."""
    if error_code in UNSUPPORTED_ERRORS:
        return replace(known, supported=False)
    if error_code is None:
        doubtful = replace(known, has_version=False, doubt=(sent.version, dict(sent.after)))
        return _put_off(doubtful, now, refused=False)
    return _put_off(replace(known, has_version=False, held=None), now, refused=True)


def put_off(known: Known, error_code: str | None, now: datetime) -> Known:
    """Read a question that got no answer."""
    if error_code in UNSUPPORTED_ERRORS:
        return replace(known, supported=False)
    return _put_off(known, now, refused=error_code is not None)


def changed_by_others(known: Known) -> Known:
    """Somebody else sent a list: nothing is known of it any more."""
    return replace(known, has_version=False, held=None, doubt=None)


def _put_off(known: Known, now: datetime, *, refused: bool) -> Known:
    pause = min(SHORTEST_PAUSE * int(2 ** min(known.failures, 12)), LONGEST_PAUSE)
    return replace(known, failures=known.failures + 1, refused=refused, retry_at=now + pause)


# --- the wire -----------------------------------------------------------------------------------------


def limits_question(version: OcppVersion) -> tuple[str, dict[str, Any]]:
    """Return action and payload that ask for the limits."""
    if version == "1.6":
        return "GetConfiguration", {"key": list(KEYS_16)}
    wanted = {"component": {"name": COMPONENT_201}, "variable": {"name": VARIABLE_201}}
    return "GetVariables", {"getVariableData": [wanted]}


def limits_in(version: OcppVersion, response: Mapping[str, Any]) -> Limits:
    """Read the limits; what is not said, or is no number, stays unknown. 2.0.1 tells none of the length."""
    if version == "2.0.1":
        told = [
            item.get("attributeValue")
            for item in response.get("getVariableResult") or []
            if item.get("attributeStatus") == "Accepted"
        ]
        return Limits(per_message=_count(told[0]) if told else None)
    values = {item.get("key"): item.get("value") for item in response.get("configurationKey") or []}
    return Limits(most_entries=_count(values.get(KEYS_16[0])), per_message=_count(values.get(KEYS_16[1])))


def _count(text: object) -> int | None:
    number = str(text or "").strip()
    return int(number) if number.isascii() and number.isdecimal() and int(number) > 0 else None


def version_in(version: OcppVersion, response: Mapping[str, Any]) -> int | None:
    """Read the answer to GetLocalListVersion; None when it holds no number."""
    told = response.get("listVersion" if version == "1.6" else "versionNumber")
    return told if isinstance(told, int) and not isinstance(told, bool) else None


def fits(version: OcppVersion, entry: Entry) -> bool:
    """Tell whether the badge can stand on a list of that version."""
    longest = LONGEST_TOKEN[version]
    return len(entry.token) <= longest and len(entry.parent or "") <= longest


def payload(version: OcppVersion, send: Send) -> dict[str, Any]:
    """Write SendLocalList; an empty list is left out."""
    kind = "Full" if send.full else "Differential"
    if version == "1.6":
        items = [_entry_16(entry) for entry in send.entries]
        items += [{"idTag": token} for token, _ in send.removed]
        base: dict[str, Any] = {"listVersion": send.version, "updateType": kind}
    else:
        items = [_entry_201(entry) for entry in send.entries]
        items += [{"idToken": _token_201(token, type_)} for token, type_ in send.removed]
        base = {"versionNumber": send.version, "updateType": kind}
    return {**base, "localAuthorizationList": items} if items else base


def _entry_16(entry: Entry) -> dict[str, Any]:
    info: dict[str, Any] = {"status": "Accepted"}
    if entry.expires_at is not None:
        info["expiryDate"] = entry.expires_at
    if entry.parent is not None:
        info["parentIdTag"] = entry.parent
    return {"idTag": entry.token, "idTagInfo": info}


def _entry_201(entry: Entry) -> dict[str, Any]:
    info: dict[str, Any] = {"status": "Accepted"}
    if entry.expires_at is not None:
        info["cacheExpiryDateTime"] = entry.expires_at
    if entry.parent is not None:
        info["groupIdToken"] = {"idToken": entry.parent, "type": "Central"}
    return {"idToken": _token_201(entry.token, entry.type), "idTokenInfo": info}


def _token_201(token: str, type_: str) -> dict[str, str]:
    return {"idToken": token, "type": type_ if type_ in TOKEN_TYPES_201 else "Central"}
