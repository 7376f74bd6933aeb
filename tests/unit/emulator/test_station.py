from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chargepoint_emulator.evse import State
from chargepoint_emulator.wire import RpcError, Violation
from tests.unit.emulator.bench import EPOCH, Bench, at


def charging(**options: Any) -> Bench:
    bench = Bench(**options)
    bench.connect()
    bench.plug()
    bench.badge()
    return bench


def test_session_tells_start_states_and_stop() -> None:
    bench = charging()
    bench.run(3600)
    bench.unplug()
    assert [name for name, _ in bench.said] == [
        "BootNotification",
        "StatusNotification",
        "StatusNotification",
        "StatusNotification",
        "Authorize",
        "StartTransaction",
        "StatusNotification",
        "StopTransaction",
        "StatusNotification",
    ]
    assert bench.of("StopTransaction") == [
        {
            "transactionId": 101,
            "meterStop": 32 * 3 * 230,
            "timestamp": at(3600),
            "reason": "EVDisconnected",
        }
    ]


def test_full_car_suspends_by_itself_at_the_computed_second() -> None:
    bench = charging()
    evse = bench.station.evses[1]
    assert evse.car
    full_s = evse.car.behind(evse.kind).seconds_until_full(offered_a=32, phases=3)
    bench.run(full_s + 10_000)
    told = bench.of("StatusNotification")[-1]
    assert (told["status"], told["timestamp"]) == ("SuspendedEV", at(round(full_s, 3)))
    assert evse.car.soc == 100
    assert round(evse.energy_wh, 3) == round(0.60 * 52_000 / 0.89, 3)


def test_profile_edges_change_the_state_at_their_second() -> None:
    bench = charging()
    bench.limit((0, 16), (1000, 0), (2500, 7), (3000, 12))
    bench.run(10_000)
    told = [(one["status"], one["timestamp"]) for one in bench.of("StatusNotification")[3:]]
    assert told == [
        ("Charging", at(0)),
        ("SuspendedEVSE", at(1000)),
        ("SuspendedEV", at(2500)),
        ("Charging", at(3000)),
    ]
    watts = 3 * 230
    assert round(bench.station.evses[1].energy_wh, 6) == round(watts * (16 * 1000 + 12 * 7000) / 3600, 6)


@settings(deadline=None, max_examples=40)
@given(cuts=st.lists(st.floats(0, 20_000), max_size=12))
def test_result_does_not_depend_on_how_often_the_station_is_looked_at(cuts: list[float]) -> None:
    looked_at, left_alone = charging(sample_s=700), charging(sample_s=700)
    for bench in (looked_at, left_alone):
        bench.limit((0, 16), (1111, 0), (2222, 31), (9999, 9))
    for cut in sorted(cuts):
        looked_at.station.advance(cut)
    for bench in (looked_at, left_alone):
        bench.station.advance(20_000)
        bench.flush()
    assert looked_at.said == left_alone.said


def test_samples_are_taken_on_their_second_with_the_register_of_that_second() -> None:
    bench = charging(sample_s=600)
    bench.station.advance(1900)
    bench.flush()
    values = [one["meterValue"][0] for one in bench.of("MeterValues")]
    assert [one["timestamp"] for one in values] == [at(600), at(1200), at(1800)]
    register = [
        v["value"] for one in values for v in one["sampledValue"] if v["measurand"].startswith("Energy")
    ]
    assert register == ["3680", "7360", "11040"]


