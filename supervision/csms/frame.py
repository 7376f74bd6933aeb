"""OCPP-J frames: a bounded reader and three writers, without input or output.

Text from a charging station is hostile until proved otherwise: the reader bounds size, depth and numbers,
refuses what cannot be stored as UTF-8, and never raises. What it cannot read it returns as `Malformed`, with
the message id and the action when they could still be recovered, so that every malformed CALL is answered.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MAX_FRAME_BYTES = 64 * 1024
MAX_UTF8_BYTES = 4  # of one character
MAX_DEPTH = 32
MAX_MESSAGE_ID = 36
UNKNOWN_ID = "-1"  # OCPP-J 2.0.1 part 4, 4.2.3: the id of an answer to an unreadable message
_INT64_MAX_DIGITS = 19

CALL, CALL_RESULT, CALL_ERROR = 2, 3, 4


class Version(StrEnum):
    """An OCPP version by its sub-protocol name."""

    V16 = "ocpp1.6"
    V201 = "ocpp2.0.1"

    @property
    def number(self) -> str:
        """The version as people write it: "1.6" or "2.0.1"."""
        return self.value.removeprefix("ocpp")

    @classmethod
    def numbered(cls, number: str | None) -> Version | None:
        """Return the version people write so; None for any other word."""
        return next((version for version in cls if version.number == number), None)


class ErrorCode(StrEnum):
    """Why a CALL cannot be answered; `spelling` gives the text of each version."""

    NOT_IMPLEMENTED = "NotImplemented"
    NOT_SUPPORTED = "NotSupported"
    INTERNAL = "InternalError"
    PROTOCOL = "ProtocolError"
    SECURITY = "SecurityError"
    FRAMEWORK = "RpcFrameworkError"
    MESSAGE_TYPE = "MessageTypeNotSupported"
    FORMAT = "FormatViolation"
    PROPERTY = "PropertyConstraintViolation"
    OCCURRENCE = "OccurrenceConstraintViolation"
    TYPE = "TypeConstraintViolation"
    GENERIC = "GenericError"

    def spelling(self, version: Version) -> str:
        """The code on the wire; 1.6J has other words, two of them misspelt in the standard (1.6J table 7)."""
        return _SPELLING_16.get(self, self.value) if version is Version.V16 else self.value


_SPELLING_16 = {
    ErrorCode.FORMAT: "FormationViolation",
    ErrorCode.FRAMEWORK: "FormationViolation",
    ErrorCode.MESSAGE_TYPE: "FormationViolation",
    ErrorCode.OCCURRENCE: "OccurenceConstraintViolation",
}


MessageId = str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request; `payload` is always an object."""

    message_id: str
    action: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """The answer to one of our requests."""

    message_id: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallError:
    """The refusal of one of our requests."""

    message_id: str
    code: str
    description: str
    details: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Malformed:
    """What could not be read. `action` is set when the frame was visibly a CALL of that action.

    `message_id` is a number where the station sent one: the answer repeats it, so that it finds its question.
    `answerable` is false where a CALLERROR would make no sense: an answer of the station, an empty text.
    """

    message_id: MessageId
    code: ErrorCode
    reason: str
    action: str | None = None
    answerable: bool = True


Frame = Call | CallResult | CallError | Malformed


class _UnreadableError(ValueError):
    """Raised inside the reader only."""


def _whole(digits: str) -> int:
    """Read an integer of at most 64 bits; the length test comes first, int() of long text is slow."""
    if len(digits.lstrip("-")) > _INT64_MAX_DIGITS:
        raise _UnreadableError("an integer of more than 64 bits")
    number = int(digits)
    if not -(2**63) <= number < 2**63:
        raise _UnreadableError("an integer of more than 64 bits")
    return number


