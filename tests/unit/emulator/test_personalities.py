"""Each personality shows its fault, and only a good station has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chargepoint_emulator.evse import State
from chargepoint_emulator.personalities import PERSONALITIES
from chargepoint_emulator.personality import combined
from chargepoint_emulator.wire import Frame, RpcError, Violation
from tests.unit.emulator.bench import Bench, at

Json = dict[str, Any]


def charged(personality: str, ocpp: str = "1.6") -> Bench:
    """A charge of ten minutes, and two hours in which what is late may come."""
    bench = Bench(ocpp=ocpp, personality=personality, sample_s=300)
    bench.connect()
    bench.plug()
    bench.badge()
    bench.run(600)
    bench.unplug()
    bench.run(7200)
    return bench


def charging(personality: str, ocpp: str = "1.6", **options: Any) -> Bench:
    bench = Bench(ocpp=ocpp, personality=personality, **options)
    bench.connect()
    bench.plug()
    bench.badge()
    return bench


def order(bench: Bench) -> list[str]:
    """The transaction messages, in the order in which they were sent."""
    names = {"StartTransaction": "start", "MeterValues": "values", "StopTransaction": "stop"}
    events = {"Started": "start", "Updated": "values", "Ended": "stop"}
    return [
        names.get(action) or events[payload["eventType"]]
        for action, payload in bench.said
        if action in names or action == "TransactionEvent"
    ]


def samples(bench: Bench) -> list[Json]:
    """The sampled values of the first reading."""
    if bench.of("MeterValues"):
        found: list[Json] = bench.of("MeterValues")[0]["meterValue"][0]["sampledValue"]
        return found
    told = next(one for one in bench.of("TransactionEvent") if "meterValue" in one)
    return list(told["meterValue"][0]["sampledValue"])


def value(bench: Bench, measurand: str) -> Json:
    return next(one for one in samples(bench) if one["measurand"] == measurand)


def start(bench: Bench) -> Json:
    return bench.of("StartTransaction")[0]


def ids(bench: Bench) -> list[object]:
    return [one.get("transactionId") for one in [*bench.of("MeterValues"), *bench.of("StopTransaction")]]


def events(bench: Bench) -> list[Json]:
    return bench.of("TransactionEvent")


ENERGY, POWER, CURRENT = "Energy.Active.Import.Register", "Power.Active.Import", "Current.Import"

# personality, version, what to look at after a charge, what is seen there
SAYS: list[tuple[str, str, Callable[[Bench], object], object]] = [
    ("good", "1.6", order, ["start", "values", "values", "stop"]),
    ("never_boots", "1.6", lambda b: b.of("BootNotification"), []),
    ("clock_skew", "1.6", lambda b: start(b)["timestamp"], at(420)),
    ("clock_behind", "1.6", lambda b: start(b)["timestamp"], at(-120)),
    ("clock_1970", "1.6", lambda b: start(b)["timestamp"], "1970-01-01T08:00:00.000Z"),
    ("clock_far_ahead", "2.0.1", lambda b: events(b)[0]["timestamp"], "2038-03-02T08:00:00.000Z"),
    ("local_time_as_utc", "1.6", lambda b: start(b)["timestamp"], at(7200)),
    ("time_without_zone", "1.6", lambda b: start(b)["timestamp"], "2026-03-02T08:00:00.000"),
    ("offset_without_colon", "1.6", lambda b: start(b)["timestamp"], "2026-03-02T10:00:00.000+0200"),
    ("lost_start", "1.6", order, ["values", "values", "stop"]),
    ("lost_start", "1.6", ids, [-1, -1, -1]),
    ("lost_stop", "2.0.1", lambda b: "stop" in order(b), False),
    ("duplicate_start", "1.6", order, ["start", "start", "values", "values", "stop"]),
    ("duplicate_stop", "1.6", order, ["start", "values", "values", "stop", "stop"]),
    ("values_after_stop", "1.6", order, ["start", "values", "stop", "values"]),
    (
        "available_before_stop",
        "1.6",
        lambda b: [name for name, _ in b.said[-2:]],
        ["StatusNotification", "StopTransaction"],
    ),
    ("ended_first", "2.0.1", lambda b: order(b)[:2], ["stop", "start"]),
    ("transaction_id_minus_one", "1.6", ids, [-1, -1, -1]),
    ("transaction_id_zero", "1.6", ids, [0, 0, 0]),
    ("no_transaction_id", "1.6", ids, [None, None, None]),
    (
        "transaction_id_one",
        "2.0.1",
        lambda b: {one["transactionInfo"]["transactionId"] for one in events(b)},
        {"1"},
    ),
    ("seq_no_stuck", "2.0.1", lambda b: {one["seqNo"] for one in events(b)}, {0}),
    ("no_connector", "2.0.1", lambda b: events(b)[0]["evse"], {"id": 1}),
    ("long_id_tag", "1.6", lambda b: start(b)["idTag"], "04A1B2C3" + "0" * 20),
    ("lower_case_tags", "2.0.1", lambda b: events(b)[0]["idToken"]["idToken"], "04a1b2c3"),
    ("truncated_tags", "1.6", lambda b: start(b)["idTag"], "04A1B2"),
    ("unknown_reason", "1.6", lambda b: b.of("StopTransaction")[0]["reason"], "BecauseOfTheMoon"),
    (
        "flapping_status",
        "1.6",
        lambda b: b.statuses()[1:7],
        ["SuspendedEV", "Available", "Preparing", "SuspendedEV", "Available", "Charging"],
    ),
    ("hangs_in_finishing", "1.6", lambda b: b.statuses()[-1], "Finishing"),
    ("hangs_in_finishing", "2.0.1", lambda b: b.of("StatusNotification")[-1]["connectorStatus"], "Occupied"),
    ("unknown_error_code", "1.6", lambda b: b.of("StatusNotification")[0]["errorCode"], "Error"),
    ("long_serial", "1.6", lambda b: b.of("BootNotification")[0]["chargePointSerialNumber"], "S" * 33),
    (
        "long_serial",
        "2.0.1",
        lambda b: b.of("BootNotification")[0]["chargingStation"]["serialNumber"],
        "S" * 33,
    ),
    ("silent_meter", "1.6", order, ["start", "stop"]),
    (
        "energy_in_kwh_called_wh",
        "1.6",
        lambda b: (value(b, ENERGY)["value"], value(b, ENERGY)["unit"]),
        ("1.84", "Wh"),
    ),
    (
        "power_in_kw_called_w",
        "1.6",
        lambda b: (value(b, POWER)["value"], value(b, POWER)["unit"]),
        ("22.08", "W"),
    ),
    ("no_units", "1.6", lambda b: ["unit" in one for one in samples(b)], [False] * 6),
    ("values_as_numbers", "1.6", lambda b: value(b, ENERGY)["value"], 1840.0),
    ("values_with_spaces", "1.6", lambda b: value(b, ENERGY)["value"], " 1840 "),
    ("current_in_hertz", "1.6", lambda b: value(b, CURRENT)["unit"], "Hz"),
    ("phase_to_neutral", "1.6", lambda b: value(b, CURRENT)["phase"], "L1-N"),
    ("totals_only", "1.6", lambda b: {one.get("phase") for one in samples(b)}, {None}),
    ("phases_only", "1.6", lambda b: {one["measurand"] for one in samples(b)}, {ENERGY, CURRENT}),
    ("no_meter_start", "1.6", lambda b: start(b)["meterStart"], None),
    ("no_meter_start", "2.0.1", lambda b: "meterValue" in events(b)[0], False),
]


@pytest.mark.parametrize(
    ("personality", "ocpp", "look", "seen"), SAYS, ids=[f"{row[0]} {row[1]}" for row in SAYS]
)
def test_fault_is_on_the_wire(
    personality: str, ocpp: str, look: Callable[[Bench], object], seen: object
) -> None:
    assert look(charged(personality, ocpp)) == seen
    assert look(charged("good", ocpp)) != seen or personality == "good"


def test_late_status_has_its_own_time() -> None:
    bench = charging("late_status")
    assert bench.statuses() == ["Available"]  # with the boot; what comes later is late
    bench.run(301)
    assert bench.statuses() == ["Available", "Preparing", "Charging"]
    assert bench.of("StatusNotification")[-1]["timestamp"] == at(0)


def test_no_heartbeat_is_ever_sent() -> None:
    for personality, beats in (("good", 2), ("no_heartbeat", 0)):
        bench = Bench(personality=personality)
        bench.connect()
        bench.run(86_401)
        bench.station.disconnected()
        bench.connect()
        assert len(bench.of("Heartbeat")) == beats


def test_session_register_begins_at_zero_with_each_charge() -> None:
    bench = charging("session_register")
    bench.run(600)
    bench.unplug()
    bench.plug()
    bench.badge()
    assert [one["meterStart"] for one in bench.of("StartTransaction")] == [0, 0]
    assert bench.of("StopTransaction")[0]["meterStop"] > 1000


# personality, CALL, the answer
ANSWERS: list[tuple[str, str, Json, Json]] = [
    (
        "single_measurand",
        "ChangeConfiguration",
        {"key": "MeterValuesSampledData", "value": "Voltage,SoC"},
        {"status": "Rejected"},
    ),
    (
        "refuses_whole_station",
        "ChangeAvailability",
        {"connectorId": 0, "type": "Inoperative"},
        {"status": "Rejected"},
    ),
    (
        "hexadecimal_tags_only",
        "RemoteStartTransaction",
        {"connectorId": 1, "idTag": "482913XY"},
        {"status": "Rejected"},
    ),
    (
        "reboot_required",
        "ChangeConfiguration",
        {"key": "HeartbeatInterval", "value": "60"},
        {"status": "RebootRequired"},
    ),
    (
        "rejects_its_own_stack_level",
        "SetChargingProfile",
        {"connectorId": 1, "csChargingProfiles": {"stackLevel": 3}},
        {"status": "Rejected"},
    ),
    (
        "wants_transaction_id",
        "SetChargingProfile",
        {"connectorId": 1, "csChargingProfiles": {"chargingProfilePurpose": "TxProfile"}},
        {"status": "Rejected"},
    ),
    (
        "takes_tx_profile_for_nothing",
        "SetChargingProfile",
        {"connectorId": 1, "csChargingProfiles": {"chargingProfilePurpose": "TxProfile"}},
        {"status": "Accepted"},
    ),
    ("orphan_profiles", "ClearChargingProfile", {}, {"status": "Unknown"}),
]


@pytest.mark.parametrize(
    ("personality", "action", "payload", "answer"), ANSWERS, ids=[row[0] for row in ANSWERS]
)
def test_command_is_answered_wrongly(personality: str, action: str, payload: Json, answer: Json) -> None:
    bench = Bench(personality=personality)
    bench.connect()
    assert bench.call(action, payload) == answer


def test_accepted_start_starts_nothing() -> None:
    bench = Bench(personality="accepts_start_and_does_nothing")
    bench.connect()
    bench.plug()
    asked = {"connectorId": 1, "idTag": "04A1B2C3"}
    assert bench.call("RemoteStartTransaction", asked) == {"status": "Accepted"}
    bench.run(600)
    assert bench.of("StartTransaction") == []


def test_trigger_is_never_answered() -> None:
    bench = Bench(personality="silent_to_triggers")
    frame = Frame(kind=2, message_id="1", name="TriggerMessage", body={"requestedMessage": "Heartbeat"})
    assert bench.station.serve(frame).silent


def test_configuration_is_not_implemented() -> None:
    with pytest.raises(RpcError) as refused:
        Bench(personality="no_get_configuration").call("GetConfiguration", {})
    assert refused.value.violation is Violation.NOT_IMPLEMENTED


def test_rate_units_are_told_in_other_words() -> None:
    key = "ChargingScheduleAllowedChargingRateUnit"
    answer = Bench(personality="rate_unit_words").call("GetConfiguration", {"key": [key]})
    assert [one["value"] for one in answer["configurationKey"]] == [" A, Power "]


def offers(bench: Bench, *instants: float) -> list[float]:
    """The amperes offered at the instants, in seconds from now."""
    found = []
    passed = 0.0
    for instant in instants:
        bench.run(instant - passed)
        passed = instant
        found.append(bench.station.evses[1].offered_a)
    return found


# personality, limits of a default profile (second, ampere), offers at seconds 10, 70, 130
LIMITED: list[tuple[str, list[tuple[int, float]], list[float]]] = [
    ("good", [(0, 10.5), (60, 0), (120, 16)], [10.5, 0, 16]),
    ("ignores_profiles", [(0, 10.5), (60, 0), (120, 16)], [32, 32, 32]),
    ("ignores_later_periods", [(0, 10.5), (60, 0), (120, 16)], [10.5, 10.5, 10.5]),
    ("whole_amperes", [(0, 10.5), (60, 0), (120, 16)], [10, 0, 16]),
    ("never_wakes", [(0, 10.5), (60, 0), (120, 16)], [10.5, 0, 0]),
    ("resumes_without_limit", [(0, 10.5), (60, 0), (120, 16)], [10.5, 0, 32]),
    ("full_power_first", [(0, 10.5)], [32, 10.5, 10.5]),
]


@pytest.mark.parametrize(("personality", "limits", "offered"), LIMITED, ids=[row[0] for row in LIMITED])
def test_profile_is_obeyed_wrongly(
    personality: str, limits: list[tuple[int, float]], offered: list[float]
) -> None:
    bench = charging(personality)
    assert bench.limit(*limits) == {"status": "Accepted"}
    assert offers(bench, 10, 70, 130) == offered


def schedule(**changes: Any) -> Json:
    period = {"startPeriod": 0, "limit": 6900}
    return {"startSchedule": at(0), "chargingRateUnit": "W", "chargingSchedulePeriod": [period], **changes}


def test_watts_are_read_as_those_of_one_phase() -> None:
    for personality, amperes in (("good", 10), ("misreads_watts", 30)):
        bench = charging(personality)
        bench.limit(chargingSchedule=schedule())
        assert bench.station.evses[1].offered_a == amperes


def test_number_of_phases_is_not_read() -> None:
    one_phase = schedule(chargingSchedulePeriod=[{"startPeriod": 0, "limit": 6900, "numberPhases": 1}])
    for personality, phases in (("good", 1), ("ignores_number_phases", None)):
        bench = charging(personality)
        bench.limit(chargingSchedule=one_phase)
        assert bench.station.profiles[0].periods[0].phases == phases


def test_schedule_runs_from_the_start_of_the_charge_whatever_its_own_start() -> None:
    bench = charging("ignores_start_schedule")
    bench.run(3600)
    assert bench.limit((0, 10), (7200, 16)) == {"status": "Accepted"}
    assert offers(bench, 3500, 3700) == [10, 16]
    assert bench.station.profiles[0].start_at is None


def test_zero_amperes_end_the_charge() -> None:
    bench = charging("ends_at_zero")
    bench.limit((0, 0))
    bench.run(2)
    assert order(bench) == ["start", "stop"]
    assert bench.state() is State.FINISHING


def test_cleared_profile_counts_for_thirty_seconds() -> None:
    bench = charging("clears_slowly")
    bench.limit((0, 10))
    assert bench.call("ClearChargingProfile", {}) == {"status": "Accepted"}
    assert offers(bench, 29, 31) == [10, 32]


def test_worn_flash_takes_twenty_profiles() -> None:
    bench = charging("worn_flash")
    statuses = [bench.limit((0, 10))["status"] for _ in range(22)]
    assert statuses == ["Accepted"] * 20 + ["Rejected"] * 2


def test_idle_composite_does_not_know_the_default() -> None:
    for personality, limit in (("good", 10), ("composite_without_default", 32)):
        bench = Bench(personality=personality)
        bench.connect()
        bench.limit((0, 10))
        answer = bench.call("GetCompositeSchedule", {"connectorId": 1, "duration": 60})
        assert answer["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == limit


def test_default_profile_counts_from_the_next_charge_on() -> None:
    bench = charging("default_for_the_next_charge")
    bench.limit((0, 10))
    assert bench.station.evses[1].offered_a == 32
    bench.unplug()
    bench.plug()
    bench.badge()
    assert bench.station.evses[1].offered_a == 10


def test_profiles_are_forgotten_without_a_line() -> None:
    bench = charging("drops_profiles_offline")
    bench.limit((0, 10))
    bench.station.disconnected()
    assert bench.station.evses[1].offered_a == 32


def test_everything_is_forgotten_at_a_reboot() -> None:
    bench = charging("forgets_at_reboot")
    bench.limit((0, 10))
    bench.call("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "77"})
    bench.station.reboot()
    assert bench.station.profiles == ()
    assert bench.station.configuration.number("heartbeat_s") != 77


def test_faults_add_up() -> None:
    both = combined(
        PERSONALITIES[name]
        for name in ("duplicate_stop", "clock_1970", "lost_start", "single_period", "watts_only")
    )
    assert both.copies == {"stop": 2, "start": 0}
    assert both.says == PERSONALITIES["clock_1970"].says
    assert both.capabilities.max_periods == 1
    assert both.capabilities.units == PERSONALITIES["watts_only"].capabilities.units
    assert combined([PERSONALITIES["good"]]) == PERSONALITIES["good"] or combined([]).says == ()


def test_every_personality_says_what_it_does() -> None:
    assert [one.name for one in PERSONALITIES.values() if not one.help] == []
    assert {name for name, one in PERSONALITIES.items() if combined([one]) == combined([])} == {"good"}