def test_new_sampling_interval_counts_from_its_change() -> None:
    bench = charging(sample_s=600)
    bench.run(100)
    bench.call("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "60"})
    bench.run(130)
    assert [one["meterValue"][0]["timestamp"] for one in bench.of("MeterValues")] == [at(160), at(220)]


def test_clock_aligned_values_fall_on_the_quarter_hour() -> None:
    bench = charging()
    bench.run(100)
    bench.call("ChangeConfiguration", {"key": "ClockAlignedDataInterval", "value": "900"})
    bench.run(1800)
    values = [one["meterValue"][0] for one in bench.of("MeterValues")]
    assert [one["timestamp"] for one in values] == [at(900), at(1800)]
    assert values[0]["sampledValue"][0]["context"] == "Sample.Clock"


def test_station_cap_is_shared_between_its_evses() -> None:
    bench = charging(evses=2)
    bench.plug(2)
    bench.limit((0, 40), evse=0, chargingProfilePurpose="ChargePointMaxProfile")
    assert bench.station.evses[1].offered_a == 32
    bench.badge("04A1B2C4", 2)
    assert [evse.offered_a for evse in bench.station.evses.values()] == [20, 20]
    bench.limit((0, 10), evse=0, chargingProfilePurpose="ChargePointMaxProfile")
    assert [evse.offered_a for evse in bench.station.evses.values()] == [10, 0]
    assert [evse.state for evse in bench.station.evses.values()] == [State.CHARGING, State.SUSPENDED_EVSE]
    bench.unplug(1)
    assert bench.station.evses[2].offered_a == 10


def test_composite_of_the_station_is_the_sum_under_the_cap() -> None:
    bench = Bench(evses=2)
    bench.connect()
    bench.limit((0, 10))
    whole = {"connectorId": 0, "duration": 60}
    periods = bench.call("GetCompositeSchedule", whole)["chargingSchedule"]["chargingSchedulePeriod"]
    assert periods == [{"startPeriod": 0, "limit": 42.0, "numberPhases": 3}]
    bench.limit((0, 35), evse=0, chargingProfilePurpose="ChargePointMaxProfile", chargingProfileId=2)
    periods = bench.call("GetCompositeSchedule", whole)["chargingSchedule"]["chargingSchedulePeriod"]
    assert periods == [{"startPeriod": 0, "limit": 35.0, "numberPhases": 3}]


def test_transaction_profile_needs_the_transaction_and_dies_with_it() -> None:
    bench = Bench()
    bench.connect()
    own: dict[str, Any] = {"chargingProfilePurpose": "TxProfile", "chargingProfileId": 9}
    assert bench.limit((0, 12), **own) == {"status": "Rejected"}
    bench.plug()
    bench.badge()
    assert bench.limit((0, 12), **own, transactionId=55) == {"status": "Rejected"}
    assert bench.limit((0, 12), **own, transactionId=101) == {"status": "Accepted"}
    assert bench.station.evses[1].offered_a == 12
    bench.unplug()
    assert bench.station.profiles == ()


def test_clock_of_the_central_system_is_followed_and_moves_the_edges() -> None:
    bench = charging()
    bench.limit((0, 16), (7200, 0))
    bench.station.advance(10)
    bench.station.set_time(EPOCH + timedelta(hours=1), uptime_s=10)
    assert bench.station.now == EPOCH + timedelta(hours=1)
    bench.run(3600)
    assert bench.of("StatusNotification")[-1]["timestamp"] == at(7200)
    assert round(bench.station.evses[1].energy_wh, 6) == round(16 * 3 * 230 * 3610 / 3600, 6)


def test_small_clock_difference_is_left_alone() -> None:
    bench = Bench()
    bench.station.set_time(EPOCH + timedelta(seconds=0.9), uptime_s=0)
    assert bench.station.now == EPOCH


def test_skewed_clock_shifts_every_timestamp() -> None:
    bench = charging(personality="clock_skew")
    assert bench.of("StartTransaction")[0]["timestamp"] == at(420)


def test_station_that_ignores_profiles_accepts_and_charges_on() -> None:
    bench = charging(personality="ignores_profiles")
    assert bench.limit((0, 0)) == {"status": "Accepted"}
    assert bench.station.evses[1].offered_a == 32


@pytest.mark.parametrize(
    ("personality", "limits", "changes", "status"),
    [
        ("good", [(0, 6)], {"stackLevel": 5}, "Accepted"),
        ("rejects_stack_above_0", [(0, 6)], {"stackLevel": 1}, "Rejected"),
        ("rejects_stack_above_0", [(0, 6)], {}, "Accepted"),
        ("single_period", [(0, 6), (60, 8)], {}, "Rejected"),
        ("single_period", [(0, 6)], {}, "Accepted"),
        ("two_periods", [(0, 6), (60, 8)], {}, "Accepted"),
        ("two_periods", [(0, 6), (60, 8), (90, 6)], {}, "Rejected"),
        ("watts_only", [(0, 6)], {}, "Rejected"),
        ("amperes_only", [(0, 6)], {}, "Accepted"),
        ("rejects_tx_profile", [(0, 6)], {"chargingProfilePurpose": "TxProfile"}, "Rejected"),
    ],
)
def test_personality_decides_which_profiles_are_taken(
    personality: str, limits: list[tuple[int, float]], changes: dict[str, Any], status: str
) -> None:
    assert charging(personality=personality).limit(*limits, **changes) == {"status": status}


def test_station_max_is_refused_by_a_station_without_load_balancer() -> None:
    bench = charging(personality="rejects_station_max")
    answer = bench.limit((0, 10), evse=0, chargingProfilePurpose="ChargePointMaxProfile")
    assert answer == {"status": "Rejected"}


def test_silent_meter_sends_no_values_but_tells_start_and_stop() -> None:
    bench = charging(personality="silent_meter", sample_s=60)
    bench.run(600)
    bench.unplug()
    assert bench.of("MeterValues") == []
    assert bench.of("StopTransaction")[0]["meterStop"] == 3680


def test_call_outside_the_core_is_not_implemented_by_a_core_only_station() -> None:
    bench = charging(personality="answers_core_only")
    with pytest.raises(RpcError) as caught:
        bench.limit((0, 6))
    assert caught.value.violation is Violation.NOT_IMPLEMENTED


def reconnected(personality: str) -> list[str]:
    bench = Bench(personality=personality)
    bench.connect()
    bench.station.disconnected()
    bench.said.clear()
    bench.connect()
    return [name for name, _ in bench.said]


@pytest.mark.parametrize(
    ("personality", "greeting"),
    [
        ("good", ["Heartbeat", "StatusNotification", "StatusNotification"]),
        ("boot_after_reconnect", ["BootNotification", "StatusNotification", "StatusNotification"]),
        ("no_boot_after_reconnect", []),
    ],
)
def test_reconnection_is_greeted_according_to_the_personality(personality: str, greeting: list[str]) -> None:
    assert reconnected(personality) == greeting


def test_rejected_boot_is_repeated_after_the_interval_and_nothing_else_is_sent() -> None:
    bench = Bench()
    bench.answers["BootNotification"] = lambda _: {
        "status": "Rejected",
        "currentTime": at(0),
        "interval": 30,
    }
    bench.connect()
    bench.plug()
    bench.run(70)
    assert [name for name, _ in bench.said] == ["BootNotification"] * 3


def test_heartbeat_follows_the_interval_of_the_boot_answer() -> None:
    bench = Bench()
    bench.answers["BootNotification"] = lambda _: {
        "status": "Accepted",
        "currentTime": at(0),
        "interval": 60,
    }
    bench.connect()
    bench.run(200)
    assert len(bench.of("Heartbeat")) == 3


def test_refused_token_does_not_start() -> None:
    bench = Bench()
    bench.connect()
    bench.plug()
    bench.answers["Authorize"] = lambda _: {"idTagInfo": {"status": "Blocked"}}
    assert bench.badge() == "Blocked"
    assert bench.of("StartTransaction") == []


def test_token_of_the_same_group_stops_what_another_started() -> None:
    bench = Bench()
    bench.answers["Authorize"] = lambda _: {"idTagInfo": {"status": "Accepted", "parentIdTag": "FAMILY"}}
    bench.connect()
    bench.plug()
    bench.badge("04A1B2C3")
    assert bench.badge("04FFFFFF") == "Accepted"
    assert bench.of("StopTransaction")[0]["idTag"] == "04FFFFFF"


def test_token_of_a_stranger_does_not_stop() -> None:
    bench = charging()
    assert bench.badge("04FFFFFF") == "Rejected"
    assert bench.of("StopTransaction") == []


def test_offline_only_known_tokens_start() -> None:
    bench = Bench()
    bench.call(
        "SendLocalList",
        {
            "listVersion": 1,
            "updateType": "Full",
            "localAuthorizationList": [
                {"idTag": "KNOWN", "idTagInfo": {"status": "Accepted"}},
                {"idTag": "OLD", "idTagInfo": {"status": "Accepted", "expiryDate": at(-60)}},
            ],
        },
    )
    bench.plug()
    assert bench.badge("STRANGER") == "Invalid"
    assert bench.badge("OLD") == "Expired"
    assert bench.badge("known") == "Accepted"
    assert bench.state() is State.CHARGING


def test_offline_session_is_kept_and_replayed_with_the_id_learnt_on_the_way() -> None:
    bench = charging(sample_s=600)
    bench.unplug()
    bench.station.disconnected()
    bench.said.clear()
    bench.plug()
    bench.badge()
    bench.run(1300)
    bench.unplug()
    assert bench.said == []
    bench.run(500)
    bench.connect()
    assert [name for name, _ in bench.said] == [
        "Heartbeat",
        "StatusNotification",
        "StatusNotification",
        "StartTransaction",
        "MeterValues",
        "MeterValues",
        "StopTransaction",
    ]
    assert bench.of("StopTransaction")[0]["timestamp"] == at(1300)
    assert {one["transactionId"] for one in bench.of("MeterValues") + bench.of("StopTransaction")} == {102}


def test_offline_2_0_1_events_are_marked_and_numbered_on() -> None:
    bench = charging(ocpp="2.0.1", sample_s=600)
    bench.station.disconnected()
    bench.run(700)
    bench.unplug()
    bench.connect()
    told = [(one["eventType"], one["seqNo"], one.get("offline")) for one in bench.of("TransactionEvent")]
    assert told == [
        ("Started", 0, None),
        ("Updated", 1, None),
        ("Updated", 2, True),
        ("Ended", 3, True),
    ]


def test_start_given_up_after_refusals_leaves_the_unknown_id() -> None:
    """Errata 1.6: a transaction whose start was never answered is told with id -1."""
    bench = Bench()
    bench.connect()
    bench.errors["StartTransaction"] = "InternalError"
    bench.plug()
    bench.badge()
    bench.run(600)
    bench.unplug()
    assert len(bench.of("StartTransaction")) == 3
    assert bench.of("StopTransaction")[0]["transactionId"] == -1
    assert bench.station.wire_ids == {}


def test_authorised_without_a_cable_is_given_up_after_the_timeout() -> None:
    bench = Bench()
    bench.connect()
    bench.badge()
    bench.run(119)
    assert bench.state() is State.AUTHORISED
    bench.run(2)
    assert bench.state() is State.AVAILABLE
    assert bench.statuses() == ["Available", "Preparing", "Available"]


def test_badge_before_the_cable_starts_with_the_cable() -> None:
    bench = Bench(ocpp="2.0.1")
    bench.connect()
    bench.badge()
    bench.run(60)
    bench.plug()
    started = bench.of("TransactionEvent")[0]
    assert (started["triggerReason"], started["timestamp"]) == ("CablePluggedIn", at(60))


def test_remote_start_asks_for_authorisation_when_configured() -> None:
    bench = Bench()
    bench.connect()
    bench.plug()
    bench.call("ChangeConfiguration", {"key": "AuthorizeRemoteTxRequests", "value": "true"})
    bench.answers["Authorize"] = lambda _: {"idTagInfo": {"status": "Invalid"}}
    assert bench.call("RemoteStartTransaction", {"idTag": "APP"}) == {"status": "Accepted"}
    assert bench.of("Authorize") == [{"idTag": "APP"}]
    assert bench.of("StartTransaction") == []


def test_remote_start_takes_the_evse_where_a_car_waits() -> None:
    bench = Bench(evses=3)
    bench.connect()
    bench.plug(2)
    assert bench.call("RemoteStartTransaction", {"idTag": "APP"}) == {"status": "Accepted"}
    assert bench.of("StartTransaction")[0]["connectorId"] == 2


def test_remote_start_on_a_running_transaction_is_rejected() -> None:
    bench = charging()
    answer = bench.call("RemoteStartTransaction", {"idTag": "APP", "connectorId": 1})
    assert answer == {"status": "Rejected"}


def test_unavailable_is_scheduled_until_the_transaction_ends() -> None:
    bench = charging()
    request = {"connectorId": 0, "type": "Inoperative"}
    assert bench.call("ChangeAvailability", request) == {"status": "Scheduled"}
    assert bench.state() is State.CHARGING
    bench.badge()
    assert bench.state() is State.UNAVAILABLE
    assert bench.badge() == "Rejected"
    bench.call("ChangeAvailability", {"connectorId": 1, "type": "Operative"})
    assert bench.state() is State.PLUGGED


def test_fault_ends_the_transaction_and_repair_finds_the_cable() -> None:
    bench = charging()
    bench.station.fault(1, "GroundFailure")
    bench.flush()
    assert bench.of("StopTransaction")[0]["reason"] == "Other"
    assert bench.of("StatusNotification")[-1]["errorCode"] == "GroundFailure"
    bench.station.repair(1)
    assert bench.state() is State.PLUGGED


def reserve(bench: Bench, **changes: object) -> dict[str, object]:
    request = {"connectorId": 1, "expiryDate": at(600), "idTag": "MINE", "reservationId": 4, **changes}
    return bench.call("ReserveNow", request)


def test_kept_evse_takes_only_its_holder() -> None:
    bench = Bench()
    bench.connect()
    assert reserve(bench) == {"status": "Accepted"}
    assert bench.statuses()[-1] == "Reserved"
    assert bench.badge("OTHER") == "Rejected"
    bench.plug()
    assert bench.badge("mine") == "Accepted"
    assert bench.of("StartTransaction")[0]["reservationId"] == 4


def test_kept_evse_is_given_back_when_the_time_is_over() -> None:
    bench = Bench()
    bench.connect()
    reserve(bench)
    bench.run(601)
    assert bench.state() is State.AVAILABLE
    assert bench.call("CancelReservation", {"reservationId": 4}) == {"status": "Rejected"}


@pytest.mark.parametrize(
    ("prepare", "status"),
    [
        (lambda bench: bench.plug(), "Occupied"),
        (lambda bench: bench.station.fault(1), "Faulted"),
        (
            lambda bench: bench.call("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"}),
            "Unavailable",
        ),
    ],
)
def test_evse_that_is_not_free_cannot_be_kept(prepare: object, status: str) -> None:
    bench = Bench()
    bench.connect()
    assert callable(prepare)
    prepare(bench)
    assert reserve(bench) == {"status": status}


