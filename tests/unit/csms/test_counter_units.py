"""A counter that may count in kWh and say Wh: what speaks for it, what against."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from supervision.csms.machine import ChargingTransaction, State
from supervision.csms.metering import Seen, Surroundings, charging_h, hardly_any, too_little
from supervision.csms.proposing import propose

START = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
UNSEEN = Seen()
MAX_W = 22_000.0


def charge(wh: int | None, hours: float) -> ChargingTransaction:
    """An ended charge of so many Wh; kWh, if its counter says the wrong word."""
    stopped = START + timedelta(hours=hours)
    return ChargingTransaction(
        state=State.ENDED,
        started_at=START,
        started_received_at=START,
        stopped_at=stopped,
        stopped_received_at=stopped,
        meter_start_wh=361,
        meter_stop_wh=None if wh is None else 361 + wh,
        measured_wh=wh,
        energy_wh=wh,
        start_told=True,
        stop_register_told=True,
    )


@pytest.mark.parametrize(
    ("wh", "hours", "seen", "worth_a_look"),
    [
        (7, 1.0, UNSEEN, True),
        (200, 12.0, UNSEEN, True),
        (201, 12.0, UNSEEN, False),  # 201 kWh are in no car
        (7, 0.1, UNSEEN, False),
        (0, 1.0, UNSEEN, False),
        (None, 1.0, UNSEEN, False),
        (7, 1.0, Seen(powers=2, average_w=7000.0), False),  # the power decides (unit_doubtful)
    ],
)
def test_only_hardly_any_energy_without_a_power_is_worth_a_look(
    wh: int | None, hours: float, seen: Seen, *, worth_a_look: bool
) -> None:
    assert hardly_any(charge(wh, hours), seen) is worth_a_look


@pytest.mark.parametrize(
    ("wh", "hours", "around", "doubtful"),
    [
        (7, 1.0, Surroundings(max_power_w=MAX_W), True),  # 7 kW for an hour, or a full car
        (24, 1.0, Surroundings(max_power_w=MAX_W), True),
        (25, 1.0, Surroundings(max_power_w=MAX_W), False),  # 25 kW no EVSE of 22 kW delivers
        (25, 1.0, Surroundings(), True),
        (99, 1.0, Surroundings(), True),
        (100, 1.0, Surroundings(), False),
        (7, 1.0, Surroundings(lately_wh=999), True),
        (7, 1.0, Surroundings(lately_wh=1000), False),  # it counted a kWh before: it counts in Wh
        (7, 1.0, Surroundings(lately_wh=1000, charging_h=0.5), True),  # charging all the time, it says
        (7, 12.0, Surroundings(charging_h=0.0), False),  # a full car on its cable
        (7, 12.0, Surroundings(charging_h=0.1), False),
    ],
)
def test_so_little_in_so_long_a_time_is_doubtful(
    wh: int, hours: float, around: Surroundings, *, doubtful: bool
) -> None:
    assert too_little(charge(wh, hours), around) is doubtful


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def test_the_time_of_charging_is_that_of_its_state_alone() -> None:
    told = [
        (at(0), "EVConnected"),
        (at(10), "Charging"),
        (at(20), None),
        (at(40), "SuspendedEV"),
        (at(50), "Charging"),
    ]
    assert charging_h(told, at(80)) == 1.0
    assert charging_h(told[:1], at(80)) == 0.0
    assert charging_h([(at(0), None)], at(80)) is None
    assert charging_h([(at(50), "Charging"), (at(40), "SuspendedEV")], at(80)) == 0.0  # a clock set back


def test_of_a_counter_in_doubt_nothing_is_proposed() -> None:
    row = replace(charge(7, 1.0), review="too_little")
    assert propose(row, (), max_power_w=MAX_W) is None
