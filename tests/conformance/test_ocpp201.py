"""OCPP 2.0.1: the cases of the OCA's test tool with the central system under test, as far as they are shown.

Each test plays the charging station and asserts what stands on the wire and what is stored. `ledger.toml`
says which ids are shown here, which are open, and which are declined.
"""

from __future__ import annotations

from typing import Any

import pytest
import websockets

from supervision.csms.commands import CommandState
from supervision.store.db import Database
from tests.conformance.play import (
    ACCEPTED,
    BADGE,
    BLOCKED,
    EVENING,
    EXPIRED,
    MORNING,
    NOON,
    UNKNOWN,
    Json,
    charge,
    command,
    kept_as_given,
    no_charge,
    station,
    status,
)
from tests.integration.ocpp_client import SECRET, V201, ChargePoint, Server, basic, dial, refused_with

CS = "CS201"
TOKEN: Json = {"idToken": BADGE, "type": "ISO14443"}
EVSE: Json = {"id": 1, "connectorId": 1}


async def tell(point: ChargePoint, word: str, at: str = MORNING) -> None:
    """Report the status of the connector of EVSE 1; the answer is empty."""
    told = {"timestamp": at, "connectorStatus": word, "evseId": 1, "connectorId": 1}
    assert await point.answer("StatusNotification", told) == {}


async def show(point: ChargePoint, badge: str = BADGE) -> Json:
    """Ask about a badge; return the whole answer."""
    return await point.answer("Authorize", {"idToken": {"idToken": badge, "type": "ISO14443"}})


async def event(
    point: ChargePoint, kind: str, seq: int, trigger: str, wh: int | None = None, **more: Any
) -> Json:
    """Tell of the charging transaction; `info` goes into transactionInfo."""
    info = {"transactionId": "tx-1", **more.pop("info", {})}
    payload = {
        "eventType": kind,
        "timestamp": NOON if kind == "Ended" else MORNING,
        "triggerReason": trigger,
        "seqNo": seq,
        "transactionInfo": info,
        "evse": EVSE,
        **more,
    }
    if wh is not None:
        payload["meterValue"] = [{"timestamp": payload["timestamp"], "sampledValue": [{"value": wh}]}]
    return await point.answer("TransactionEvent", payload)


async def begun(point: ChargePoint) -> None:
    """Start a charge at 1 kWh on the register, accepted."""
    answer = await event(point, "Started", 0, "Authorized", 1000, idToken=TOKEN)
    assert answer == {"idTokenInfo": ACCEPTED}


async def ended(db: Database, reason: str) -> None:
    """The charge has ended with 5 kWh, a reason, and nothing for a person to look at."""
    row = await charge(db)
    assert (row["state"], row["energy_wh"], row["stop_reason"], row["review"]) == (
        "ended",
        5000,
        reason,
        None,
    )


# --- A security, B provisioning -----------------------------------------------------------------------


async def test_TC_A_01_right_password_opens(server: Server) -> None:
    async with server.station(CS, V201) as point:
        assert point.socket.subprotocol == V201


@pytest.mark.parametrize(
    "headers", [basic("CP16", SECRET), basic(CS, "wrong-password-wrong")], ids=["TC_A_02", "TC_A_03"]
)
async def test_foreign_user_and_wrong_password_stay_outside(server: Server, headers: dict[str, str]) -> None:
    protocols = [websockets.Subprotocol(V201)]
    answer = await refused_with(server, f"/{CS}", subprotocols=protocols, additional_headers=headers)
    assert answer[0] == 401