def test_reservation_in_the_past_is_rejected() -> None:
    bench = Bench()
    bench.connect()
    assert reserve(bench, expiryDate=at(-1)) == {"status": "Rejected"}


def test_expired_2_0_1_reservation_is_told() -> None:
    bench = Bench(ocpp="2.0.1")
    bench.connect()
    token = {"idToken": "MINE", "type": "Central"}
    bench.call("ReserveNow", {"id": 4, "expiryDateTime": at(60), "idToken": token})
    bench.run(61)
    assert bench.of("ReservationStatusUpdate") == [{"reservationId": 4, "reservationUpdateStatus": "Expired"}]


def test_reset_on_idle_waits_for_the_transaction() -> None:
    bench = charging(ocpp="2.0.1")
    assert bench.call("Reset", {"type": "OnIdle"}) == {"status": "Scheduled"}
    bench.run(100)
    assert bench.station.reboot_reason is None
    bench.unplug()
    bench.run(20)
    assert bench.station.reboot_reason == "RemoteReset"


def test_firmware_update_tells_its_steps_from_the_hour_asked_for() -> None:
    bench = Bench()
    bench.connect()
    bench.call("UpdateFirmware", {"location": "ftp://x", "retrieveDate": at(100)})
    bench.run(99)
    assert bench.of("FirmwareStatusNotification") == []
    bench.run(100)
    assert [one["status"] for one in bench.of("FirmwareStatusNotification")] == [
        "Downloading",
        "Downloaded",
        "Installing",
        "Installed",
    ]


