"""Which limit rules when: the composite rules, one case each."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from supervision.charging.composite import (
    Context,
    Profile,
    Step,
    composite,
    difference,
    matches,
    read_composite,
)
from tests.unit.charging.cases import at

CHARGING = Context(phases=3, voltage_v=230, charging_since=at("17:50"))
IDLE = Context(phases=3, voltage_v=230)


def profile(
    *periods: tuple[int, float], purpose: str = "TxDefaultProfile", level: int = 0, **more: Any
) -> Profile:
    given: dict[str, Any] = {"kind": "Absolute", "unit": "A", "start": at("18:00"), "evse_id": 1, **more}
    return Profile(
        purpose=purpose, stack_level=level, periods=tuple((s, limit, 3) for s, limit in periods), **given
    )


def steps(
    *profiles: Profile, hours: int = 4, context: Context = CHARGING, unit: Any = "A"
) -> list[tuple[str, Any]]:
    found = composite(
        profiles, start=at("18:00"), duration=timedelta(hours=hours), unit=unit, context=context
    )
    return [(f"{step.at:%H:%M}", step.limit) for step in found]


def test_no_profile_is_no_limit() -> None:
    assert steps() == [("18:00", None)]


def test_the_highest_stack_level_leads() -> None:
    assert steps(profile((0, 8)), profile((0, 16), (3_600, 20), level=2)) == [("18:00", 16), ("19:00", 20)]


def test_a_level_past_its_duration_does_not_shadow_the_one_below() -> None:
    high = profile((0, 16), level=2, duration_s=3_600)
    assert steps(profile((0, 8)), high) == [("18:00", 16), ("19:00", 8)]


def test_a_level_not_begun_or_not_valid_does_not_shadow_either() -> None:
    later = profile((0, 20), level=2, start=at("20:00"))
    bounded = profile((0, 16), level=1, valid_from=at("19:00"), valid_to=at("19:30"))
    assert steps(profile((0, 8)), later, bounded) == [
        ("18:00", 8),
        ("19:00", 16),
        ("19:30", 8),
        ("20:00", 20),
    ]


def test_across_purposes_the_lowest_limit_counts() -> None:
    cap = profile((0, 12), purpose="ChargePointMaxProfile", evse_id=0)
    assert steps(cap, profile((0, 16), (3_600, 8))) == [("18:00", 12), ("19:00", 8)]


def test_a_tx_profile_replaces_the_default_during_a_charging_transaction_only() -> None:
    both = profile((0, 8)), profile((0, 32), purpose="TxProfile", duration_s=3_600)
    assert steps(*both) == [("18:00", 32), ("19:00", 8)]
    assert steps(*both, context=IDLE) == [("18:00", 8)]


def test_a_recurring_profile_starts_again_every_day_in_utc() -> None:
    daily = profile(
        (0, 16), kind="Recurring", recurrency="Daily", start=at("18:00") - timedelta(days=9), duration_s=3_600
    )
    assert steps(daily, hours=25) == [("18:00", 16), ("19:00", None), ("18:00", 16)]


def test_a_recurring_profile_of_today_does_not_reach_back() -> None:
    daily = profile((0, 16), kind="Recurring", recurrency="Daily", start=at("20:00"))
    assert steps(daily) == [("18:00", None), ("20:00", 16)]


def test_a_relative_profile_counts_from_the_start_of_charging() -> None:
    relative = profile((0, 16), (1_800, 8), kind="Relative", start=None)
    assert steps(relative) == [("18:00", 16), ("18:20", 8)]
    assert steps(relative, context=IDLE) == [("18:00", 16), ("18:30", 8)]


def test_an_absolute_profile_without_a_start_says_nothing() -> None:
    assert steps(profile((0, 16), start=None)) == [("18:00", None)]


def test_units_are_converted_with_the_phases_in_use() -> None:
    assert steps(profile((0, 16)), unit="W") == [("18:00", 11_040)]
    assert steps(profile((0, 7_360), unit="W"), context=Context(phases=1, voltage_v=230)) == [("18:00", 32)]


def answered(*periods: tuple[int, float], start: str = "2026-11-21T18:00:00Z") -> dict[str, Any]:
    listed = [{"startPeriod": s, "limit": limit} for s, limit in periods]
    return {
        "status": "Accepted",
        "connectorId": 1,
        "scheduleStart": start,
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": listed},
    }


EXPECTED = [Step(at("18:00"), 16.0), Step(at("19:00"), 8.0)]


def check(response: dict[str, Any]) -> bool:
    return matches(EXPECTED, read_composite(response) or [], until=at("22:00"))


def test_an_answer_a_second_off_at_an_edge_matches() -> None:
    assert check(answered((0, 16), (3_601, 8)))


def test_an_answer_of_2_0_1_is_read_too() -> None:
    schedule = {
        "scheduleStart": "2026-11-21T18:00:00Z",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}],
    }
    assert read_composite({"status": "Accepted", "schedule": schedule}) == [Step(at("18:00"), 16.0)]


def test_a_rejected_answer_has_no_steps() -> None:
    assert read_composite({"status": "Rejected"}) is None
    assert read_composite({"status": "Accepted"}) is None


def test_a_station_that_ignores_the_profile_is_caught_with_the_instant() -> None:
    reported = read_composite(answered((0, 16)))
    assert reported is not None
    assert difference(EXPECTED, reported, until=at("22:00")) == (
        at("19:00") + timedelta(seconds=2),
        8.0,
        16.0,
    )
    assert not check(answered((0, 32), (3_600, 8)))
    assert not check({"status": "Rejected"})


def test_no_limit_is_reported_as_minus_one_or_as_much() -> None:
    free = [Step(at("18:00"), None)]
    for limit in (-1, 48, 63):
        assert matches(free, read_composite(answered((0, limit))) or [], until=at("22:00"))
    assert not matches(free, read_composite(answered((0, 16))) or [], until=at("22:00"))
    assert not matches(EXPECTED, read_composite(answered((0, -1))) or [], until=at("22:00"))
