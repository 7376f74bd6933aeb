"""OCPP 1.6: the cases of the OCA's test tool with the central system under test, as far as they are shown.

Each test plays the charge point and asserts what stands on the wire and what is stored. `ledger.toml` says
which ids are shown here and which are open.
"""

from __future__ import annotations

from typing import Any

import pytest

from supervision.csms.commands import CommandState
from supervision.store.db import Database
from tests.conformance.play import (
    BADGE,
    BLOCKED,
    EVENING,
    EXPIRED,
    MORNING,
    NOON,
    UNKNOWN,
    Json,
    by_action,
    charge,
    command,
    kept_as_given,
    no_charge,
    station,
    status,
)
from tests.integration.ocpp_client import SECRET, V16, ChargePoint, Server, basic, refused_with

CP = "CP16"
GOOD = {"status": "Accepted"}


async def tell(point: ChargePoint, word: str, at: str = MORNING, error: str = "NoError") -> None:
    """Report the status of connector 1; the answer is empty."""
    told = {"connectorId": 1, "errorCode": error, "status": word, "timestamp": at}
    assert await point.answer("StatusNotification", told) == {}


async def show(point: ChargePoint, badge: str = BADGE) -> str:
    """Ask about a badge; return the word of the answer."""
    answer = await point.answer("Authorize", {"idTag": badge})
    assert list(answer) == ["idTagInfo"]
    word: str = answer["idTagInfo"]["status"]
    return word


async def begin(point: ChargePoint, badge: str = BADGE, at: str = MORNING, **more: Any) -> Json:
    """Start a charge on connector 1."""
    fields = {"connectorId": 1, "idTag": badge, "meterStart": 1000, "timestamp": at, **more}
    return await point.answer("StartTransaction", fields)


async def end(point: ChargePoint, number: int, at: str = NOON, **more: Any) -> Json:
    """Stop a charge."""
    return await point.answer(
        "StopTransaction", {"transactionId": number, "meterStop": 6000, "timestamp": at, **more}
    )


async def ended(db: Database, reason: str) -> None:
    """The charge has ended with 5 kWh, a reason, and nothing for a person to look at."""
    row = await charge(db)
    assert (row["state"], row["energy_wh"], row["stop_reason"], row["review"]) == (
        "ended",
        5000,
        reason,
        None,
    )


# --- core ---------------------------------------------------------------------------------------------


async def test_TC_001_cold_boot(server: Server, sqlite_db: Database) -> None:
    async with server.station(CP, boot=False) as point:
        boot = {"chargePointVendor": "V", "chargePointModel": "M", "firmwareVersion": "1.2"}
        answer = await point.answer("BootNotification", boot)
        assert answer == {"currentTime": "2026-11-21T08:00:00Z", "interval": 300, "status": "Accepted"}
        whole = {"connectorId": 0, "errorCode": "NoError", "status": "Available"}
        assert await point.answer("StatusNotification", whole) == {}
        await tell(point, "Available")
        assert await point.answer("Heartbeat", {}) == {"currentTime": "2026-11-21T08:00:00Z"}
    assert (await station(sqlite_db, CP))["boot"] == {"vendor": "V", "model": "M", "firmware": "1.2"}
    assert await status(sqlite_db, CP) == ("Available", None)


async def test_TC_003_charge_with_the_plug_first(server: Server, sqlite_db: Database) -> None:
    async with server.station(CP) as point:
        await tell(point, "Preparing")
        assert await show(point) == "Accepted"
        started = await begin(point)
        assert started == {"transactionId": 1, "idTagInfo": GOOD}
        await tell(point, "Charging")
        assert await show(point) == "Accepted"
        assert await end(point, 1, idTag=BADGE, reason="Local") == {"idTagInfo": GOOD}
        await tell(point, "Finishing", NOON)
        await tell(point, "Available", EVENING)
    await ended(sqlite_db, "Local")
    assert await status(sqlite_db, CP) == ("Available", None)