def _real(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _UnreadableError("a number out of range")
    return number


def _refuse_constant(word: str) -> float:
    raise _UnreadableError(f"{word} is not JSON")


# Duplicate keys: the last one wins. Every reader of the journal is this one, so no two can disagree.
_DECODER = json.JSONDecoder(parse_int=_whole, parse_float=_real, parse_constant=_refuse_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)

_quote = json.encoder.encode_basestring

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ESCAPE_TO_CHECK = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_HEAD = re.compile(r'\s*\[\s*(\d+)\s*,\s*"([^"\\\x00-\x1f]{1,36})"\s*(?:,\s*"([A-Za-z0-9]{1,64})")?')
_HEAD_CHARS = 200
_CONTROL = re.compile(r"[\x00-\x1f]")


def _too_deep(text: str) -> bool:
    """Tell whether brackets nest deeper than MAX_DEPTH; usually decided by two counts."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    depth = 0
    for bracket in re.findall(r"[\[\]{}]", _STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            return True
    return False


def _unstorable(value: object) -> bool:
    """Tell whether a string inside holds NUL or a lone surrogate: no database stores both."""
    if isinstance(value, str):
        return "\0" in value or any("\ud800" <= char <= "\udfff" for char in value)
    if isinstance(value, dict):
        return any(_unstorable(key) or _unstorable(item) for key, item in value.items())
    return isinstance(value, list) and any(_unstorable(item) for item in value)


def _decode(text: str) -> object:
    """JSON within bounds, or _UnreadableError with a reason that repeats nothing of the text."""
    if len(text) * MAX_UTF8_BYTES > MAX_FRAME_BYTES < len(text.encode("utf-8", "surrogatepass")):
        raise _UnreadableError(f"more than {MAX_FRAME_BYTES} bytes")
    if _too_deep(text):
        raise _UnreadableError(f"nested deeper than {MAX_DEPTH}")
    try:
        value: object = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise _UnreadableError(f"not JSON: {error.msg} at character {error.pos}") from None
    # Strings hold NUL only as an escape, ASCII text holds surrogates only so; these tests are nearly free.
    escaped = "\\u" in text and _ESCAPE_TO_CHECK.search(text) is not None
    if (escaped or not (text.isascii() or text.isprintable())) and _unstorable(value):
        raise _UnreadableError("a string holds NUL or a lone surrogate")
    return value


def read_frame(text: str, version: Version) -> Frame:
    """Read one text message of a charging station; never raises."""
    try:
        message = _decode(text)
    except _UnreadableError as error:
        return _unreadable(text, str(error))
    if not isinstance(message, list) or not message:
        return Malformed(message_id=UNKNOWN_ID, code=ErrorCode.FRAMEWORK, reason="not an array of OCPP-J")
    kind = message[0]
    if type(kind) is not int:  # 2.0 and true compare equal to integers and are not message types
        return Malformed(message_id=_id_of(message), code=ErrorCode.FRAMEWORK, reason="no message type")
    reader = _READERS.get(kind)
    if reader is None:
        return _unknown_type(message, version)
    return reader(message)


def action_at_sight(text: str) -> str | None:
    """Return the action of what begins like a CALL, without reading the rest; None when none is in sight."""
    head = _HEAD.match(text, 0, _HEAD_CHARS)
    return None if head is None else head[3]


def _unreadable(text: str, reason: str) -> Malformed:
    """Recover id and action from the beginning of a broken text, if it began like a CALL."""
    head = _HEAD.match(text, 0, _HEAD_CHARS)
    if head is None:
        return Malformed(
            message_id=UNKNOWN_ID, code=ErrorCode.FRAMEWORK, reason=reason, answerable=bool(text.strip())
        )
    kind, message_id, action = head.groups()
    if kind != str(CALL):
        return Malformed(message_id=message_id, code=ErrorCode.FRAMEWORK, reason=reason, answerable=False)
    return Malformed(message_id=message_id, code=ErrorCode.FRAMEWORK, reason=reason, action=action)


def _unknown_type(message: list[Any], version: Version) -> Malformed:
    """1.6J 4.1.3: ignore a message type that is not in the list; 2.0.1 part 4, 4.4: answer."""
    return Malformed(
        message_id=_id_of(message),
        code=ErrorCode.MESSAGE_TYPE,
        reason="unknown message type",
        answerable=version is not Version.V16,
    )


def _valid_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_MESSAGE_ID and _CONTROL.search(value) is None


def _id_of(message: list[Any]) -> MessageId:
    """The message id, or "-1" when it is neither a usable text nor a whole number."""
    found: MessageId = message[1] if len(message) > 1 else UNKNOWN_ID
    return found if _valid_id(found) or type(found) is int else UNKNOWN_ID


def _read_call(message: list[Any]) -> Frame:
    fault = _fault_of_call(message)
    if fault is not None:
        code, reason = fault
        action = next((item for item in message[2:3] if isinstance(item, str)), None)
        return Malformed(message_id=_id_of(message), code=code, reason=reason, action=action)
    # A null payload is read as an empty object: several stations send it for messages without fields.
    return Call(message_id=message[1], action=message[2], payload={} if message[3] is None else message[3])


def _fault_of_call(message: list[Any]) -> tuple[ErrorCode, str] | None:
    if len(message) != 4:  # noqa: PLR2004
        return ErrorCode.PROTOCOL, "a CALL has four elements"
    _, message_id, action, payload = message
    if not _valid_id(message_id):
        return ErrorCode.PROTOCOL, f"the message id is no text of 1 to {MAX_MESSAGE_ID} characters"
    if not isinstance(action, str):
        return ErrorCode.FORMAT, "the action is no text"
    if payload is not None and not isinstance(payload, dict):
        return ErrorCode.TYPE, "the payload is no object"
    return None


def _not_an_answer(message: list[Any], reason: str) -> Malformed:
    return Malformed(message_id=_id_of(message), code=ErrorCode.FORMAT, reason=reason, answerable=False)


def _read_result(message: list[Any]) -> Frame:
    if len(message) != 3 or not _valid_id(message[1]):  # noqa: PLR2004
        return _not_an_answer(message, "not a CALLRESULT")
    payload = {} if message[2] is None else message[2]
    if not isinstance(payload, dict):
        return _not_an_answer(message, "the payload is no object")
    return CallResult(message_id=message[1], payload=payload)


def _read_error(message: list[Any]) -> Frame:
    """Read leniently: an error is an error even when its description or details are missing."""
    if len(message) < 3 or not _valid_id(message[1]) or not isinstance(message[2], str):  # noqa: PLR2004
        return _not_an_answer(message, "not a CALLERROR")
    rest: list[Any] = [*message[3:], "", {}]
    description, details = rest[:2]
    return CallError(
        message_id=message[1],
        code=message[2],
        description=description if isinstance(description, str) else "",
        details=details if isinstance(details, dict) else {},
    )


_READERS = {CALL: _read_call, CALL_RESULT: _read_result, CALL_ERROR: _read_error}


def write_call(message_id: str, action: str, payload: Mapping[str, Any]) -> str:
    """A CALL as compact JSON."""
    return _ENCODER.encode([CALL, message_id, action, payload])


def write_result(message_id: MessageId, payload: Mapping[str, Any]) -> str:
    """A CALLRESULT as compact JSON."""
    body = _ENCODER.encode(payload) if payload else "{}"
    known_as = _quote(message_id) if isinstance(message_id, str) else str(message_id)
    return f"[{CALL_RESULT},{known_as},{body}]"


def write_error(message_id: MessageId, code: ErrorCode, reason: str, version: Version) -> str:
    """A CALLERROR as compact JSON; the description is cut to the 255 characters the standard allows."""
    return _ENCODER.encode([CALL_ERROR, message_id, code.spelling(version), reason[:255], {}])
