"""OCPP-J frames and the reading of payloads: what both protocol versions share. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

JsonObject = dict[str, Any]
T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

CALL, CALLRESULT, CALLERROR = 2, 3, 4


class Violation(StrEnum):
    """Why a CALL is answered by a CALLERROR; each version spells some codes its own way."""

    NOT_IMPLEMENTED = "NotImplemented"
    FORMAT = "FormatViolation"
    PROPERTY = "PropertyConstraintViolation"
    OCCURRENCE = "OccurrenceConstraintViolation"
    TYPE = "TypeConstraintViolation"
    INTERNAL = "InternalError"


SPELLING_16 = {
    Violation.FORMAT: "FormationViolation",
    Violation.OCCURRENCE: "OccurenceConstraintViolation",
}


class RpcError(Exception):
    """A CALL that cannot be served; becomes a CALLERROR."""

    def __init__(self, violation: Violation, description: str) -> None:
        """Keep the code and a description of at most 255 characters."""
        super().__init__(description)
        self.violation = violation
        self.description = description[:255]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A frame read from the wire; ``body`` is the payload, or the description of a CALLERROR."""

    kind: int
    message_id: str
    name: str
    body: JsonObject


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The payload of a CALLRESULT and what the station does once it has been sent."""

    payload: JsonObject
    then: Callable[[], object] | None = None
    silent: bool = False  # a faulty station takes the CALL and never answers


def read_frame(text: str) -> Frame | None:
    """Return the frame in ``text``, or None when it is no OCPP-J frame at all."""
    try:
        parts = json.loads(text)
    except (ValueError, RecursionError):
        return None
    match parts:
        case [2, str(message_id), str(action), dict(payload), *_]:
            return Frame(kind=CALL, message_id=message_id, name=action, body=payload)
        case [3, str(message_id), dict(payload), *_]:
            return Frame(kind=CALLRESULT, message_id=message_id, name="", body=payload)
        case [4, str(message_id), str(code), *rest]:
            return Frame(kind=CALLERROR, message_id=message_id, name=code, body={"rest": rest})
        case [2, str(message_id), *_]:
            return Frame(kind=CALL, message_id=message_id, name="", body={})
    return None


def call_text(message_id: str, action: str, payload: JsonObject | None) -> str:
    """Return a CALL as text; a faulty station says null for an empty payload."""
    return json.dumps([CALL, message_id, action, payload], separators=(",", ":"))


def result_text(message_id: str, payload: JsonObject) -> str:
    """Return a CALLRESULT as text."""
    return json.dumps([CALLRESULT, message_id, payload], separators=(",", ":"))


def error_text(message_id: str, code: str, description: str) -> str:
    """Return a CALLERROR as text."""
    return json.dumps([CALLERROR, message_id, code, description, {}], separators=(",", ":"))


def stamp(at: datetime) -> str:
    """Return an instant as OCPP writes it, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def optional(payload: JsonObject, key: str, kind: type[T]) -> T | None:
    """Return a field of the type asked for, or None when absent (JSON integers pass for floats)."""
    value = payload.get(key)
    if value is None:
        return None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise RpcError(Violation.TYPE, f"{key} is not of type {kind.__name__}")
    return value


def required(payload: JsonObject, key: str, kind: type[T]) -> T:
    """Return a field that must be there."""
    value = optional(payload, key, kind)
    if value is None:
        raise RpcError(Violation.OCCURRENCE, f"{key} is missing")
    return value


def objects(payload: JsonObject, key: str) -> list[JsonObject]:
    """Return a field that must be a list of objects."""
    found: list[Any] = required(payload, key, list)
    if not all(isinstance(item, dict) for item in found):
        raise RpcError(Violation.TYPE, f"{key} is not a list of objects")
    return found


def texts(payload: JsonObject, key: str) -> list[str]:
    """Return an optional list of texts, empty when absent."""
    found: list[Any] = optional(payload, key, list) or []
    if not all(isinstance(item, str) for item in found):
        raise RpcError(Violation.TYPE, f"{key} is not a list of texts")
    return found


def one_of(payload: JsonObject, key: str, allowed: type[E]) -> E:
    """Return a field that must be one of an enumeration."""
    text = required(payload, key, str)
    try:
        return allowed(text)
    except ValueError as error:
        raise RpcError(Violation.PROPERTY, f"{key} has an unknown value") from error


def instant(payload: JsonObject, key: str) -> datetime | None:
    """Return an instant as aware UTC in whole milliseconds; a text without zone is taken as UTC."""
    text = optional(payload, key, str)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise RpcError(Violation.PROPERTY, f"{key} is not a date and time") from error
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
