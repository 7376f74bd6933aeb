from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chargepoint_emulator.profiles import (
    RECURRENCES,
    Capabilities,
    Kind,
    Limit,
    Period,
    Profile,
    Profiles,
    Purpose,
    Running,
    Unit,
    composite,
    edges,
    evse_limit,
    install,
    matches,
    overlaps,
    refusal,
    share_out,
    station_limit,
)

T0 = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
RUNNING = Running(tx_key="tx", started_at=T0 + timedelta(minutes=5))


def after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def profile(*limits: float, **changes: Any) -> Profile:
    """A default profile for EVSE 1 from T0 on, its periods one hour long."""
    fields: dict[str, Any] = {
        "profile_id": 1,
        "evse_id": 1,
        "stack_level": 0,
        "purpose": Purpose.TX_DEFAULT,
        "kind": Kind.ABSOLUTE,
        "unit": Unit.AMPERE,
        "start_at": T0,
        "periods": tuple(Period(start_s=3600 * n, limit=limit) for n, limit in enumerate(limits)),
        **changes,
    }
    return Profile(**fields)


def amps(*profiles: Profile, at: datetime = T0, running: Running | None = RUNNING, phases: int = 3) -> float:
    return evse_limit(profiles, evse_id=1, phases=phases, at=at, running=running).amps


def test_no_profile_is_no_limit() -> None:
    assert amps() == math.inf
    assert station_limit((), phases=3, at=T0).amps == math.inf


@pytest.mark.parametrize(("seconds", "limit"), [(0, 10), (3599, 10), (3600, 20), (7200, 6), (10**7, 6)])
def test_last_period_runs_on_when_there_is_no_duration(seconds: int, limit: float) -> None:
    assert amps(profile(10, 20, 6), at=after(seconds)) == limit


def test_before_its_start_a_schedule_does_not_limit() -> None:
    assert amps(profile(10), at=after(-1)) == math.inf


def test_end_of_the_duration_is_no_limit() -> None:
    one = profile(10, duration_s=1800)
    assert amps(one, at=after(1799)) == 10
    assert amps(one, at=after(1800)) == math.inf


def test_validity_bounds_are_half_open() -> None:
    one = profile(10, valid_from=after(60), valid_to=after(120))
    assert [amps(one, at=after(s)) for s in (59, 60, 119, 120)] == [math.inf, 10, 10, math.inf]


def test_highest_stack_level_leads_even_when_it_allows_more() -> None:
    low, high = profile(6), profile(20, profile_id=2, stack_level=3)
    assert amps(low, high) == 20


@pytest.mark.parametrize(
    "hidden",
    [
        {"valid_to": after(0)},
        {"valid_from": after(1)},
        {"duration_s": 0},
        {"start_at": after(60)},
    ],
)
def test_higher_level_not_in_force_does_not_shadow_the_lower(hidden: dict[str, Any]) -> None:
    assert amps(profile(6), profile(20, profile_id=2, stack_level=3, **hidden)) == 6


def test_transaction_profile_replaces_the_default_even_upwards() -> None:
    own = profile(25, profile_id=2, purpose=Purpose.TX, tx_key="tx")
    assert amps(profile(10), own) == 25


def test_transaction_profile_of_another_transaction_is_ignored() -> None:
    other = profile(25, profile_id=2, purpose=Purpose.TX, tx_key="yesterday")
    assert amps(profile(10), other) == 10
    assert amps(profile(10), replace(other, tx_key="tx"), running=None) == 10


def test_default_of_the_evse_overrides_the_one_for_all() -> None:
    everywhere = profile(30, profile_id=2, evse_id=0)
    assert amps(profile(10), everywhere) == 10
    assert amps(profile(10), replace(everywhere, stack_level=5)) == 30
    assert amps(everywhere) == 30
    assert amps(profile(10, evse_id=2), everywhere) == 30


def test_relative_schedule_counts_from_the_start_of_the_transaction() -> None:
    one = profile(10, 20, kind=Kind.RELATIVE, start_at=None)
    assert amps(one, at=after(300 + 3599)) == 10
    assert amps(one, at=after(300 + 3600)) == 20
    assert amps(one, at=after(10**6), running=None) == 10  # as if one had just begun