async def test_TC_A_09_new_password_is_the_one_that_opens(server: Server) -> None:
    new = "fedcba98765432100123"
    wanted = {
        "component": {"name": "SecurityCtrlr"},
        "variable": {"name": "BasicAuthPassword"},
        "attributeValue": new,
    }
    told = {key: value for key, value in wanted.items() if key != "attributeValue"}
    answer = {"setVariableResult": [{"attributeStatus": "Accepted", **told}]}
    async with server.station(CS, V201, respond=lambda _action, _payload: answer) as point:
        result = await command(server, CS, "SetVariables", {"setVariableData": [wanted]})
    assert result.state is CommandState.ANSWERED
    assert point.commands[0][3] == {"setVariableData": [wanted]}
    async with server.station(CS, V201, secret=new) as again:
        await tell(again, "Available")
    with pytest.raises(websockets.InvalidStatus):
        async with server.station(CS, V201, secret=SECRET):
            pass


async def test_TC_A_10_old_password_stays_when_the_station_refuses_the_new(server: Server) -> None:
    wanted = {
        "component": {"name": "SecurityCtrlr"},
        "variable": {"name": "BasicAuthPassword"},
        "attributeValue": "fedcba98765432100123",
    }
    told = {key: value for key, value in wanted.items() if key != "attributeValue"}
    answer = {"setVariableResult": [{"attributeStatus": "Rejected", **told}]}
    async with server.station(CS, V201, respond=lambda _action, _payload: answer):
        await command(server, CS, "SetVariables", {"setVariableData": [wanted]})
    async with server.station(CS, V201, secret=SECRET) as again:
        await tell(again, "Available")


async def test_TC_B_01_cold_boot(server: Server, sqlite_db: Database) -> None:
    async with server.station(CS, V201, boot=False) as point:
        boot = {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}}
        answer = await point.answer("BootNotification", boot)
        assert answer == {"currentTime": "2026-11-21T08:00:00Z", "interval": 300, "status": "Accepted"}
        await tell(point, "Available")
        assert await point.answer("Heartbeat", {}) == {"currentTime": "2026-11-21T08:00:00Z"}
    assert (await station(sqlite_db, CS))["boot"] == {"vendor": "V", "model": "M", "reason": "PowerUp"}
    assert await status(sqlite_db, CS) == ("Available", None)


async def test_TC_B_58_subprotocol_is_agreed_on_or_the_door_stays_shut(server: Server) -> None:
    newest = [websockets.Subprotocol("ocpp2.1"), websockets.Subprotocol(V201)]
    async with dial(server, f"/{CS}", subprotocols=newest, additional_headers=basic(CS, SECRET)) as socket:
        assert socket.subprotocol == V201
    answer = await refused_with(server, f"/{CS}", subprotocols=None, additional_headers=basic(CS, SECRET))
    assert answer[0] == 400


# --- C authorisation ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("badge", "word"),
    [(UNKNOWN, "Invalid"), (BLOCKED, "Blocked"), (EXPIRED, "Expired")],
    ids=["TC_C_02", "TC_C_06", "TC_C_07"],
)
async def test_badge_that_is_not_good_is_told_why(
    server: Server, sqlite_db: Database, badge: str, word: str
) -> None:
    async with server.station(CS, V201) as point:
        assert (await show(point, badge))["idTokenInfo"]["status"] == word
    await no_charge(sqlite_db)


async def test_TC_C_08_badge_from_the_cache_is_judged_with_the_start(
    server: Server, sqlite_db: Database
) -> None:
    async with server.station(CS, V201) as point:
        await begun(point)
    assert (await charge(sqlite_db))["authorisation"] == "Accepted"


async def test_TC_C_20_badge_gone_bad_in_the_cache_is_told_with_the_start(
    server: Server, sqlite_db: Database
) -> None:
    async with server.station(CS, V201) as point:
        bad = {"idToken": BLOCKED, "type": "ISO14443"}
        answer = await event(point, "Started", 0, "Authorized", 1000, idToken=bad)
        assert answer == {"idTokenInfo": {"status": "Blocked"}}
        await event(point, "Ended", 1, "Deauthorized", 1000, info={"stoppedReason": "DeAuthorized"})
    assert (await charge(sqlite_db))["stop_reason"] == "DeAuthorized"


