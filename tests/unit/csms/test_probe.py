"""What each step of a probe asks and concludes, from what the station says and how long it takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from supervision.csms import probe
from supervision.csms.probe import Charge, Progress, Sample, Situation, StepName

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
CHARGE = Charge(evse_id=1, ocpp_transaction_id="7", phases=3, high_a=16)
TAKEN: dict[str, Any] = {"response": {"status": "Accepted"}, "is_over": True}


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def situation(seconds: float = 30, **more: Any) -> Situation:
    return replace(Situation(ocpp="1.6", now=later(seconds), since=NOW, charge=CHARGE), **more)


def powers(*told: tuple[float, int]) -> tuple[Sample, ...]:
    return tuple(Sample(at=later(seconds), power_w=power_w) for seconds, power_w in told)


def at(step: StepName) -> Progress:
    return Progress(step=step, since=NOW)


def concluded(step: StepName, now: Situation) -> dict[str, Any] | None:
    after = probe.advance(at(step), now)
    return None if after.step is step else dict(after.findings)


TRIGGER_16 = {"requestedMessage": "MeterValues", "connectorId": 2}
SECOND = replace(CHARGE, evse_id=2)


@pytest.mark.parametrize(
    ("step", "now", "command"),
    [
        (StepName.FEATURES, situation(), ("GetConfiguration", {})),
        (StepName.MEASURANDS, situation(charge=SECOND), ("TriggerMessage", TRIGGER_16)),
        (StepName.MEASURANDS, situation(charge=None), ("TriggerMessage", {**TRIGGER_16, "connectorId": 1})),
        (
            StepName.MEASURANDS,
            situation(ocpp="2.0.1", charge=SECOND),
            ("TriggerMessage", {"requestedMessage": "MeterValues", "evse": {"id": 2}}),
        ),
        (
            StepName.CLOCK,
            situation(charge=None),
            ("TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 1}),
        ),
        (
            StepName.CLOCK,
            situation(ocpp="2.0.1", charge=None),
            (
                "TriggerMessage",
                {"requestedMessage": "StatusNotification", "evse": {"id": 1, "connectorId": 1}},
            ),
        ),
        (StepName.CAR, situation(), None),
        (StepName.LOW, situation(charge=None), None),
        (StepName.LOW, situation(), probe.limit_command(situation(), CHARGE, 6.0)),
        (StepName.HIGH, situation(), probe.limit_command(situation(), CHARGE, 16)),
        (StepName.PAUSE, situation(), probe.limit_command(situation(), CHARGE, 0.0)),
        (StepName.WAKE, situation(), probe.limit_command(situation(), CHARGE, 16)),
        (StepName.CLEAR, situation(), ("ClearChargingProfile", {"id": 9001})),
        (StepName.CLEAR, situation(ocpp="2.0.1"), ("ClearChargingProfile", {"chargingProfileId": 9001})),
    ],
)
def test_each_step_sends_its_command(
    step: StepName, now: Situation, command: tuple[str, dict[str, Any]] | None
) -> None:
    assert probe.STEPS[step].command(now) == command


def test_features_of_2_0_1_are_asked_by_their_variables() -> None:
    action, payload = probe.STEPS[StepName.FEATURES].command(situation(ocpp="2.0.1")) or ("", {})
    assert (action, payload) == (
        "GetVariables",
        {
            "getVariableData": [
                {"component": {"name": component}, "variable": {"name": variable}}
                for component, variable in probe.CAPABILITIES_201
            ]
        },
    )


def test_limit_of_2_0_1_names_the_charge_as_it_is_told() -> None:
    """In watts for three phases; a clock that is ahead changes nothing."""
    now = situation(0, ocpp="2.0.1", unit="W", stack_level=3, clock_offset_s=600.0)
    assert probe.limit_command(now, CHARGE, 10.0) == (
        "SetChargingProfile",
        {
            "evseId": 1,
            "chargingProfile": {
                "id": 9001,
                "transactionId": "7",
                "stackLevel": 3,
                "chargingProfilePurpose": "TxProfile",
                "chargingProfileKind": "Absolute",
                "chargingSchedule": [
                    {
                        "id": 1,
                        "startSchedule": "2026-11-21T07:50:00Z",
                        "chargingRateUnit": "W",
                        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6900.0}],
                    }
                ],
            },
        },
    )


def test_findings_of_earlier_steps_are_kept() -> None:
    before = Progress(step=StepName.PAUSE, since=NOW, findings={"car": "yes"})
    after = probe.advance(before, situation(50, **TAKEN, samples=powers((30, 100))))
    assert after == Progress(step=StepName.WAKE, since=later(50), findings={"car": "yes", "pauses": "yes"})
    assert probe.begin(NOW) == Progress(step=StepName.FEATURES, since=NOW, findings={})


@pytest.mark.parametrize(
    ("step", "told", "finding"),
    [
        (StepName.LOW, [(30, 4830)], {"obeys_low": "yes"}),  # 6 A and a margin of 1 A, three phases
        (StepName.LOW, [(30, 4831)], None),
        (StepName.HIGH, [(30, 4830)], None),
        (StepName.HIGH, [(30, 4831)], {"obeys_high": "yes"}),
        (StepName.HIGH, [(30, 11_730), (40, 11_730)], {"obeys_high": "yes"}),  # 16 A and the margin
        (StepName.HIGH, [(30, 11_731), (40, 11_731)], {"obeys_high": "no"}),
        (StepName.PAUSE, [(30, probe.IDLE_W)], {"pauses": "yes"}),
        (StepName.PAUSE, [(30, probe.IDLE_W + 1)], None),
        (StepName.WAKE, [(30, probe.DRAWING_W)], {"wakes": "yes"}),
        (StepName.WAKE, [(30, probe.DRAWING_W - 1)], None),
        (StepName.WAKE, [], None),
    ],
)
def test_power_decides_from_its_margin_on(
    step: StepName, told: list[tuple[float, int]], finding: dict[str, str] | None
) -> None:
    assert concluded(step, situation(50, **TAKEN, samples=powers(*told))) == finding


def test_samples_without_a_power_and_those_too_early_say_nothing() -> None:
    settle_s = probe.SETTLE.total_seconds()
    told = (*powers((settle_s - 1, 100), (settle_s, 200)), Sample(at=later(50), register_wh=5))
    assert situation(50, samples=told).settled == powers((settle_s, 200))


def test_a_refused_profile_of_no_car_is_not_asked_about() -> None:
    waiting = situation(response={"status": "Rejected"}, is_over=False)
    assert concluded(StepName.LOW, waiting) is None
    assert concluded(StepName.PAUSE, waiting) is None
    assert concluded(StepName.CLEAR, waiting) is None
    assert concluded(StepName.CLEAR, situation(is_over=True)) == {}


def test_steps_follow_one_another_and_end() -> None:
    progress, seen = probe.begin(NOW), []
    while progress.step is not StepName.DONE:
        seen.append(progress.step)
        now = situation(**TAKEN, clock_offset_s=0.0)
        over = progress.since + timedelta(seconds=probe.STEPS[progress.step].timeout_s)
        progress = probe.advance(progress, replace(now, now=over, since=progress.since))
    assert seen == [name for name in StepName if name is not StepName.DONE]
    assert probe.advance(progress, situation()) is progress


@pytest.mark.parametrize(
    ("step", "told", "finding"),
    [
        (StepName.LOW, [(30, 4100)], {"obeys_low": "yes"}),
        (StepName.LOW, [(10, 4100)], None),  # the car has not had its time
        (StepName.LOW, [(30, 9000)], None),  # once may be from before
        (StepName.LOW, [(30, 9000), (40, 9000)], {"obeys_low": "no"}),
        (StepName.LOW, [(30, 9000), (40, 4100)], {"obeys_low": "yes"}),
        (StepName.HIGH, [(30, 11000)], {"obeys_high": "yes"}),
        (StepName.HIGH, [(30, 4100)], None),  # the car may still ramp up
        (StepName.HIGH, [(30, 22000), (40, 22000)], {"obeys_high": "no"}),
        (StepName.PAUSE, [(30, 100)], {"pauses": "yes"}),
        (StepName.PAUSE, [(30, 1400)], None),
        (StepName.WAKE, [(30, 4000)], {"wakes": "yes"}),
        (StepName.WAKE, [(30, 100)], None),
    ],
)
def test_power_decides(step: StepName, told: list[tuple[float, int]], finding: dict[str, str] | None) -> None:
    assert concluded(step, situation(50, **TAKEN, samples=powers(*told))) == finding


@pytest.mark.parametrize(
    ("step", "finding"),
    [
        (StepName.LOW, {"obeys_low": "unknown"}),
        (StepName.HIGH, {"obeys_high": "unknown"}),
        (StepName.PAUSE, {"pauses": "no"}),
        (StepName.WAKE, {"wakes": "no"}),
    ],
)
def test_time_decides_what_was_asked_and_nothing_else(step: StepName, finding: dict[str, str]) -> None:
    over = probe.STEPS[step].timeout_s
    assert concluded(step, situation(over - 1, **TAKEN)) is None
    assert concluded(step, situation(over, **TAKEN)) == finding
    assert concluded(step, situation(over)) == dict.fromkeys(finding, "unknown")  # never answered
    assert concluded(step, situation(1, charge=None)) == dict.fromkeys(finding, "unknown")  # the car left


def test_refused_profile_is_disobedience() -> None:
    refused = situation(response={"status": "Rejected"}, is_over=True)
    assert concluded(StepName.LOW, refused) == {"obeys_low": "no"}
    assert concluded(StepName.PAUSE, refused) == {"pauses": "no"}


def test_two_currents_that_cannot_be_told_apart_prove_nothing() -> None:
    tight = situation(charge=replace(CHARGE, high_a=7))
    assert concluded(StepName.HIGH, tight) == {"obeys_high": "unknown"}


def test_without_a_car_the_rest_is_left_out() -> None:
    over = probe.advance(at(StepName.CAR), situation(1800, charge=None))
    assert (over.step, over.findings) == (StepName.DONE, {"car": "no"})
    came = probe.advance(at(StepName.CAR), situation(5))
    assert (came.step, came.findings) == (StepName.LOW, {"car": "yes", "evse": 1})


def test_features_of_both_versions() -> None:
    keys = [{"key": "SupportedFeatureProfiles", "value": "Core,Reservation"}, {"key": "A", "value": "1"}]
    old = situation(response={"configurationKey": keys}, is_over=True)
    assert concluded(StepName.FEATURES, old) == {
        "features": ["Core", "Reservation"],
        "keys": ["A", "SupportedFeatureProfiles"],
    }
    results = [
        {
            "component": {"name": "SmartChargingCtrlr"},
            "attributeStatus": "Accepted",
            "attributeValue": "TRUE",
        },
        {"component": {"name": "ReservationCtrlr"}, "attributeStatus": "Accepted", "attributeValue": "false"},
        {"component": {"name": "MonitoringCtrlr"}, "attributeStatus": "UnknownComponent"},
    ]
    new = situation(ocpp="2.0.1", response={"getVariableResult": results}, is_over=True)
    assert concluded(StepName.FEATURES, new) == {"features": ["SmartCharging"], "keys": []}


def test_measurands_and_clock_by_trigger() -> None:
    told = (Sample(at=NOW, measurands=("Voltage", "SoC")), Sample(at=NOW, measurands=("Voltage",)))
    heard = situation(samples=told)
    assert concluded(StepName.MEASURANDS, heard) == {"measurands": ["SoC", "Voltage"], "triggers": "yes"}
    refused = situation(response={}, is_over=True)
    assert concluded(StepName.MEASURANDS, refused) == {"measurands": [], "triggers": "no"}
    for offset_s, word in ((-10.0, "yes"), (10.1, "no")):
        found = concluded(StepName.CLOCK, situation(clock_offset_s=offset_s))
        assert found == {"clock_offset_s": offset_s, "clock": word}
    assert concluded(StepName.CLOCK, refused) == {"clock_offset_s": None, "clock": "unknown"}


def test_limit_begins_in_the_past_of_a_clock_that_is_behind() -> None:
    command = probe.limit_command(situation(0, clock_offset_s=-600.0), CHARGE, 6.0)
    assert command == (
        "SetChargingProfile",
        {
            "connectorId": 1,
            "csChargingProfiles": {
                "chargingProfileId": 9001,
                "transactionId": 7,
                "stackLevel": 1,
                "chargingProfilePurpose": "TxProfile",
                "chargingProfileKind": "Absolute",
                "chargingSchedule": {
                    "startSchedule": "2026-11-21T07:40:00Z",
                    "chargingRateUnit": "A",
                    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.0}],
                },
            },
        },
    )
    in_watts = situation(0, ocpp="2.0.1", unit="W", stack_level=3)
    _, payload = probe.limit_command(in_watts, CHARGE, 10.0)
    (charging_schedule,) = payload["chargingProfile"]["chargingSchedule"]
    assert charging_schedule["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 6900.0}]
    assert (payload["evseId"], payload["chargingProfile"]["stackLevel"]) == (1, 3)


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ([], "missing"),
        ([(0, 6000, None)], "missing"),
        ([(0, 6000, 1000), (600, 6000, 2000)], "ok"),
        ([(0, 6000, 1000), (600, 6000, 999)], "went_back"),
        ([(0, 6000, 1000), (600, 6000, 1001)], "implausible"),  # kWh called Wh
        ([(0, 6000, 1000), (600, 6000, 1_001_000)], "implausible"),
        ([(0, 100, 1000), (600, 100, 1000)], "ok"),  # too little flowed to tell
        ([(0, 3000, 1000), (600, 3000, 1249)], "implausible"),  # of 500 Wh
        ([(0, 3000, 1000), (600, 3000, 1250)], "ok"),
        ([(0, 3000, 1000), (600, 3000, 2000)], "ok"),
        ([(0, 3000, 1000), (600, 3000, 2001)], "implausible"),
        ([(0, 2999, 1000), (600, 3000, 1000)], "ok"),
        ([(0, 2000, 1000), (600, 4000, 1000)], "implausible"),  # the mean of both powers
        ([(0, 6000, 1000), (600, 6000, 2000), (1200, 6000, 3000)], "ok"),
    ],
)
def test_counter_is_held_against_power(told: list[tuple[float, int, int | None]], word: str) -> None:
    samples = [Sample(at=later(s), power_w=power, register_wh=register) for s, power, register in told]
    assert probe.meter_word(samples) == word


@pytest.mark.parametrize(
    ("findings", "lesson"),
    [
        ({"obeys_low": "yes", "obeys_high": "yes"}, {"steerable": True}),
        ({"obeys_low": "yes", "obeys_high": "unknown"}, {"steerable": True}),
        ({"obeys_low": "no", "obeys_high": "yes"}, {"steerable": False}),
        ({"obeys_low": "yes", "obeys_high": "no"}, {"steerable": False}),
        ({"obeys_low": "unknown"}, {}),
        ({}, {}),
    ],
)
def test_planner_learns_only_what_was_proved(findings: dict[str, str], lesson: dict[str, bool]) -> None:
    assert probe.lesson(findings) == lesson