@pytest.mark.parametrize(
    ("recurrence", "seconds", "limit"),
    [
        ("Daily", -1, math.inf),
        ("Daily", 0, 10),
        ("Daily", 7200, math.inf),
        ("Daily", 86_400 + 3600, 20),
        ("Daily", 5 * 86_400 + 7199, 20),
        ("Weekly", 86_400, math.inf),
        ("Weekly", 7 * 86_400 + 3599, 10),
    ],
)
def test_recurring_schedule_starts_again_and_leaves_the_rest_unlimited(
    recurrence: str, seconds: int, limit: float
) -> None:
    one = profile(10, 20, kind=Kind.RECURRING, recurrence=RECURRENCES[recurrence], duration_s=7200)
    assert amps(one, at=after(seconds)) == limit


def test_watts_are_spread_over_the_phases_of_the_socket() -> None:
    one = profile(6900, unit=Unit.WATT)
    assert amps(one, phases=3) == 10
    assert amps(one, phases=1) == 30
    single = replace(one, periods=(Period(start_s=0, limit=6900, phases=1),))
    assert amps(single, phases=3) == 30


def test_station_cap_is_only_the_station_max_profile() -> None:
    cap = profile(40, purpose=Purpose.STATION_MAX, evse_id=0)
    assert station_limit((cap, profile(10, profile_id=2)), phases=3, at=T0).amps == 40


def test_installing_replaces_the_same_id_wherever_it_was() -> None:
    old, new = profile(10), profile(20, evse_id=2, stack_level=4)
    assert install((old,), new, by_slot=False) == (new,)


def test_installing_in_1_6_replaces_the_same_purpose_level_and_evse() -> None:
    old = profile(10)
    new = profile(20, profile_id=2)
    assert install((old,), new, by_slot=True) == (new,)
    assert install((old,), new, by_slot=False) == (old, new)
    for other in ({"evse_id": 2}, {"stack_level": 1}, {"purpose": Purpose.TX}):
        kept = replace(new, **other)
        assert install((old,), kept, by_slot=True) == (old, kept)


def test_overlap_needs_the_same_place_and_a_common_time() -> None:
    old = profile(10, valid_to=after(60))
    assert overlaps(profile(10, profile_id=2), old)
    assert overlaps(profile(10, profile_id=2, valid_from=after(59)), old)
    assert not overlaps(profile(10, profile_id=2, valid_from=after(60)), old)
    assert not overlaps(profile(10, profile_id=2, stack_level=1), old)
    assert not overlaps(profile(10), old)  # the same id replaces


@pytest.mark.parametrize(
    ("criteria", "matched"),
    [
        ({}, True),
        ({"profile_ids": (1,)}, True),
        ({"profile_ids": (2,)}, False),
        ({"evse_id": 1, "stack_level": 0}, True),
        ({"evse_id": 1, "stack_level": 1}, False),
        ({"purpose": Purpose.TX}, False),
        ({"evse_id": 0}, False),
    ],
)
def test_criteria_of_a_removal_are_all_required(criteria: dict[str, Any], matched: bool) -> None:
    assert matches(profile(10), **criteria) is matched


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"purpose": Purpose.EXTERNAL}, "PurposeNotSupported"),
        ({"stack_level": 11}, "StackLevelTooHigh"),
        ({"stack_level": -1}, "StackLevelTooHigh"),
        ({"periods": tuple(Period(start_s=n, limit=6) for n in range(25))}, "TooManyPeriods"),
        ({"periods": ()}, "FirstPeriodNotZero"),
        ({"periods": (Period(start_s=5, limit=6),)}, "FirstPeriodNotZero"),
        ({"periods": (Period(start_s=0, limit=6), Period(start_s=0, limit=7))}, "PeriodsNotIncreasing"),
        ({"periods": (Period(start_s=0, limit=-1),)}, "NegativeLimit"),
        ({"start_at": None}, "NoStartSchedule"),
        ({"kind": Kind.RECURRING}, "NoRecurrencyKind"),
        ({"kind": Kind.RELATIVE, "start_at": None}, None),
        ({"purpose": Purpose.STATION_MAX}, "StationMaxOnEvse"),
        ({"purpose": Purpose.STATION_MAX, "evse_id": 0}, None),
        ({"purpose": Purpose.STATION_MAX, "evse_id": 0, "kind": Kind.RELATIVE}, "StationMaxRelative"),
        ({"purpose": Purpose.TX, "evse_id": 0}, "TxProfileOnStation"),
    ],
)
def test_profile_is_refused_with_the_rule_it_breaks(changes: dict[str, Any], reason: str | None) -> None:
    assert refusal(profile(10, **changes), Capabilities()) == reason