# --- E transactions -----------------------------------------------------------------------------------


async def test_TC_E_03_charge_with_the_plug_first(server: Server, sqlite_db: Database) -> None:
    async with server.station(CS, V201) as point:
        await tell(point, "Occupied")
        started = await event(
            point, "Started", 0, "CablePluggedIn", 1000, info={"chargingState": "EVConnected"}
        )
        assert started == {}
        assert (await show(point))["idTokenInfo"] == ACCEPTED
        updated = await event(
            point, "Updated", 1, "Authorized", idToken=TOKEN, info={"chargingState": "Charging"}
        )
        assert updated == {"idTokenInfo": ACCEPTED}
    row = await charge(sqlite_db)
    assert (row["id_token"], row["charging_state"], row["state"]) == (BADGE, "Charging", "open")


async def test_TC_E_04_charge_with_the_badge_first(server: Server, sqlite_db: Database) -> None:
    async with server.station(CS, V201) as point:
        assert (await show(point))["idTokenInfo"] == ACCEPTED
        await begun(point)
        assert await event(point, "Updated", 1, "CablePluggedIn", info={"chargingState": "Charging"}) == {}
    assert (await charge(sqlite_db))["charging_state"] == "Charging"


STOPS = [
    ("TC_E_07", "StopAuthorized", "Local"),
    ("TC_E_15", "StopAuthorized", "Local"),
    ("TC_E_16", "Deauthorized", "DeAuthorized"),
    ("TC_E_17", "Deauthorized", "EVDisconnected"),
    ("TC_E_20", "EVCommunicationLost", "EVDisconnected"),
    ("TC_E_21", "RemoteStop", "Remote"),
    ("TC_E_39", "EVConnectTimeout", "Timeout"),
]


@pytest.mark.parametrize(("trigger", "reason"), [case[1:] for case in STOPS], ids=[case[0] for case in STOPS])
async def test_charge_ends_for_the_reason_that_the_station_tells(
    server: Server, sqlite_db: Database, trigger: str, reason: str
) -> None:
    async with server.station(CS, V201) as point:
        await begun(point)
        answer = await event(point, "Ended", 1, trigger, 6000, info={"stoppedReason": reason})
        assert answer == {"totalCost": 0.0}
    await ended(sqlite_db, reason)


async def test_TC_E_26_cable_pulled_suspends_and_the_charge_goes_on(
    server: Server, sqlite_db: Database
) -> None:
    async with server.station(CS, V201) as point:
        await begun(point)
        assert await event(point, "Updated", 1, "EVCommunicationLost", info={"chargingState": "Idle"}) == {}
        assert await event(point, "Updated", 2, "CablePluggedIn", info={"chargingState": "Charging"}) == {}
    row = await charge(sqlite_db)
    assert (row["state"], row["charging_state"]) == ("open", "Charging")


async def test_TC_E_38_car_not_ready_keeps_the_charge_open(server: Server, sqlite_db: Database) -> None:
    async with server.station(CS, V201) as point:
        await begun(point)
        told = await event(point, "Updated", 1, "ChargingStateChanged", info={"chargingState": "SuspendedEV"})
        assert told == {}
    assert (await charge(sqlite_db))["charging_state"] == "SuspendedEV"


async def test_TC_E_53_numbers_from_zero_in_every_charge(server: Server, sqlite_db: Database) -> None:
    async with server.station(CS, V201) as point:
        await begun(point)
        await event(point, "Ended", 1, "StopAuthorized", 6000, info={"stoppedReason": "Local"})
        again = await event(
            point, "Started", 0, "Authorized", 6000, idToken=TOKEN, info={"transactionId": "tx-2"}
        )
        assert again == {"idTokenInfo": ACCEPTED}


# --- J meter values, P data ---------------------------------------------------------------------------


