from __future__ import annotations

import pytest

from supervision.notify.phone import readable, sms_number


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("06 12 34 56 78", "+33612345678"),
        ("+33 6 12 34 56 78", "+33612345678"),
        ("0033612345678", "+33612345678"),
        ("+41 79 123 45 67", "+41791234567"),
        ("04 75 00 00 00", None),  # a landline takes no SMS
        ("06 12", None),
        ("+33612345678\nBcc: x@example.org", None),
        ("not a number", None),
        ("", None),
    ],
)
def test_sms_number_as_written_is_e164_or_none(written: str, expected: str | None) -> None:
    assert sms_number(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("+33475000000", "04 75 00 00 00"),
        ("+41791234567", "+41 79 123 45 67"),
        (" the town hall ", "the town hall"),
    ],
)
def test_readable_number_is_shown_in_groups(written: str, expected: str) -> None:
    assert readable(written) == expected