def test_unit_the_station_does_not_take_is_refused() -> None:
    only_watts = Capabilities(units=frozenset({Unit.WATT}))
    assert refusal(profile(10), only_watts) == "UnitNotSupported"
    assert refusal(profile(10, unit=Unit.WATT), only_watts) is None


def schedule_of(profiles: Profiles, *, start: datetime = T0, duration_s: int, unit: Unit) -> list[Period]:
    hardware = Limit(amps=32, phases=3)
    return list(
        composite(
            lambda at: min(
                hardware,
                evse_limit(profiles, evse_id=1, phases=3, at=at, running=RUNNING),
                key=lambda limit: limit.amps,
            ),
            start=start,
            duration_s=duration_s,
            edges_at=edges(
                profiles,
                after=start,
                until=start + timedelta(seconds=duration_s),
                running={"tx": RUNNING},
                fresh_at=start,
            ),
            unit=unit,
        )
    )


def test_composite_falls_through_the_stack_and_ends_at_the_hardware() -> None:
    low = profile(10, duration_s=10_800)
    high = profile(20, 16, profile_id=2, stack_level=1, start_at=after(1800), duration_s=5400)
    assert schedule_of((low, high), duration_s=14_400, unit=Unit.AMPERE) == [
        Period(start_s=0, limit=10, phases=3),
        Period(start_s=1800, limit=20, phases=3),
        Period(start_s=5400, limit=16, phases=3),
        Period(start_s=7200, limit=10, phases=3),
        Period(start_s=10_800, limit=32, phases=3),
    ]


def test_composite_in_watts_counts_the_phases() -> None:
    assert schedule_of((profile(10, 10.05),), duration_s=7200, unit=Unit.WATT) == [
        Period(start_s=0, limit=6900, phases=3),
        Period(start_s=3600, limit=6934.5, phases=3),
    ]


def test_composite_rounds_down_never_up() -> None:
    (period,) = schedule_of((profile(13.39),), duration_s=60, unit=Unit.AMPERE)
    assert period.limit == 13.3


moments = st.integers(0, 12).map(lambda n: after(600 * n))
any_profile = st.builds(
    profile,
    st.sampled_from([0, 6, 10, 16]),
    st.sampled_from([0, 8, 20, 32]),
    profile_id=st.integers(1, 4),
    evse_id=st.sampled_from([0, 1]),
    stack_level=st.integers(0, 3),
    kind=st.sampled_from([Kind.ABSOLUTE, Kind.RECURRING]),
    recurrence=st.just(timedelta(days=1)),
    start_at=moments,
    duration_s=st.none() | st.sampled_from([600, 3600, 5000]),
    valid_from=st.none() | moments,
    valid_to=st.none() | moments,
)


@settings(deadline=None)
@given(profiles=st.lists(any_profile, max_size=5), seconds=st.integers(0, 14_399))
def test_composite_equals_the_limit_at_every_instant(profiles: list[Profile], seconds: int) -> None:
    """The schedule built from the edges misses no change between them."""
    found = tuple(profiles)
    periods = schedule_of(found, duration_s=14_400, unit=Unit.AMPERE)
    period = next(p for p in reversed(periods) if p.start_s <= seconds)
    assert period.limit == min(32, amps(*found, at=after(seconds)))


@pytest.mark.parametrize(
    ("cap_a", "wanted", "offers"),
    [
        (math.inf, {1: 32, 2: 16}, {1: 32, 2: 16}),
        (32, {1: 32, 2: 32}, {1: 16, 2: 16}),
        (32, {1: 10, 2: 32}, {1: 10, 2: 22}),
        (32, {1: 32, 2: 0}, {1: 32, 2: 0}),
        (11, {1: 32, 2: 32}, {1: 11, 2: 0}),
        (5, {1: 32, 2: 32}, {1: 0, 2: 0}),
        (18, {3: 32, 1: 32, 2: 32}, {3: 6, 1: 6, 2: 6}),
        (17, {3: 32, 1: 32, 2: 32}, {3: 8.5, 1: 8.5, 2: 0}),
        (20, {}, {}),
    ],
)
def test_station_cap_is_shared_equally_and_the_newest_waits(
    cap_a: float, wanted: dict[int, float], offers: dict[int, float]
) -> None:
    assert share_out(cap_a=cap_a, wanted_a=wanted, min_a=6) == offers
