"""From periods to the wire, for stations of every skill; nothing ever above the plan."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import ocpp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervision.charging.composite import Context, Step, composite, read_profile
from supervision.charging.model import Period
from supervision.charging.profile import (
    Capabilities,
    CompiledProfile,
    Outlet,
    Version,
    compile_plan,
    compile_standing,
    same_profile,
    standing_limit,
)
from tests.unit.charging.cases import at

ZOE_AT_1 = Outlet(evse_id=1, phases=3, voltage_v=230, standing_a=8.0)
SCHEMAS = Path(ocpp.__file__).parent


def validator(version: str) -> jsonschema_rs.Validator:
    name = (
        "v16/schemas/SetChargingProfile.json"
        if version == "1.6"
        else "v201/schemas/SetChargingProfileRequest.json"
    )
    return jsonschema_rs.validator_for(json.loads((SCHEMAS / name).read_text(encoding="utf-8-sig")))


VALID = {"1.6": validator("1.6"), "2.0.1": validator("2.0.1")}


def period(start: str, end: str, current_a: float) -> Period:
    return Period(start=at(start), end=at(end), current_a=current_a, power_w=round(current_a * 690))


EVENING = (period("18:30", "19:00", 32.0), period("23:00", "23:40", 16.0))


def compiled(
    periods: Sequence[Period] = EVENING, *, capabilities: Capabilities, now: str = "18:07", **more: Any
) -> CompiledProfile:
    return compile_plan(
        periods, until=at("+06:00"), now=at(now), outlet=ZOE_AT_1, capabilities=capabilities, **more
    )


def test_a_plan_becomes_an_absolute_tx_default_profile_of_1_6() -> None:
    answer = compiled(capabilities=Capabilities(version="1.6", stack_level=2))
    assert answer.valid_until is None
    assert answer.payload == {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 11,
            "stackLevel": 2,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {
                "chargingRateUnit": "A",
                "startSchedule": "2026-11-21T18:00:00Z",
                "chargingSchedulePeriod": [
                    {"startPeriod": 0, "limit": 0.0},
                    {"startPeriod": 1_800, "limit": 32.0},
                    {"startPeriod": 3_600, "limit": 0.0},
                    {"startPeriod": 18_000, "limit": 16.0},
                    {"startPeriod": 20_400, "limit": 0.0},
                    {"startPeriod": 43_210, "limit": 8.0},
                ],
            },
        },
    }


def test_the_same_plan_for_2_0_1_as_a_tx_profile() -> None:
    answer = compiled(capabilities=Capabilities(version="2.0.1"), transaction_id="tx-7")
    profile = answer.payload["chargingProfile"]
    assert isinstance(profile, dict)
    assert answer.payload["evseId"] == 1
    assert profile["id"] == 12
    assert profile["transactionId"] == "tx-7"
    assert profile["chargingProfilePurpose"] == "TxProfile"
    assert [schedule["id"] for schedule in profile["chargingSchedule"]] == [1]
    VALID["2.0.1"].validate(answer.payload)


def test_watts_are_the_total_of_the_phases_in_use() -> None:
    spring = Outlet(evse_id=2, phases=1, voltage_v=230, standing_a=8.0)
    answer = compile_plan(
        [period("18:00", "18:30", 29.9)],
        until=at("18:30"),
        now=at("18:00"),
        outlet=spring,
        capabilities=Capabilities(version="1.6", unit="W"),
    )
    profile = answer.payload["csChargingProfiles"]
    assert isinstance(profile, dict)
    assert profile["chargingSchedule"]["chargingSchedulePeriod"] == [
        {"startPeriod": 0, "limit": 6_877.0, "numberPhases": 1},
        {"startPeriod": 1_800, "limit": 1_840.0, "numberPhases": 1},
    ]


def limits(answer: CompiledProfile) -> list[tuple[int, float]]:
    return [(start, limit) for start, limit, _ in read_profile(answer.payload).periods]


def test_a_station_of_few_periods_gets_the_first_ones_and_a_date_to_send_the_rest() -> None:
    answer = compiled(capabilities=Capabilities(version="1.6", max_periods=3))
    assert limits(answer) == [(0, 0.0), (1_800, 32.0), (3_600, 0.0)]
    assert answer.valid_until == at("19:00")
    assert read_profile(answer.payload).duration_s == 43_210  # then the standing profile rules again


def test_a_station_of_one_period_gets_what_holds_now_until_the_next_change() -> None:
    answer = compiled(capabilities=Capabilities(version="1.6", max_periods=1), now="18:40")
    assert limits(answer) == [(0, 32.0)]
    assert answer.valid_until == at("19:00")


def test_a_station_without_absolute_schedules_gets_one_period_too() -> None:
    answer = compiled(capabilities=Capabilities(version="1.6", absolute=False), now="18:40")
    profile = read_profile(answer.payload)
    assert (profile.kind, profile.start, profile.periods) == ("Relative", None, ((0, 32.0, 3),))
    assert answer.valid_until == at("19:00")


def test_past_steps_do_not_count_among_the_few() -> None:
    late = compiled(capabilities=Capabilities(version="1.6", max_periods=4), now="19:05")
    assert limits(late) == [(0, 0.0), (14_400, 16.0), (16_800, 0.0), (39_610, 8.0)]
    assert late.valid_until is None


def test_a_station_of_one_stack_level_keeps_the_id_of_the_standing_profile() -> None:
    only = Capabilities(version="2.0.1", stack_level=0, max_periods=2)
    plan, standing = (
        compiled(capabilities=only),
        compile_standing(outlet=ZOE_AT_1, capabilities=only, since=at("18:00")),
    )
    assert plan.payload["chargingProfile"]["id"] == standing["chargingProfile"]["id"] == 10  # type: ignore[index]
    assert read_profile(plan.payload).duration_s is None  # nothing below it: an end would be no limit at all


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_the_standing_profile_is_one_limit_without_an_end(version: Version) -> None:
    capabilities = Capabilities(version=version, stack_level=3)
    payload = compile_standing(outlet=ZOE_AT_1, capabilities=capabilities, since=at("18:07"))
    profile = read_profile(payload)
    assert (profile.purpose, profile.stack_level) == ("TxDefaultProfile", 0)
    assert (profile.start, profile.duration_s, profile.periods) == (at("18:00"), None, ((0, 8.0, 3),))
    VALID[version].validate(payload)


def test_the_standing_limit_is_an_equal_part_of_the_site_or_nothing() -> None:
    assert standing_limit(site_limit_a=52, points=3, min_a=8) == 17.3
    assert standing_limit(site_limit_a=32, points=5, min_a=8) == 0.0


def test_a_replan_that_changes_nothing_is_the_same_profile() -> None:
    capabilities = Capabilities(version="1.6")
    first = compiled(capabilities=capabilities, now="18:07")
    assert same_profile(first.payload, compiled(capabilities=capabilities, now="18:14").payload)
    assert same_profile(first.payload, compiled(EVENING, capabilities=capabilities, now="19:20").payload)


def test_another_limit_level_or_end_is_another_profile() -> None:
    one = Capabilities(version="1.6")
    first = compiled(capabilities=one).payload
    assert not same_profile(first, compiled(EVENING[:1], capabilities=one).payload)
    assert not same_profile(first, compiled(capabilities=Capabilities(version="1.6", stack_level=3)).payload)
    assert not same_profile(first, compiled(capabilities=Capabilities(version="1.6", max_periods=5)).payload)


def test_a_fall_comes_a_second_early_and_a_rise_a_second_late() -> None:
    half = timedelta(milliseconds=500)
    odd = Period(start=at("18:30") + half, end=at("19:00") + half, current_a=16.0, power_w=11_040)
    answer = compiled([odd], capabilities=Capabilities(version="1.6"))
    assert limits(answer)[:3] == [(0, 0.0), (1_801, 16.0), (3_600, 0.0)]


@st.composite
def plans(draw: st.DrawFn) -> list[Period]:
    found, start = [], at("18:10")
    for _ in range(draw(st.integers(0, 8))):
        start += timedelta(milliseconds=draw(st.one_of(st.just(0), st.integers(1, 3_600_000))))
        end = start + timedelta(milliseconds=draw(st.integers(1, 3_600_000)))
        found.append(Period(start=start, end=end, current_a=draw(st.integers(60, 320)) / 10, power_w=1))
        start = end
    return found


CAPABILITIES = st.builds(
    Capabilities,
    version=st.sampled_from(["1.6", "2.0.1"]),
    max_periods=st.sampled_from([1, 2, 3, 6, 24]),
    stack_level=st.integers(0, 3),
    absolute=st.booleans(),
)


@settings(max_examples=200, deadline=None)
@given(periods=plans(), capabilities=CAPABILITIES, minute=st.integers(0, 600))
def test_no_profile_ever_allows_more_than_the_plan_while_it_counts(
    periods: list[Period], capabilities: Capabilities, minute: int
) -> None:
    now, until = at("18:00") + timedelta(minutes=minute), at("+06:00")
    answer = compile_plan(periods, until=until, now=now, outlet=ZOE_AT_1, capabilities=capabilities)
    VALID[capabilities.version].validate(answer.payload)
    standing = compile_standing(outlet=ZOE_AT_1, capabilities=capabilities, since=now)
    steps = composite(
        [read_profile(standing), read_profile(answer.payload)][capabilities.stack_level == 0 :],
        start=now,
        duration=timedelta(days=1),
        unit="A",
        context=Context(phases=3, voltage_v=230, charging_since=now),
    )
    # With room for two periods or more the whole window is safe even if nothing is ever sent again.
    safe_until = until
    if answer.valid_until is not None and len(limits(answer)) == 1:
        safe_until = answer.valid_until
    for moment in _moments(periods, steps):
        allowed = [step.limit for step in steps if step.at <= moment]
        if now <= moment < safe_until:
            assert allowed[-1] is not None
            assert allowed[-1] <= _planned(periods, moment)
    if answer.valid_until is None:
        assert steps[-1].limit == ZOE_AT_1.standing_a


def _moments(periods: Sequence[Period], steps: Sequence[Step]) -> list[Any]:
    return [step.at for step in steps] + [edge for p in periods for edge in (p.start, p.end)]


def _planned(periods: Sequence[Period], moment: Any) -> float:
    return next((p.current_a for p in periods if p.start <= moment < p.end), 0.0)


def test_a_charge_that_runs_on_is_the_same_profile_in_every_replan() -> None:
    capabilities = Capabilities(version="1.6")
    first = compiled([period("18:07", "19:00", 32.0)], capabilities=capabilities, now="18:07")
    later = compiled([period("18:21", "19:00", 32.0)], capabilities=capabilities, now="18:21")
    assert limits(first)[0] == (0, 32.0)
    assert same_profile(first.payload, later.payload)