async def test_TC_J_01_clock_aligned_values_outside_a_charge(server: Server) -> None:
    aligned = {"value": 1000, "context": "Sample.Clock"}
    async with server.station(CS, V201) as point:
        values = [{"timestamp": MORNING, "sampledValue": [aligned]}]
        assert await point.answer("MeterValues", {"evseId": 1, "meterValue": values}) == {}


@pytest.mark.parametrize(
    ("context", "trigger"),
    [("Sample.Clock", "MeterValueClock"), ("Sample.Periodic", "MeterValuePeriodic")],
    ids=["TC_J_02", "TC_J_09"],
)
async def test_values_of_a_running_charge_move_its_register(
    server: Server, sqlite_db: Database, context: str, trigger: str
) -> None:
    async with server.station(CS, V201) as point:
        await begun(point)
        values = [{"timestamp": NOON, "sampledValue": [{"value": 3500, "context": context}]}]
        assert await event(point, "Updated", 1, trigger, meterValue=values) == {}
    assert (await charge(sqlite_db))["meter_last_wh"] == 3500


@pytest.mark.parametrize("context", ["Sample.Clock", "Transaction.End"], ids=["TC_J_03", "TC_J_10"])
async def test_values_of_the_end_are_the_last_register(
    server: Server, sqlite_db: Database, context: str
) -> None:
    async with server.station(CS, V201) as point:
        await begun(point)
        values = [{"timestamp": NOON, "sampledValue": [{"value": 6000, "context": context}]}]
        info = {"stoppedReason": "Local"}
        assert "totalCost" in await event(point, "Ended", 1, "StopAuthorized", meterValue=values, info=info)
    await ended(sqlite_db, "Local")


async def test_TC_P_02_data_of_an_unknown_vendor(server: Server) -> None:
    async with server.station(CS, V201) as point:
        answer = await point.answer("DataTransfer", {"vendorId": "org.example", "data": "x"})
    assert answer == {"status": "UnknownVendorId"}


async def test_TC_P_03_custom_data_disturbs_nothing(server: Server) -> None:
    async with server.station(CS, V201) as point:
        answer = await point.answer("Heartbeat", {"customData": {"vendorId": "org.example", "more": 1}})
    assert answer == {"currentTime": "2026-11-21T08:00:00Z"}


# --- remote control -----------------------------------------------------------------------------------

REMOTE_START: Json = {"evseId": 1, "remoteStartId": 1, "idToken": TOKEN}


async def test_TC_F_01_remote_start_of_a_plugged_car(server: Server, sqlite_db: Database) -> None:
    async with server.station(CS, V201) as point:
        await tell(point, "Occupied")
        assert (await command(server, CS, "RequestStartTransaction", REMOTE_START)).response == ACCEPTED
        info = {"remoteStartId": 1}
        answer = await event(point, "Started", 0, "RemoteStart", 1000, idToken=TOKEN, info=info)
        assert answer == {"idTokenInfo": ACCEPTED}
    assert (await charge(sqlite_db))["id_token"] == BADGE


async def test_TC_F_02_remote_start_before_the_plug_asks_first(server: Server, sqlite_db: Database) -> None:
    async with server.station(CS, V201) as point:
        assert (await command(server, CS, "RequestStartTransaction", REMOTE_START)).response == ACCEPTED
        assert (await show(point))["idTokenInfo"] == ACCEPTED
        await begun(point)
    assert (await charge(sqlite_db))["state"] == "open"


async def test_TC_F_03_remote_start_before_the_plug_asks_nothing(server: Server, sqlite_db: Database) -> None:
    async with server.station(CS, V201) as point:
        assert (await command(server, CS, "RequestStartTransaction", REMOTE_START)).response == ACCEPTED
        await begun(point)
    assert (await charge(sqlite_db))["state"] == "open"


