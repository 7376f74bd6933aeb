from __future__ import annotations

import pytest

from supervision.csms.vigil import Vigil


def rounds_until_gone(vigil: Vigil, *, ponged: bool) -> int:
    """How many silent rounds a station survives and one more."""
    return next(number for number in range(1, 100) if vigil.round(heard=False, ponged=ponged and number == 1))


def test_station_that_answers_pings_is_gone_after_one_silent_round() -> None:
    vigil = Vigil(heartbeat_s=300)
    assert vigil.round(heard=True, ponged=True) is False
    assert vigil.round(heard=False, ponged=False) is True


def test_10_station_that_answers_no_pings_is_gone_when_it_missed_three_heartbeats() -> None:
    assert rounds_until_gone(Vigil(heartbeat_s=300), ponged=False) == 30


def test_10_whatever_it_says_begins_the_watch_anew() -> None:
    vigil = Vigil(heartbeat_s=300)
    heard = [round_ % 29 == 0 for round_ in range(1, 300)]
    assert [vigil.round(heard=one, ponged=False) for one in heard] == [False] * len(heard)


@pytest.mark.parametrize("heartbeat_s", [0, 5])
def test_a_round_is_the_shortest_patience(heartbeat_s: float) -> None:
    assert rounds_until_gone(Vigil(heartbeat_s=heartbeat_s), ponged=False) == 1
