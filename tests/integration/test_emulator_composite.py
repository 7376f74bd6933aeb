"""Two independent readings of the standard agree: the composite a station tells and the one expected."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chargepoint_emulator.profiles import floor_tenth
from supervision.charging import composite as expected
from tests.unit.emulator.bench import Bench, at

Json = dict[str, Any]
Steps = list[tuple[float, float]]
HARDWARE_A = 32.0
DURATION_S = 7200

starts = st.sampled_from([-86_400, -3600, -1200, 0, 600, 1800]).map(at)
bounds = st.none() | st.sampled_from([0, 900, 2000, 5000]).map(at)


@st.composite
def default_or_own_profiles(draw: st.DrawFn, profile_id: int) -> Json:
    unit = draw(st.sampled_from(["A", "W"]))
    watts = 690 if unit == "W" else 1
    gaps = draw(st.lists(st.sampled_from([300, 600, 1800, 3600]), max_size=3))
    instants = [sum(gaps[:count]) for count in range(len(gaps) + 1)]
    periods: list[Json] = [
        {"startPeriod": start, "limit": draw(st.sampled_from([0, 6, 10, 20.5, 32])) * watts}
        for start in instants
    ]
    kind = draw(st.sampled_from(["Absolute", "Relative", "Recurring"]))
    schedule: Json = {"chargingRateUnit": unit, "chargingSchedulePeriod": periods}
    schedule |= {} if kind == "Relative" else {"startSchedule": draw(starts)}
    duration = draw(st.none() | st.sampled_from([600, 3600, 7200]))
    schedule |= {} if duration is None else {"duration": duration}
    wire: Json = {
        "chargingProfileId": profile_id,
        "stackLevel": draw(st.integers(0, 3)),
        "chargingProfilePurpose": draw(st.sampled_from(["TxDefaultProfile", "TxProfile"])),
        "chargingProfileKind": kind,
        "chargingSchedule": schedule,
    }
    wire |= {"recurrencyKind": draw(st.sampled_from(["Daily", "Weekly"]))} if kind == "Recurring" else {}
    limits = {"validFrom": draw(bounds), "validTo": draw(bounds)}
    return wire | {name: value for name, value in limits.items() if value}


@settings(deadline=None, max_examples=150)
@given(
    wires=st.tuples(*(st.none() | default_or_own_profiles(number) for number in range(1, 6))),
    charging=st.booleans(),
)
def test_composite_of_the_station_is_the_one_the_central_system_expects(
    wires: tuple[Json | None, ...], charging: bool
) -> None:
    bench = Bench()
    bench.connect()
    if charging:
        bench.plug()
        bench.badge()
        bench.run(300)
    for wire in wires:
        if wire:
            bench.call("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": wire})
    request = {"connectorId": 1, "duration": DURATION_S, "chargingRateUnit": "A"}
    answer = bench.call("GetCompositeSchedule", request)["chargingSchedule"]["chargingSchedulePeriod"]
    told = [(float(period["startPeriod"]), float(period["limit"])) for period in answer]
    assert _merged(told) == _merged(_expected(bench))


def _expected(bench: Bench) -> Steps:
    station = bench.station
    transaction = station.evses[1].transaction
    steps = expected.composite(
        [
            expected.read_profile({"connectorId": one.evse_id, "csChargingProfiles": one.wire})
            for one in station.profiles
        ],
        start=station.now,
        duration=timedelta(seconds=DURATION_S),
        unit="A",
        context=expected.Context(
            phases=3, voltage_v=230, charging_since=transaction.started_at if transaction else None
        ),
    )
    limits = [HARDWARE_A if step.limit is None else min(HARDWARE_A, step.limit) for step in steps]
    return [
        ((step.at - station.now).total_seconds(), floor_tenth(limit))
        for step, limit in zip(steps, limits, strict=True)
    ]


def _merged(steps: Steps) -> Steps:
    """Leave out steps that change nothing."""
    return [step for number, step in enumerate(steps) if number == 0 or steps[number - 1][1] != step[1]]