async def test_TC_F_04_remote_start_that_nobody_follows(server: Server, sqlite_db: Database) -> None:
    async with server.station(CS, V201) as point:
        assert (await command(server, CS, "RequestStartTransaction", REMOTE_START)).response == ACCEPTED
        await tell(point, "Available", EVENING)
    await no_charge(sqlite_db)


# --- commands whose answer is the case ----------------------------------------------------------------

PROFILE: Json = {
    "id": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": [
        {
            "id": 1,
            "chargingRateUnit": "A",
            "startSchedule": MORNING,
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.0}],
        }
    ],
}
STATION_MAX: Json = {**PROFILE, "chargingProfilePurpose": "ChargingStationMaxProfile"}
RECURRING: Json = {**PROFILE, "chargingProfileKind": "Recurring", "recurrencyKind": "Daily"}
SCHEDULE: Json = {
    "status": "Accepted",
    "schedule": {
        "evseId": 1,
        "duration": 300,
        "scheduleStart": MORNING,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.0}],
    },
}
RESERVE: Json = {"id": 7, "expiryDateTime": EVENING, "idToken": TOKEN, "evseId": 1}
ONE_BADGE: Json = {"idToken": TOKEN, "idTokenInfo": {"status": "Accepted"}}
FULL: Json = {"versionNumber": 1, "updateType": "Full", "localAuthorizationList": [ONE_BADGE]}


def trigger(wanted: str, **more: Any) -> Json:
    """A TriggerMessage."""
    return {"requestedMessage": wanted, **more}


def availability(word: str, **evse: int) -> Json:
    """A ChangeAvailability of the whole station, an EVSE, or a connector."""
    return {"operationalStatus": word, **({"evse": evse} if evse else {})}


REJECTED: Json = {"status": "Rejected"}
SCHEDULED: Json = {"status": "Scheduled"}

