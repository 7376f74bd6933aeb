"""JSON from outside, read so that nothing behind it can stumble: I-JSON (RFC 7493) and a little stricter.

What SQLite would take and PostgreSQL would not, or one JSON library and not the next, is refused here, with
the path of the value: NUL and lone surrogates in text, numbers beyond exact integers, deep nesting.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NoReturn

from supervision.kernel.errors import FieldError

MAX_DEPTH = 32
MAX_INTEGER = 2**53 - 1  # exact in every JSON implementation (RFC 7493 2.2)


class NotJsonError(ValueError):
    """The bytes are no JSON document."""


def read_body(raw: bytes) -> object:
    """Return the value of a body; NotJsonError for what is no JSON, FieldError for what nobody can store."""
    try:
        value: object = json.loads(raw, parse_constant=_no_constant, parse_float=_number)
    except RecursionError:
        raise NotJsonError("the body is nested too deeply") from None
    except ValueError:
        raise NotJsonError("the body is not JSON") from None
    _check(value)
    return value


def check_text(path: str, text: str) -> str:
    """Return the text; FieldError when it holds what no database column and no UTF-8 can hold."""
    if "\0" in text:
        raise FieldError(path, "a NUL character is not text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise FieldError(path, "a lone surrogate is not text") from None
    return text


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _number(text: str) -> int | float:
    """Whole numbers are integers however they are written: 3.0 is as good a connector as 3."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) <= MAX_INTEGER else number


def _check(value: object) -> None:
    waiting: list[tuple[str, int, object]] = [("", 0, value)]
    while waiting:
        path, depth, one = waiting.pop()
        if depth > MAX_DEPTH:
            raise NotJsonError("the body is nested too deeply")
        _check_plain(path or "body", one)
        waiting.extend((at, depth + 1, child) for at, child in _children(path, one))


def _children(path: str, value: object) -> Iterator[tuple[str, Any]]:
    below = f"{path}." if path else ""
    if isinstance(value, dict):
        for name, child in value.items():
            yield below + check_text(path or "body", name), child
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield f"{below}{index}", child


def _check_plain(path: str, value: object) -> None:
    if isinstance(value, str):
        check_text(path, value)
    elif isinstance(value, int | float) and not abs(value) <= MAX_INTEGER:
        raise FieldError(path, "the number is out of range")
