"""A station's side of a recorded conversation, for playing it again to a central system. Pure.

What the station said is said again; what answers differ from the recorded ones is told. Ids that the central
system gives out (1.6 transactionId) are put in the place of those it gave the first time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from supervision.kernel.errors import FieldError

CALL, RESULT, ERROR = 2, 3, 4
_OF_THE_MOMENT = frozenset({"currentTime"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One CALL of the station and the answer it got then; None: none is on record."""

    message_id: str
    action: str
    payload: Mapping[str, Any]
    answer: list[Any] | None


def read_recording(lines: Iterable[str]) -> list[Said]:
    """Read the lines of a journal taken away as a file; FieldError names the line that is none.

    Frames that were no sound CALL of the station are left out: another tool sends raw bytes.
    """
    calls: list[tuple[str, str, Mapping[str, Any]]] = []
    answers: dict[str, list[Any]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        direction, frame = _entry(number, line)
        match frame:
            case [2, str(message_id), str(action), dict(payload), *_] if direction == "in":
                calls.append((message_id, action, payload))
            case [3 | 4, str(message_id), *_] if direction == "out":
                answers.setdefault(message_id, frame)
    return [
        Said(message_id=message_id, action=action, payload=payload, answer=answers.get(message_id))
        for message_id, action, payload in calls
    ]


def _entry(number: int, line: str) -> tuple[str, Any]:
    try:
        entry = json.loads(line)
        return str(entry["direction"]), _frame(entry["frame"])
    except (ValueError, KeyError, TypeError):
        raise FieldError(f"line {number}", "no frame of a journal") from None


def _frame(text: object) -> Any:
    try:
        return json.loads(str(text))
    except (ValueError, RecursionError):
        return None


@dataclass
class Ids:
    """Which transactionId stands for which recorded one (1.6)."""

    known: dict[int, int] = field(default_factory=dict)

    def put_into(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return the payload with the ids of this run."""
        number = payload.get("transactionId")
        if isinstance(number, int) and number in self.known:
            return {**payload, "transactionId": self.known[number]}
        return dict(payload)

    def learn(self, recorded: list[Any] | None, answered: list[Any]) -> None:
        """Remember the id that an answer gave."""
        old, new = _number_in(recorded), _number_in(answered)
        if old is not None and new is not None:
            self.known[old] = new


def _number_in(frame: list[Any] | None) -> int | None:
    payload = _body(frame)
    number = payload.get("transactionId") if isinstance(payload, dict) else None
    return number if isinstance(number, int) else None


def _body(frame: list[Any] | None) -> Any:
    return frame[2] if frame is not None and len(frame) > 2 else None  # noqa: PLR2004 - [type, id, body]


def difference(said: Said, answered: list[Any]) -> str | None:
    """Tell how an answer differs from the recorded one; None when it says the same, or none is on record."""
    if said.answer is None:
        return None
    if said.answer[0] != answered[0]:
        return f"{said.action}: {_kind(answered)} instead of {_kind(said.answer)}"
    then, now = _lasting(_body(said.answer)), _lasting(_body(answered))
    if then == now:
        return None
    return f"{said.action}: {json.dumps(now, sort_keys=True)} instead of {json.dumps(then, sort_keys=True)}"


def _lasting(body: Any) -> Any:
    """What of an answer must be the same in another run: not the hour, not the id of a transaction."""
    if not isinstance(body, dict):
        return body
    gone = _OF_THE_MOMENT | ({"transactionId"} if isinstance(body.get("transactionId"), int) else set())
    return {name: value for name, value in body.items() if name not in gone}


def _kind(frame: list[Any]) -> str:
    return "CALLRESULT" if frame[0] == RESULT else f"CALLERROR {_body(frame)}"
