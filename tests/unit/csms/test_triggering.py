from __future__ import annotations

from datetime import timedelta

import pytest

from supervision.csms.triggering import Asked, may_ask
from tests.factories import NOW

BOOT = "BootNotification"


def asked(minutes_ago: float, message: str = BOOT, word: str | None = "Accepted") -> Asked:
    return Asked(message=message, at=NOW - timedelta(minutes=minutes_ago), word=word)


@pytest.mark.parametrize(
    ("earlier", "may"),
    [
        ([], True),
        ([asked(0)], False),
        ([asked(9.9), asked(60)], False),
        ([asked(10)], True),
        ([asked(1, "StatusNotification")], True),
        ([asked(1, word=None)], False),  # not answered: all the more
        ([asked(5000, word="NotImplemented")], False),
        ([asked(20, word="Rejected")], True),
    ],
)
def test_14_a_message_is_asked_for_once_in_ten_minutes_and_never_where_it_is_unknown(
    earlier: list[Asked], *, may: bool
) -> None:
    assert may_ask(earlier, BOOT, NOW) is may