async def test_TC_004_1_charge_with_the_badge_first(server: Server, sqlite_db: Database) -> None:
    async with server.station(CP) as point:
        assert await show(point) == "Accepted"
        await tell(point, "Preparing")
        assert (await begin(point))["idTagInfo"] == GOOD
        await tell(point, "Charging")
        assert await end(point, 1, reason="Local") == {}
    await ended(sqlite_db, "Local")


async def test_TC_004_2_badge_shown_and_no_plug_leaves_nothing(server: Server, sqlite_db: Database) -> None:
    async with server.station(CP) as point:
        assert await show(point) == "Accepted"
        await tell(point, "Preparing")
        await tell(point, "Available", NOON)
    assert await status(sqlite_db, CP) == ("Available", None)
    await no_charge(sqlite_db)


async def test_TC_005_1_cable_pulled_at_the_car_ends_the_charge(server: Server, sqlite_db: Database) -> None:
    async with server.station(CP) as point:
        await begin(point)
        await tell(point, "SuspendedEV")
        assert await end(point, 1, reason="EVDisconnected") == {}
        await tell(point, "Finishing", NOON)
    await ended(sqlite_db, "EVDisconnected")


async def test_TC_007_start_without_asking_first_is_judged_at_the_start(
    server: Server, sqlite_db: Database
) -> None:
    """A station with a cache asks nothing before the start."""
    async with server.station(CP) as point:
        assert await begin(point) == {"transactionId": 1, "idTagInfo": GOOD}
    assert (await charge(sqlite_db))["authorisation"] == "Accepted"


# --- commands whose answer is the case ----------------------------------------------------------------

REMOTE_START: Json = {"connectorId": 1, "idTag": BADGE}
DEFAULT_PROFILE: Json = {
    "connectorId": 1,
    "csChargingProfiles": {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "startSchedule": MORNING,
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.0}],
        },
    },
}
SCHEDULE: Json = {
    "status": "Accepted",
    "connectorId": 1,
    "scheduleStart": MORNING,
    "chargingSchedule": {
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.0}],
    },
}
RESERVE: Json = {"connectorId": 1, "expiryDate": EVENING, "idTag": BADGE, "reservationId": 7}
KEYS: Json = {"configurationKey": [{"key": "HeartbeatInterval", "readonly": False, "value": "300"}]}
BADGES: Json = {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [{"idTag": BADGE}]}

