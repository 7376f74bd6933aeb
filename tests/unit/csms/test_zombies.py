from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from supervision.csms.model import ConnectorStatus, Ground, PresumedEnd
from supervision.csms.zombies import OpenCharge, over_long, presumed_end

START = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)


def after(**parts: float) -> datetime:
    return START + timedelta(**parts)


HEARD = after(minutes=30)


def charge(**values: Any) -> OpenCharge:
    known: dict[str, Any] = {
        "started_at": START,
        "heard_at": HEARD,
        "energy_flowed": True,
        "connected_since": after(days=-1),
        "evse_status": ConnectorStatus.CHARGING,
        "evse_status_at": START,
        **values,
    }
    return OpenCharge(**known)


SUPERSEDED = charge(newer_started_at=after(hours=1), newer_received_at=after(hours=1))
FREE = charge(evse_status=ConnectorStatus.AVAILABLE, evse_status_at=after(hours=1))
EMPTY = charge(
    heard_at=START,
    energy_flowed=False,
    evse_status=ConnectorStatus.AVAILABLE,
    evse_status_at=after(hours=1),
)
GONE = charge(connected_since=None, away_since=after(hours=1))


@pytest.mark.parametrize(
    ("seen", "ground", "due"),
    [
        (SUPERSEDED, Ground.SUPERSEDED, after(hours=1, minutes=5)),
        (FREE, Ground.IDLE, after(hours=1, minutes=15)),
        (EMPTY, Ground.NEVER_STARTED, after(hours=1, minutes=15)),
        (GONE, Ground.GONE, after(days=14, hours=1)),
    ],
)
def test_each_ground_holds_from_its_instant_on_and_ends_the_charge_where_it_was_last_heard(
    seen: OpenCharge, ground: Ground, due: datetime
) -> None:
    assert presumed_end(seen, due - timedelta(seconds=1)) is None
    assert presumed_end(seen, due) == PresumedEnd(ground=ground, at=seen.heard_at)


@pytest.mark.parametrize(
    "seen",
    [
        charge(),
        charge(newer_started_at=after(minutes=20), newer_received_at=after(minutes=20)),
        charge(evse_status=ConnectorStatus.FINISHING),
        charge(evse_status=ConnectorStatus.OCCUPIED),
        charge(evse_status=ConnectorStatus.FAULTED),
        charge(evse_status=ConnectorStatus.AVAILABLE, evse_status_at=START),
        charge(evse_status=ConnectorStatus.AVAILABLE, evse_status_at=None),
        charge(newer_started_at=after(hours=1)),
    ],
    ids=[
        "plugged for a week",
        "heard after the newer one began",
        "finishing",
        "occupied",
        "faulted",
        "free only before the start",
        "never told its status",
        "nobody knows when the newer one was told",
    ],
)
def test_no_ground_however_long_it_lasts(seen: OpenCharge) -> None:
    assert presumed_end(seen, after(days=7)) is None


def test_a_charge_heard_of_in_the_instant_the_next_began_has_ended_there() -> None:
    seen = charge(heard_at=after(hours=1), newer_started_at=after(hours=1), newer_received_at=after(hours=1))
    end = PresumedEnd(ground=Ground.SUPERSEDED, at=after(hours=1))
    assert presumed_end(seen, after(hours=1, minutes=5)) == end


def test_a_charge_heard_of_at_a_free_evse_is_given_its_time_anew() -> None:
    seen = charge(
        heard_at=after(hours=2), evse_status=ConnectorStatus.AVAILABLE, evse_status_at=after(hours=1)
    )
    assert presumed_end(seen, after(hours=2, minutes=14)) is None
    assert presumed_end(seen, after(hours=2, minutes=15)) == PresumedEnd(
        ground=Ground.IDLE, at=after(hours=2)
    )


def test_a_free_evse_of_a_station_that_is_away_says_nothing() -> None:
    away = charge(
        evse_status=ConnectorStatus.AVAILABLE,
        evse_status_at=after(hours=1),
        connected_since=None,
        away_since=after(hours=2),
    )
    assert presumed_end(away, after(days=7)) is None


def test_a_station_just_back_is_given_time_to_deliver_its_queue() -> None:
    back = charge(
        evse_status=ConnectorStatus.AVAILABLE,
        evse_status_at=after(hours=1),
        connected_since=after(days=1),
    )
    assert presumed_end(back, after(days=1, minutes=14)) is None
    assert presumed_end(back, after(days=1, minutes=15)) == PresumedEnd(ground=Ground.IDLE, at=HEARD)


def test_two_days_without_a_reading_are_shown_and_not_ended() -> None:
    assert not over_long(charge(), HEARD + timedelta(hours=48))
    assert over_long(charge(), HEARD + timedelta(hours=48, seconds=1))
