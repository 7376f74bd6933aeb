"""What is read of one station in a given time."""

from __future__ import annotations

import pytest

from supervision.csms.conversation import Allowance
from supervision.csms.frame import action_at_sight


def test_an_allowance_covers_its_burst_then_its_rate() -> None:
    allowance = Allowance(rate_per_s=2, burst=3, now=100.0)
    assert [allowance.spend(100.0) for _ in range(5)] == [0, 0, 0, 0.5, 1.0]
    assert not allowance.covers(101.0)  # what was owed is paid, nothing is left
    assert not allowance.covers(101.25)
    assert allowance.covers(101.5)


def test_asking_spends_nothing() -> None:
    allowance = Allowance(rate_per_s=1, burst=1, now=0.0)
    assert all(allowance.covers(0.0) for _ in range(5))
    assert allowance.spend(0.0) == 0
    assert not allowance.covers(0.0)


def test_rest_never_saves_more_than_the_burst() -> None:
    allowance = Allowance(rate_per_s=50, burst=2, now=0.0)
    assert [allowance.spend(3600.0) for _ in range(3)] == [0, 0, 0.02]


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ('[2,"1","Heartbeat",{}]', "Heartbeat"),
        (' [ 2 , "1" , "MeterValues" , {broken', "MeterValues"),
        ('[3,"1",{}]', None),
        ('[2,"1"]', None),
        ('{"2":1}', None),
        ("", None),
        ("[" + "2" * 300 + ',"1","Heartbeat",{}]', None),
    ],
)
def test_an_action_is_told_at_sight_or_not_at_all(text: str, action: str | None) -> None:
    assert action_at_sight(text) == action
