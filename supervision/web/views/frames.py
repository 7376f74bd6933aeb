"""OCPP frames as people read them: who spoke, which message, what it says. Pure.

The raw text stays beside what was read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from supervision.web.views.station_model import FrameLine

CALL, RESULT, ERROR = 2, 3, 4
MOST_FACTS = 10
LONGEST_FACT = 60
DEEPEST = 8


@dataclass(frozen=True, kw_only=True)
class RawFrame:
    """One row of the journal of frames."""

    id: int
    at: datetime
    direction: Literal["in", "out"]
    text: str


def readable(frames: Sequence[RawFrame], zone: ZoneInfo) -> list[FrameLine]:
    """Read frames given oldest first; answers get the action of their call when it is among them."""
    asked: dict[tuple[str, str], str] = {}
    lines = []
    for frame in frames:
        parsed = _parsed(frame.text)
        if parsed[:1] == [CALL] and len(parsed) >= 3:  # noqa: PLR2004 - [2, id, action, ...]
            asked[frame.direction, str(parsed[1])] = str(parsed[2])
        lines.append(_line(frame, parsed, asked, zone))
    return lines


def matches(line: FrameLine, *, action: str, kind: str) -> bool:
    """Tell whether a line passes the filter of the page."""
    wanted_kind = {"": True, "in": line.direction == "in", "out": line.direction == "out"}
    return (not action or line.action == action) and wanted_kind.get(kind, line.kind == kind)


def _line(
    frame: RawFrame, parsed: list[Any], asked: Mapping[tuple[str, str], str], zone: ZoneInfo
) -> FrameLine:
    kind, action, said = _read(frame, parsed, asked)
    return FrameLine(
        id=frame.id,
        at=frame.at.astimezone(zone),
        direction=frame.direction,
        kind=kind,
        action=action,
        summary=" · ".join(said),
        raw=frame.text,
    )


def _read(
    frame: RawFrame, parsed: list[Any], asked: Mapping[tuple[str, str], str]
) -> tuple[Literal["call", "result", "error", "other"], str, list[str]]:
    other_side = "out" if frame.direction == "in" else "in"
    match parsed:
        case [2, _, str(action), payload, *_]:
            return "call", action, facts(payload)
        case [3, message_id, payload, *_]:
            return "result", asked.get((other_side, str(message_id)), ""), facts(payload)
        case [4, message_id, code, description, *_]:
            return (
                "error",
                asked.get((other_side, str(message_id)), ""),
                [f"{code}: {description}".strip(": ")],
            )
    return "other", "", []


def _parsed(text: str) -> list[Any]:
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return frame if isinstance(frame, list) else []


def facts(payload: object) -> list[str]:
    """The leaves of a payload as short facts, meter readings as value and unit."""
    said: list[str] = []
    for name, value in _leaves("", payload, DEEPEST):
        if len(said) == MOST_FACTS:
            said.append("…")
            break
        text = f"{name} {value}".strip()
        said.append(text if len(text) <= LONGEST_FACT else text[: LONGEST_FACT - 1] + "…")
    return said


def _leaves(name: str, value: object, depth: int) -> Iterator[tuple[str, str]]:
    if depth == 0:
        return
    if isinstance(value, dict):
        yield from _of_object(value, depth)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(name, item, depth - 1)
    elif isinstance(value, bool):
        yield name, "true" if value else "false"
    elif value is not None:
        yield name, str(value)


def _of_object(value: Mapping[str, object], depth: int) -> Iterator[tuple[str, str]]:
    if "value" in value and ("measurand" in value or "unit" in value or "unitOfMeasure" in value):
        yield _reading(value)
    elif set(value) >= {"startPeriod", "limit"}:
        yield "", f"{value['limit']} @ {value['startPeriod']} s"
    elif set(value) >= {"key", "value"}:
        yield str(value["key"]), f"= {value['value']}"
    else:
        for key, item in value.items():
            yield from _leaves(key, item, depth - 1)


def _reading(value: Mapping[str, object]) -> tuple[str, str]:
    measure = value.get("unitOfMeasure")
    unit = measure.get("unit", "") if isinstance(measure, dict) else value.get("unit", "")
    phase = f" {value['phase']}" if "phase" in value else ""
    return (
        f"{value.get('measurand', 'Energy.Active.Import.Register')}{phase}",
        f"{value['value']} {unit}".strip(),
    )