def test_transaction_status_tells_of_waiting_messages() -> None:
    bench = charging(ocpp="2.0.1")
    transaction_id = bench.station.evses[1].charging_transaction_id
    bench.station.disconnected()
    bench.unplug()
    assert bench.call("GetTransactionStatus", {"transactionId": transaction_id}) == {
        "ongoingIndicator": False,
        "messagesInQueue": True,
    }
    bench.connect()
    assert bench.call("GetTransactionStatus", {}) == {"messagesInQueue": False}


def test_second_2_0_1_profile_in_the_same_place_and_time_is_rejected() -> None:
    bench = Bench(ocpp="2.0.1")
    bench.connect()

    def send(profile_id: int, **changes: object) -> object:
        schedule = {
            "id": 1,
            "startSchedule": at(0),
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10}],
        }
        wire = {
            "id": profile_id,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": [schedule],
            **changes,
        }
        return bench.call("SetChargingProfile", {"evseId": 1, "chargingProfile": wire})["status"]

    assert send(1, validTo=at(600)) == "Accepted"
    assert send(2, validFrom=at(599)) == "Rejected"
    assert send(2, validFrom=at(600)) == "Accepted"
    assert send(1) == "Rejected"
    assert send(1, validTo=at(500)) == "Accepted"


def test_whole_station_out_of_service_is_told_for_connector_0() -> None:
    bench = Bench()
    bench.connect()
    bench.call("ChangeAvailability", {"connectorId": 0, "type": "Inoperative"})
    told = [(one["connectorId"], one["status"]) for one in bench.of("StatusNotification")[2:]]
    assert told == [(0, "Unavailable"), (1, "Unavailable")]