COMMANDS: list[tuple[str, str, Json, Json]] = [
    ("TC_B_20", "Reset", {"type": "OnIdle"}, ACCEPTED),
    ("TC_B_21", "Reset", {"type": "OnIdle"}, SCHEDULED),
    ("TC_B_22", "Reset", {"type": "Immediate"}, ACCEPTED),
    ("TC_B_25", "Reset", {"type": "OnIdle", "evseId": 1}, ACCEPTED),
    ("TC_B_26", "Reset", {"type": "OnIdle", "evseId": 1}, SCHEDULED),
    ("TC_B_27", "Reset", {"type": "Immediate", "evseId": 1}, ACCEPTED),
    ("TC_C_37", "ClearCache", {}, ACCEPTED),
    ("TC_C_38", "ClearCache", {}, REJECTED),
    ("TC_D_01", "SendLocalList", FULL, ACCEPTED),
    ("TC_D_02", "SendLocalList", {**FULL, "versionNumber": 2, "updateType": "Differential"}, ACCEPTED),
    (
        "TC_D_03",
        "SendLocalList",
        {"versionNumber": 3, "updateType": "Differential", "localAuthorizationList": [{"idToken": TOKEN}]},
        ACCEPTED,
    ),
    ("TC_D_04", "SendLocalList", {"versionNumber": 4, "updateType": "Full"}, ACCEPTED),
    ("TC_D_08", "GetLocalListVersion", {}, {"versionNumber": 4}),
    ("TC_D_09", "GetLocalListVersion", {}, {"versionNumber": 0}),
    ("TC_F_06", "UnlockConnector", {"evseId": 1, "connectorId": 1}, {"status": "Unlocked"}),
    ("TC_F_11", "TriggerMessage", trigger("MeterValues", evse={"id": 1}), ACCEPTED),
    ("TC_F_12", "TriggerMessage", trigger("MeterValues"), ACCEPTED),
    ("TC_F_13", "TriggerMessage", trigger("TransactionEvent", evse={"id": 1}), ACCEPTED),
    ("TC_F_14", "TriggerMessage", trigger("TransactionEvent"), ACCEPTED),
    ("TC_F_15", "TriggerMessage", trigger("LogStatusNotification"), ACCEPTED),
    ("TC_F_18", "TriggerMessage", trigger("FirmwareStatusNotification"), ACCEPTED),
    ("TC_F_20", "TriggerMessage", trigger("Heartbeat"), ACCEPTED),
    ("TC_F_23", "TriggerMessage", trigger("StatusNotification", evse=EVSE), ACCEPTED),
    ("TC_F_24", "TriggerMessage", trigger("StatusNotification", evse={"id": 2, "connectorId": 1}), ACCEPTED),
    ("TC_F_27", "TriggerMessage", trigger("SignV2GCertificate"), {"status": "NotImplemented"}),
    ("TC_G_03", "ChangeAvailability", availability("Inoperative", id=1), ACCEPTED),
    ("TC_G_04", "ChangeAvailability", availability("Operative", id=1), ACCEPTED),
    ("TC_G_05", "ChangeAvailability", availability("Inoperative"), ACCEPTED),
    ("TC_G_06", "ChangeAvailability", availability("Operative"), ACCEPTED),
    ("TC_G_07", "ChangeAvailability", availability("Inoperative", id=1, connectorId=1), ACCEPTED),
    ("TC_G_08", "ChangeAvailability", availability("Operative", id=1, connectorId=1), ACCEPTED),
    ("TC_G_11", "ChangeAvailability", availability("Inoperative", id=1), SCHEDULED),
    ("TC_G_14", "ChangeAvailability", availability("Inoperative"), SCHEDULED),
    ("TC_G_17", "ChangeAvailability", availability("Inoperative", id=1, connectorId=1), SCHEDULED),
    ("TC_H_01", "ReserveNow", RESERVE, ACCEPTED),
    ("TC_H_08", "ReserveNow", {k: v for k, v in RESERVE.items() if k != "evseId"}, ACCEPTED),
    ("TC_H_15", "ReserveNow", {**RESERVE, "connectorType": "cType2"}, ACCEPTED),
    ("TC_H_17", "CancelReservation", {"reservationId": 7}, ACCEPTED),
    ("TC_H_22", "ReserveNow", RESERVE, REJECTED),
    ("TC_K_01", "SetChargingProfile", {"evseId": 1, "chargingProfile": PROFILE}, ACCEPTED),
    ("TC_K_03", "SetChargingProfile", {"evseId": 0, "chargingProfile": STATION_MAX}, ACCEPTED),
    ("TC_K_05", "ClearChargingProfile", {"chargingProfileId": 1}, ACCEPTED),
    (
        "TC_K_06",
        "ClearChargingProfile",
        {"chargingProfileCriteria": {"stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile"}},
        ACCEPTED,
    ),
    ("TC_K_08", "ClearChargingProfile", {"chargingProfileId": 9}, {"status": "Unknown"}),
    ("TC_K_10", "SetChargingProfile", {"evseId": 0, "chargingProfile": PROFILE}, ACCEPTED),
    ("TC_K_19", "SetChargingProfile", {"evseId": 1, "chargingProfile": RECURRING}, ACCEPTED),
    ("TC_K_37", "RequestStartTransaction", {**REMOTE_START, "chargingProfile": PROFILE}, ACCEPTED),
    ("TC_K_43", "GetCompositeSchedule", {"evseId": 1, "duration": 300}, SCHEDULE),
    ("TC_K_44", "GetCompositeSchedule", {"evseId": 0, "duration": 300}, SCHEDULE),
]


@pytest.mark.parametrize(
    ("action", "payload", "answer"), [case[1:] for case in COMMANDS], ids=[case[0] for case in COMMANDS]
)
async def test_command_reaches_the_station_as_given_and_its_answer_is_kept(
    server: Server, action: str, payload: Json, answer: Json
) -> None:
    await kept_as_given(server, CS, V201, action, payload, answer)
