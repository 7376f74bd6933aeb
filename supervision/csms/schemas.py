"""The JSON schemas of the `ocpp` package, compiled once each, with a strict and a lenient reading.

Strict is for what we send. Lenient is for what stations send: real ones exceed text lengths, add vendor
fields, quote numbers and invent enumeration words. What can be understood is, and each departure is counted.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jsonschema_rs import Draft4Validator, Draft6Validator, ValidationError

from supervision.csms.frame import ErrorCode, Version

_Validator = Draft4Validator | Draft6Validator
_MAX_PASSES = 4  # one repair may uncover another fault below it
_DROPPED = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One departure from the schema: where, what, and the CALLERROR code it would earn. Repeats no value."""

    path: str
    kind: str
    code: ErrorCode
    text: str

    @property
    def place(self) -> str:
        """The path without positions in lists: a thousand readings wrong in one way are one fault."""
        return ".".join("*" if step.isdecimal() else step for step in self.path.split("."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A payload as far as it could be understood.

    `tolerated` were repaired or accepted as they are; `broken` remain: the payload is not usable as a whole.
    """

    payload: dict[str, Any]
    tolerated: tuple[Violation, ...] = ()
    broken: tuple[Violation, ...] = ()


def violations(version: Version, action: str, payload: Mapping[str, Any], *, answer: bool) -> list[Violation]:
    """Strict reading; an empty list means valid. KeyError for an action the version does not know."""
    validator = _validator(version, action, answer)
    if validator.is_valid(payload):
        return []
    return [_violation(error) for error in validator.iter_errors(payload)]


def read_leniently(version: Version, action: str, payload: dict[str, Any], *, answer: bool) -> Checked:
    """Strict first, which costs microseconds; only a payload that fails is copied and repaired."""
    validator = _validator(version, action, answer)
    if validator.is_valid(payload):
        return Checked(payload=payload)
    return _repaired(validator, copy.deepcopy(payload))


def _repaired(validator: _Validator, payload: dict[str, Any]) -> Checked:
    seen: dict[tuple[str, str], Violation] = {}
    broken: list[Violation] = []
    for _ in range(_MAX_PASSES):
        errors = list(validator.iter_errors(payload))
        outcome = [(error, _repair(payload, error)) for error in errors]
        for error, mended in outcome:
            if mended is not None:
                found = _violation(error)
                seen.setdefault((found.path, found.kind), found)
        broken = [_blame(_violation(error), seen) for error, mended in outcome if mended is None]
        if not any(outcome_of_one for _, outcome_of_one in outcome):
            break
    return Checked(payload=payload, tolerated=tuple(seen.values()), broken=tuple(broken))


def _blame(missing: Violation, seen: Mapping[tuple[str, str], Violation]) -> Violation:
    """A required field that we dropped ourselves is reported as what was wrong with it."""
    if missing.kind != "required":
        return missing
    return next((found for (path, _), found in seen.items() if path == missing.path), missing)


def _repair(payload: dict[str, Any], error: ValidationError) -> bool | None:
    """True: the payload was changed. False: tolerated unchanged. None: broken."""
    repair = _REPAIRS.get(error.kind.name)
    if repair is None:
        return None
    try:
        return repair(payload, error)
    except LookupError:  # another fault of this pass already removed the place
        return True


def _tolerate(_payload: dict[str, Any], _error: ValidationError) -> bool | None:
    return False


def _drop_unknown_fields(payload: dict[str, Any], error: ValidationError) -> bool | None:
    owner = _at(payload, error.instance_path)
    for name in error.kind.as_dict()["unexpected"]:
        owner.pop(name, None)
    return True


def _convert(payload: dict[str, Any], error: ValidationError) -> bool | None:
    """Numbers as text and text as numbers; null and what cannot be converted is dropped.

    A register with a fraction of a Wh is rounded: to drop it would cost the energy of the charge.
    """
    value = _at(payload, error.instance_path)
    converted: object = _DROPPED
    for wanted in error.kind.as_dict()["types"]:
        converted = _CONVERSIONS.get(wanted, _no_conversion)(value)
        if converted is _DROPPED and error.instance_path and error.instance_path[-1] in _REGISTERS:
            converted = _to_integer(_rounded(value))
    return _put(payload, error.instance_path, converted)


def _match_word(payload: dict[str, Any], error: ValidationError) -> bool | None:
    """Accept another case, spaces or quotes around; drop an unknown word.

    Not where dropping would change a reading: without its measurand or unit a sampled value would be read as
    energy in Wh, so it is kept and skipped later.
    """
    value = _at(payload, error.instance_path)
    field = error.instance_path[-1] if error.instance_path else ""
    words = {str(word).casefold(): word for word in error.kind.as_dict()["options"]}
    known = words.get(str(value).strip(" \t\"'").casefold())
    if known is None and field in _KEPT_WORDS:
        return False
    if known is None and field == "errorCode":
        known = "OtherError"
    return _put(payload, error.instance_path, _DROPPED if known is None else known)


_KEPT_WORDS = frozenset({"measurand", "unit", "phase"})


def _drop(payload: dict[str, Any], error: ValidationError) -> bool | None:
    return _put(payload, error.instance_path, _DROPPED)


def _format(payload: dict[str, Any], error: ValidationError) -> bool | None:
    """Leave a time that is no RFC 3339 to the translator, which may still read it or take the server's."""
    return False if isinstance(_at(payload, error.instance_path), str) else None


_REPAIRS: Mapping[str, Callable[[dict[str, Any], ValidationError], bool | None]] = {
    "additionalProperties": _drop_unknown_fields,
    "maxLength": _tolerate,
    "multipleOf": _tolerate,
    "minimum": _tolerate,
    "maximum": _tolerate,
    "maxItems": _tolerate,
    "minItems": _drop,
    "type": _convert,
    "enum": _match_word,
    "format": _format,
}


def _no_conversion(_value: object) -> object:
    return _DROPPED


def _to_integer(value: object) -> object:
    try:
        number = float(value) if isinstance(value, str | float) else None
    except ValueError:
        return _DROPPED
    return int(number) if number is not None and number.is_integer() and abs(number) < 2**53 else _DROPPED


_REGISTERS = frozenset({"meterStart", "meterStop"})


def _rounded(value: object) -> object:
    number = _to_number(value) if isinstance(value, str) else value
    return float(round(number)) if isinstance(number, float) and abs(number) < 2**53 else _DROPPED


def _to_number(value: object) -> object:
    try:
        return float(value) if isinstance(value, str) and "n" not in value.lower() else _DROPPED
    except ValueError:
        return _DROPPED


def _to_text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else _DROPPED


def _to_truth(value: object) -> object:
    return (
        {"true": True, "false": False}.get(value.strip().casefold(), _DROPPED)
        if isinstance(value, str)
        else _DROPPED
    )


_CONVERSIONS: Mapping[str, Callable[[object], object]] = {
    "integer": _to_integer,
    "number": _to_number,
    "string": _to_text,
    "boolean": _to_truth,
}


def _at(payload: Any, path: list[str | int]) -> Any:
    for step in path:
        payload = payload[step]
    return payload


def _put(payload: dict[str, Any], path: list[str | int], value: object) -> bool | None:
    """Replace the value at `path`, or remove it; None at the root, which cannot be mended."""
    if not path:
        return None
    owner, last = _at(payload, path[:-1]), path[-1]
    if value is not _DROPPED:
        owner[last] = value
    elif isinstance(owner, dict):
        del owner[last]
    else:
        return None  # removing from a list would move the places other errors of this pass point to
    return True


_CODES = {
    "type": ErrorCode.TYPE,
    "required": ErrorCode.OCCURRENCE,
    "minItems": ErrorCode.OCCURRENCE,
    "maxItems": ErrorCode.OCCURRENCE,
    "additionalProperties": ErrorCode.FORMAT,
}


def _violation(error: ValidationError) -> Violation:
    kind, facts = error.kind.name, error.kind.as_dict()
    path = [str(step) for step in error.instance_path]
    if kind == "required":
        path.append(str(facts.get("property", "?")).strip('"'))
    where = ".".join(path) or "(payload)"
    detail = ", ".join(
        f"{name} {value}" for name, value in facts.items() if name not in {"property", "value"}
    )
    return Violation(
        path=where,
        kind=kind,
        code=_CODES.get(kind, ErrorCode.PROPERTY),
        text=f"{where}: {kind} {detail}".strip(),
    )


@cache
def _validator(version: Version, action: str, answer: bool) -> _Validator:  # noqa: FBT001 (a cache key)
    schema = json.loads(_schema_file(version, action, answer=answer).read_text("utf-8-sig"))
    draft = Draft4Validator if version is Version.V16 else Draft6Validator
    return draft(schema, validate_formats=True)


def _schema_file(version: Version, action: str, *, answer: bool) -> Path:
    """Find the file without importing `ocpp`, whose import costs half a second and 23 MB."""
    spec = find_spec("ocpp")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the ocpp package is not installed")
    folder, suffix = ("v16", "") if version is Version.V16 else ("v201", "Request")
    path = Path(
        spec.submodule_search_locations[0],
        folder,
        "schemas",
        f"{action}{'Response' if answer else suffix}.json",
    )
    if not path.is_file():
        raise KeyError(action)
    return path
