"""Eight digits from a secret: nobody without the key can tell one code from another (HMAC-SHA-256).

The digits depend on the booking, its window and a revision, so every change of a booking gives new ones.
Eight digits against a box that locks after five wrong tries fall with 0.1 % a year (threat table of the
key box: guessing); six would fall with 10 %.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Iterator

from supervision.kernel.timespan import Timespan, to_millis

DIGITS = 8
SECRET_BYTES = 32
_FIRST = 10 ** (DIGITS - 1)  # never a leading zero: people and spreadsheets drop it
_COUNT = 9 * _FIRST
_FAIR = 2**64 - 2**64 % _COUNT  # numbers from here on would favour the low codes


def digits_of(secret: bytes, booking_id: str, window: Timespan, revision: int) -> str:
    """Return the eight digits of one revision of a booking's code."""
    for number in _numbers(secret, f"{booking_id}|{_window(window)}|{revision}"):
        if number < _FAIR:
            return str(_FIRST + number % _COUNT)
    raise AssertionError("unreachable: the stream of numbers does not end")


def choose(
    secret: bytes, booking_id: str, window: Timespan, *, first_revision: int, taken: Collection[str]
) -> int:
    """Return the first revision from `first_revision` whose digits no live code of the station has."""
    revision = first_revision
    while digits_of(secret, booking_id, window, revision) in taken:
        revision += 1
    return revision


def same(first: str, second: str) -> bool:
    """Compare two codes in constant time."""
    return hmac.compare_digest(first.encode(), second.encode())


def looks_like_code(text: str) -> bool:
    """Tell whether a token shown at a charging station can be an access code at all."""
    return len(text) == DIGITS and text.isascii() and text.isdigit()


def _window(window: Timespan) -> str:
    return f"{to_millis(window.start)}-{to_millis(window.end)}"


def _numbers(secret: bytes, message: str) -> Iterator[int]:
    """Endless 64-bit numbers, the first of which is taken in all but one of 10^12 cases."""
    counter = 0
    while True:
        block = hmac.new(secret, f"{message}|{counter}".encode(), hashlib.sha256).digest()
        yield int.from_bytes(block[:8], "big")
        counter += 1