COMMANDS = [
    ("TC_017_1", "UnlockConnector", {"connectorId": 1}, {"status": "Unlocked"}),
    ("TC_017_2", "UnlockConnector", {"connectorId": 2}, {"status": "NotSupported"}),
    ("TC_019_1", "GetConfiguration", {}, KEYS),
    ("TC_019_2", "GetConfiguration", {"key": ["HeartbeatInterval"]}, KEYS),
    ("TC_021", "ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "60"}, GOOD),
    ("TC_028", "RemoteStopTransaction", {"transactionId": 99}, {"status": "Rejected"}),
    ("TC_030", "UnlockConnector", {"connectorId": 1}, {"status": "UnlockFailed"}),
    ("TC_031", "UnlockConnector", {"connectorId": 9}, {"status": "NotSupported"}),
    ("TC_040_1", "ChangeConfiguration", {"key": "Nonsense", "value": "1"}, {"status": "NotSupported"}),
    ("TC_040_2", "ChangeConfiguration", {"key": "HeartbeatInterval", "value": "-1"}, {"status": "Rejected"}),
    ("TC_042_1", "GetLocalListVersion", {}, {"listVersion": -1}),
    ("TC_042_2", "GetLocalListVersion", {}, {"listVersion": 0}),
    ("TC_043_1", "SendLocalList", BADGES, {"status": "NotSupported"}),
    ("TC_043_4", "SendLocalList", BADGES, GOOD),
    ("TC_043_5", "SendLocalList", {**BADGES, "listVersion": 2, "updateType": "Differential"}, GOOD),
    ("TC_048_1", "ReserveNow", RESERVE, {"status": "Faulted"}),
    ("TC_048_2", "ReserveNow", RESERVE, {"status": "Occupied"}),
    ("TC_048_3", "ReserveNow", RESERVE, {"status": "Unavailable"}),
    ("TC_048_4", "ReserveNow", RESERVE, {"status": "Rejected"}),
    ("TC_051", "CancelReservation", {"reservationId": 7}, GOOD),
    ("TC_052", "CancelReservation", {"reservationId": 8}, {"status": "Rejected"}),
    ("TC_055", "TriggerMessage", {"requestedMessage": "Heartbeat", "connectorId": 9}, {"status": "Rejected"}),
    ("TC_056", "SetChargingProfile", DEFAULT_PROFILE, GOOD),
    ("TC_061", "ClearCache", {}, GOOD),
    ("TC_066", "GetCompositeSchedule", {"connectorId": 1, "duration": 300}, SCHEDULE),
    ("TC_067", "ClearChargingProfile", {"id": 1}, GOOD),
]  # fmt: skip


@pytest.mark.parametrize(
    ("action", "payload", "answer"), [case[1:] for case in COMMANDS], ids=[case[0] for case in COMMANDS]
)
async def test_command_reaches_the_station_as_given_and_its_answer_is_kept(
    server: Server, action: str, payload: Json, answer: Json
) -> None:
    await kept_as_given(server, CP, V16, action, payload, answer)


# --- remote control -----------------------------------------------------------------------------------


async def test_TC_010_remote_start_of_a_plugged_car(server: Server, sqlite_db: Database) -> None:
    async with server.station(CP) as point:
        await tell(point, "Preparing")
        result = await command(server, CP, "RemoteStartTransaction", REMOTE_START)
        assert result.response == GOOD
        assert await begin(point) == {"transactionId": 1, "idTagInfo": GOOD}
        await tell(point, "Charging")
    assert point.commands[0][3] == REMOTE_START
    assert (await charge(sqlite_db))["state"] == "open"


async def test_TC_011_1_remote_start_before_the_plug(server: Server, sqlite_db: Database) -> None:
    async with server.station(CP) as point:
        assert (await command(server, CP, "RemoteStartTransaction", REMOTE_START)).response == GOOD
        assert await show(point) == "Accepted"
        await tell(point, "Preparing")
        assert (await begin(point))["idTagInfo"] == GOOD
    assert (await charge(sqlite_db))["id_token"] == BADGE


async def test_TC_011_2_remote_start_that_nobody_follows(server: Server, sqlite_db: Database) -> None:
    async with server.station(CP) as point:
        assert (await command(server, CP, "RemoteStartTransaction", REMOTE_START)).response == GOOD
        await tell(point, "Preparing")
        await tell(point, "Available", NOON)
    assert await status(sqlite_db, CP) == ("Available", None)
    await no_charge(sqlite_db)


async def test_TC_012_remote_stop(server: Server, sqlite_db: Database) -> None:
    async with server.station(CP) as point:
        await begin(point)
        assert (await command(server, CP, "RemoteStopTransaction", {"transactionId": 1})).response == GOOD
        assert await end(point, 1, reason="Remote") == {}
    await ended(sqlite_db, "Remote")


async def test_TC_026_remote_start_refused_by_the_station(server: Server) -> None:
    async with server.station(CP, respond=by_action(RemoteStartTransaction={"status": "Rejected"})):
        result = await command(server, CP, "RemoteStartTransaction", REMOTE_START)
    assert (result.state, result.response) == (CommandState.ANSWERED, {"status": "Rejected"})


async def test_TC_018_1_unlock_ends_the_charge_first(server: Server, sqlite_db: Database) -> None:
    async with server.station(CP, respond=by_action(UnlockConnector={"status": "Unlocked"})) as point:
        await begin(point)
        result = await command(server, CP, "UnlockConnector", {"connectorId": 1})
        assert result.response == {"status": "Unlocked"}
        assert await end(point, 1, reason="UnlockCommand") == {}
    await ended(sqlite_db, "UnlockCommand")


@pytest.mark.parametrize(
    ("kind", "reason"), [("Hard", "HardReset"), ("Soft", "SoftReset")], ids=["TC_013", "TC_014"]
)
async def test_reset_ends_the_charge_and_the_station_boots_again(
    server: Server, sqlite_db: Database, kind: str, reason: str
) -> None:
    async with server.station(CP) as point:
        await begin(point)
        assert (await command(server, CP, "Reset", {"type": kind})).response == GOOD
        assert await end(point, 1, reason=reason) == {}
    async with server.station(CP) as again:
        await tell(again, "Available", EVENING)
    await ended(sqlite_db, reason)


# --- badges that are not good, locks that fail --------------------------------------------------------


@pytest.mark.parametrize(
    ("badge", "word"),
    [(UNKNOWN, "Invalid"), (EXPIRED, "Expired"), (BLOCKED, "Blocked")],
    ids=["TC_023_1", "TC_023_2", "TC_023_3"],
)
async def test_badge_that_is_not_good_is_told_why(server: Server, badge: str, word: str) -> None:
    async with server.station(CP) as point:
        assert await show(point, badge) == word
        started = await begin(point, badge)
    assert started["idTagInfo"]["status"] == word


async def test_TC_024_lock_failure_is_kept_with_its_error(server: Server, sqlite_db: Database) -> None:
    async with server.station(CP) as point:
        await tell(point, "Preparing")
        assert await show(point) == "Accepted"
        await tell(point, "Faulted", NOON, "ConnectorLockFailure")
    assert await status(sqlite_db, CP) == ("Faulted", "ConnectorLockFailure")


# --- power and line lost ------------------------------------------------------------------------------


async def test_TC_032_1_charge_stopped_by_a_power_failure(server: Server, sqlite_db: Database) -> None:
    async with server.station(CP) as point:
        await begin(point)
    async with server.station(CP) as again:
        assert await end(again, 1, reason="PowerLoss") == {}
        await tell(again, "Available", EVENING)
    await ended(sqlite_db, "PowerLoss")


async def test_TC_037_1_start_told_after_the_line_came_back(server: Server, sqlite_db: Database) -> None:
    async with server.station(CP) as point:
        assert await begin(point, at=MORNING) == {"transactionId": 1, "idTagInfo": GOOD}
    assert (await charge(sqlite_db))["started_at"].isoformat() == "2026-11-21T07:00:00+00:00"


async def test_TC_037_3_offline_start_with_an_unknown_badge_is_stopped(
    server: Server, sqlite_db: Database
) -> None:
    async with server.station(CP) as point:
        started = await begin(point, UNKNOWN)
        assert started == {"transactionId": 1, "idTagInfo": {"status": "Invalid"}}
        assert await end(point, 1, reason="DeAuthorized") == {}
    row = await charge(sqlite_db)
    assert (row["stop_reason"], row["energy_wh"], row["review"]) == ("DeAuthorized", 5000, "unknown_token")


async def test_TC_039_whole_charge_told_after_the_line_came_back(server: Server, sqlite_db: Database) -> None:
    async with server.station(CP) as point:
        assert (await begin(point))["transactionId"] == 1
        assert await end(point, 1, reason="Local") == {}
    await ended(sqlite_db, "Local")


# --- triggers, data, profiles, keys -------------------------------------------------------------------


async def test_TC_054_triggered_messages_arrive(server: Server) -> None:
    async with server.station(CP) as point:
        for wanted in ("MeterValues", "Heartbeat", "StatusNotification", "BootNotification"):
            assert (
                await command(server, CP, "TriggerMessage", {"requestedMessage": wanted})
            ).response == GOOD
        sample = [{"timestamp": MORNING, "sampledValue": [{"value": "1000"}]}]
        assert await point.answer("MeterValues", {"connectorId": 1, "meterValue": sample}) == {}
    assert [frame[3]["requestedMessage"] for frame in point.commands] == [
        "MeterValues", "Heartbeat", "StatusNotification", "BootNotification",
    ]  # fmt: skip


async def test_TC_057_profile_for_a_running_charge(server: Server) -> None:
    profile = DEFAULT_PROFILE["csChargingProfiles"]
    for_charge = {**profile, "chargingProfilePurpose": "TxProfile", "transactionId": 1}
    async with server.station(CP) as point:
        await begin(point)
        payload = {"connectorId": 1, "csChargingProfiles": for_charge}
        assert (await command(server, CP, "SetChargingProfile", payload)).response == GOOD
    assert point.commands[0][3] == payload


async def test_TC_059_remote_start_with_a_profile(server: Server, sqlite_db: Database) -> None:
    profile = {**DEFAULT_PROFILE["csChargingProfiles"], "chargingProfilePurpose": "TxProfile"}
    async with server.station(CP) as point:
        payload = {**REMOTE_START, "chargingProfile": profile}
        assert (await command(server, CP, "RemoteStartTransaction", payload)).response == GOOD
        assert (await begin(point))["idTagInfo"] == GOOD
    assert point.commands[0][3] == payload
    assert (await charge(sqlite_db))["state"] == "open"


async def test_TC_064_data_of_an_unknown_vendor(server: Server) -> None:
    async with server.station(CP) as point:
        answer = await point.answer("DataTransfer", {"vendorId": "org.example", "data": "x"})
    assert answer == {"status": "UnknownVendorId"}


async def test_TC_046_reserved_connector_is_used(server: Server, sqlite_db: Database) -> None:
    async with server.station(CP) as point:
        assert (await command(server, CP, "ReserveNow", RESERVE)).response == GOOD
        await tell(point, "Reserved")
        assert await show(point) == "Accepted"
        assert (await begin(point, reservationId=7))["idTagInfo"] == GOOD
    assert (await charge(sqlite_db))["state"] == "open"


async def test_TC_047_reservation_runs_out(server: Server, sqlite_db: Database) -> None:
    async with server.station(CP) as point:
        assert (await command(server, CP, "ReserveNow", RESERVE)).response == GOOD
        await tell(point, "Reserved")
        assert await status(sqlite_db, CP) == ("Reserved", None)
        await tell(point, "Available", EVENING)
    assert await status(sqlite_db, CP) == ("Available", None)
    await no_charge(sqlite_db)


async def test_TC_049_whole_charge_point_is_reserved(server: Server) -> None:
    async with server.station(CP) as point:
        payload = {**RESERVE, "connectorId": 0}
        assert (await command(server, CP, "ReserveNow", payload)).response == GOOD
        assert (await begin(point, reservationId=7))["idTagInfo"] == GOOD
    assert point.commands[0][3] == payload


# --- security -----------------------------------------------------------------------------------------


async def test_TC_073_new_password_is_the_one_that_opens(server: Server) -> None:
    new = "fedcba98765432100123"
    async with server.station(CP) as point:
        payload = {"key": "AuthorizationKey", "value": new.encode().hex()}
        assert (await command(server, CP, "ChangeConfiguration", payload)).response == GOOD
    assert point.commands[0][3] == payload
    async with server.station(CP, secret=new) as again:
        await tell(again, "Available")
    assert (await refused_with(server, f"/{CP}", additional_headers=basic(CP, SECRET)))[0] == 401


async def test_TC_085_password_is_asked_for(server: Server) -> None:
    async with server.station(CP) as point:
        await tell(point, "Available")
    for headers in ({}, basic(CP, "wrong-password-wrong"), basic("CS201", SECRET)):
        assert (await refused_with(server, f"/{CP}", additional_headers=headers))[0] == 401


async def test_TC_088_subprotocol_is_agreed_on_or_the_door_stays_shut(server: Server) -> None:
    async with server.station(CP) as point:
        assert point.socket.subprotocol == "ocpp1.6"
    answer = await refused_with(server, f"/{CP}", subprotocols=None, additional_headers=basic(CP, SECRET))
    assert answer[0] == 400
