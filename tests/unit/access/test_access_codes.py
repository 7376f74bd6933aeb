"""Codes derived from a key: eight digits, new with every change, never one of a neighbour's."""

from __future__ import annotations

import stat
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervision.access.codes import choose, digits_of, looks_like_code, same
from supervision.access.model import VisibleCode
from supervision.access.secret import load_secret
from supervision.kernel.errors import FieldError
from supervision.kernel.timespan import Timespan

KEY = bytes(range(32))
START = datetime(2026, 11, 21, 8, tzinfo=UTC)
WINDOW = Timespan(START, START + timedelta(hours=2))


def test_digits_are_fixed_by_key_booking_window_and_revision() -> None:
    first = digits_of(KEY, "b1", WINDOW, 1)
    later = Timespan(WINDOW.start, WINDOW.end + timedelta(hours=1))
    others = {
        digits_of(bytes(32), "b1", WINDOW, 1),
        digits_of(KEY, "b2", WINDOW, 1),
        digits_of(KEY, "b1", later, 1),
        digits_of(KEY, "b1", WINDOW, 2),
    }
    assert first == digits_of(KEY, "b1", WINDOW, 1)
    assert len(others | {first}) == 5


def test_digits_known_answer() -> None:
    """A change of the derivation would lock out every driver with a code: it needs a migration."""
    assert digits_of(KEY, "b1", WINDOW, 1) == "35248839"


@given(st.text(max_size=30), st.integers(min_value=1, max_value=10**6))
def test_digits_are_eight_without_a_leading_zero(booking_id: str, revision: int) -> None:
    digits = digits_of(KEY, booking_id, WINDOW, revision)
    assert looks_like_code(digits)
    assert digits[0] != "0"


def test_digits_are_spread_evenly() -> None:
    """Chi-square of the first digit over 9 000 codes; 26.1 is exceeded once in a thousand keys."""
    seen = Counter(digits_of(KEY, f"b{number}", WINDOW, 1)[0] for number in range(9000))
    assert set(seen) == set("123456789")
    assert sum((count - 1000) ** 2 / 1000 for count in seen.values()) < 26.1


def test_revision_goes_on_until_the_digits_are_free() -> None:
    taken = {digits_of(KEY, "b1", WINDOW, revision) for revision in (3, 4)}
    assert choose(KEY, "b1", WINDOW, first_revision=3, taken=taken) == 5
    assert choose(KEY, "b1", WINDOW, first_revision=1, taken=taken) == 1


@pytest.mark.parametrize("text", ["", "1234567", "123456789", "1234567a", "١٢٣٤٥٦٧٨", "04A1B2C3"])
def test_other_tokens_are_no_codes(text: str) -> None:
    assert not looks_like_code(text)


def test_same_compares_text() -> None:
    assert same("12345678", "12345678")
    assert not same("12345678", "12345679")


def test_C24_digits_are_not_in_the_repr() -> None:
    code = VisibleCode(digits="12345678", valid_from=START, valid_until=START, released_at=START, revision=1)
    assert "12345678" not in repr(code)


def test_secret_is_made_once_and_private(tmp_path: Path) -> None:
    first = load_secret(tmp_path / "data")
    mode = stat.S_IMODE((tmp_path / "data" / "secret.key").stat().st_mode)
    assert (len(first), mode, load_secret(tmp_path / "data")) == (32, 0o600, first)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret.key"]


def test_secrets_of_two_installations_differ(tmp_path: Path) -> None:
    assert load_secret(tmp_path / "a") != load_secret(tmp_path / "b")


def test_damaged_secret_is_refused_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_bytes(b"short")
    with pytest.raises(FieldError):
        load_secret(tmp_path)
    assert (tmp_path / "secret.key").read_bytes() == b"short"