def test_trigger_of_a_status_tells_the_connector_asked_for() -> None:
    bench = Bench(evses=2)
    bench.connect()
    bench.said.clear()
    for connector in (0, 2):
        request = {"requestedMessage": "StatusNotification", "connectorId": connector}
        assert bench.call("TriggerMessage", request) == {"status": "Accepted"}
    assert [one["connectorId"] for one in bench.of("StatusNotification")] == [0, 2]


def test_power_cut_ends_the_transaction_and_tells_it_after_the_boot() -> None:
    bench = charging()
    bench.run(600)
    bench.said.clear()
    bench.station.reboot()
    bench.connect()
    assert [name for name, _ in bench.said if name != "StatusNotification"] == [
        "BootNotification",
        "StopTransaction",
    ]
    stop = bench.of("StopTransaction")[0]
    assert (stop["reason"], stop["timestamp"], stop["transactionId"]) == ("PowerLoss", at(600), 101)


def test_profiles_survive_a_power_cut() -> None:
    """Errata 1.6 §3.37."""
    bench = charging()
    bench.limit((0, 10))
    bench.station.reboot()
    bench.connect()
    bench.badge()
    assert bench.station.evses[1].offered_a == 10


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ("00112233445566778899aabbccddeeff", bytes.fromhex("00112233445566778899aabbccddeeff")),
        ("a-plain-text-key", b"a-plain-text-key"),
        ("0123456789abcdef0123", b"0123456789abcdef0123"),
    ],
)
def test_new_key_is_taken_and_the_station_wants_to_reconnect(value: str, secret: bytes) -> None:
    bench = Bench()
    bench.connect()
    bench.call("ChangeConfiguration", {"key": "AuthorizationKey", "value": value})
    assert (bench.station.secret, bench.station.reconnect_wanted) == (secret, True)
    listed = [one["key"] for one in bench.call("GetConfiguration", {})["configurationKey"]]
    assert "AuthorizationKey" not in listed


def test_list_that_is_switched_off_is_not_asked() -> None:
    bench = charging()
    bench.unplug()
    bench.station.disconnected()
    bench.plug()
    bench.call("ChangeConfiguration", {"key": "AuthorizationCacheEnabled", "value": "false"})
    assert bench.badge() == "Invalid"
