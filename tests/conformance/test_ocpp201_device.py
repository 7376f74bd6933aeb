"""OCPP 2.0.1: firmware, logs, what monitors notice, reservations, and limits that others set."""

from __future__ import annotations

from typing import Any

import pytest

from supervision.clock import FixedClock
from supervision.csms.commands import CommandState
from supervision.csms.devices.service import DeviceService
from supervision.store.db import Database
from supervision.store.schema import errands
from tests.conformance.play import (
    ACCEPTED,
    BADGE,
    EVENING,
    MORNING,
    NOON,
    Json,
    by_action,
    command,
    errand,
    notices,
    open_alerts,
    rows,
    settle,
    status,
)
from tests.integration.ocpp_client import V201, ChargePoint, Server, boot_payload

CS = "CS201"


def update(request_id: int = 1) -> Json:
    firmware = {
        "location": "https://files.example.org/fw.bin",
        "retrieveDateTime": MORNING,
        "signingCertificate": "-----BEGIN CERTIFICATE-----",
        "signature": "c2lnbmF0dXJl",
    }
    return {"requestId": request_id, "firmware": firmware}


async def tell(point: ChargePoint, action: str, *words: str, request_id: int = 1) -> None:
    """Tell the words of a status one after another; every answer is empty."""
    for word in words:
        assert await point.answer(action, {"status": word, "requestId": request_id}) == {}


# --- L firmware ---------------------------------------------------------------------------------------


async def test_TC_L_01_firmware_is_installed(server: Server, sqlite_db: Database, clock: FixedClock) -> None:
    async with server.station(CS, V201) as point:
        await command(server, CS, "UpdateFirmware", update())
        await settle(sqlite_db, clock)
        assert await errand(sqlite_db, "firmware") == ("under_way", "Accepted")
        words = ["Downloading", "Downloaded", "SignatureVerified", "Installing", "InstallRebooting"]
        await tell(point, "FirmwareStatusNotification", *words)
        assert await errand(sqlite_db, "firmware") == ("under_way", "InstallRebooting")
        boot = {**boot_payload(V201), "reason": "FirmwareUpdate"}
        assert (await point.answer("BootNotification", boot))["status"] == "Accepted"
        await tell(point, "FirmwareStatusNotification", "Installed")
        event = {"type": "FirmwareUpdated", "timestamp": NOON}
        assert await point.answer("SecurityEventNotification", event) == {}
    assert [frame[2:] for frame in point.commands] == [["UpdateFirmware", update()]]
    assert await errand(sqlite_db, "firmware") == ("done", "Installed")
    assert await notices(sqlite_db) == [("security", "FirmwareUpdated", False)]


@pytest.mark.parametrize(
    ("words", "state"),
    [
        pytest.param(["Downloading", "Downloaded", "InstallScheduled"], "waiting", id="TC_L_02"),
        pytest.param(["DownloadScheduled"], "waiting", id="TC_L_03"),
        pytest.param(["Downloading", "Downloaded", "InvalidSignature"], "failed", id="TC_L_06"),
        pytest.param(["Downloading", "DownloadFailed"], "failed", id="TC_L_07"),
        pytest.param(["Downloaded", "InstallVerificationFailed"], "failed", id="TC_L_08"),
        pytest.param(["Downloaded", "Installing", "InstallationFailed"], "failed", id="TC_L_09"),
    ],
)
async def test_course_of_an_update(
    server: Server, sqlite_db: Database, clock: FixedClock, words: list[str], state: str
) -> None:
    async with server.station(CS, V201) as point:
        await command(server, CS, "UpdateFirmware", update())
        await settle(sqlite_db, clock)
        await tell(point, "FirmwareStatusNotification", *words)
    assert await errand(sqlite_db, "firmware") == (state, words[-1])


@pytest.mark.parametrize(
    "word",
    [
        pytest.param("RevokedCertificate", id="TC_L_04"),
        pytest.param("InvalidCertificate", id="TC_L_05"),
    ],
)
async def test_update_whose_certificate_the_station_refuses(
    server: Server, sqlite_db: Database, clock: FixedClock, word: str
) -> None:
    answers = by_action(UpdateFirmware={"status": word})
    async with server.station(CS, V201, respond=answers) as point:
        result = await command(server, CS, "UpdateFirmware", update())
        assert result.response == {"status": word}
        event = {"type": "InvalidFirmwareSigningCertificate", "timestamp": MORNING}
        assert await point.answer("SecurityEventNotification", event) == {}
    await settle(sqlite_db, clock)
    assert await errand(sqlite_db, "firmware") == ("refused", word)
    assert await open_alerts(sqlite_db) == [("security", f"security:{CS}:InvalidFirmwareSigningCertificate")]


async def test_TC_L_10_second_update_takes_the_place_of_the_first(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    def answers(_action: str, payload: Json) -> Json:
        return {"status": "Accepted" if payload["requestId"] == 1 else "AcceptedCanceled"}

    async with server.station(CS, V201, respond=answers) as point:
        await command(server, CS, "UpdateFirmware", update(1))
        await settle(sqlite_db, clock)
        await tell(point, "FirmwareStatusNotification", "Downloading")
        await command(server, CS, "UpdateFirmware", update(2))
        await settle(sqlite_db, clock)
        await tell(point, "FirmwareStatusNotification", "Downloading", request_id=2)
    found = [(row["request_id"], row["state"], row["word"]) for row in await rows(sqlite_db, errands)]
    assert found == [(1, "cancelled", "AcceptedCanceled"), (2, "under_way", "Downloading")]


async def test_TC_L_11_update_that_cannot_be_cancelled_goes_on(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    def answers(_action: str, payload: Json) -> Json:
        return {"status": "Accepted" if payload["requestId"] == 1 else "Rejected"}

    async with server.station(CS, V201, respond=answers) as point:
        await command(server, CS, "UpdateFirmware", update(1))
        await settle(sqlite_db, clock)
        await tell(point, "FirmwareStatusNotification", "Installing")
        await command(server, CS, "UpdateFirmware", update(2))
        await settle(sqlite_db, clock)
        await tell(point, "FirmwareStatusNotification", "Installed")
    found = [(row["request_id"], row["state"], row["word"]) for row in await rows(sqlite_db, errands)]
    assert found == [(1, "done", "Installed"), (2, "refused", "Rejected")]


async def test_TC_L_13_update_waits_for_the_charge_that_goes_on(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    def event(kind: str, seq_no: int, at: str) -> Json:
        return {
            "eventType": kind,
            "timestamp": at,
            "triggerReason": "CablePluggedIn" if kind == "Started" else "EVDeparted",
            "seqNo": seq_no,
            "transactionInfo": {"transactionId": "tx-1"},
            "evse": {"id": 1, "connectorId": 1},
        }

    async with server.station(CS, V201) as point:
        await point.answer("TransactionEvent", event("Started", 0, MORNING))
        await command(server, CS, "UpdateFirmware", update())
        await settle(sqlite_db, clock)
        await tell(point, "FirmwareStatusNotification", "Downloading", "Downloaded", "InstallScheduled")
        closed = {
            "timestamp": MORNING,
            "connectorStatus": "Unavailable",
            "evseId": 2,
            "connectorId": 1,
        }
        assert await point.answer("StatusNotification", closed) == {}
        assert await errand(sqlite_db, "firmware") == ("waiting", "InstallScheduled")
        assert await status(sqlite_db, CS, 2) == ("Unavailable", None)
        await point.answer("TransactionEvent", event("Ended", 1, NOON))
        await tell(point, "FirmwareStatusNotification", "Installing", "Installed")
    assert await errand(sqlite_db, "firmware") == ("done", "Installed")


# --- N logs -------------------------------------------------------------------------------------------


def wanted_log(kind: str, request_id: int = 1) -> Json:
    return {"logType": kind, "requestId": request_id, "log": {"remoteLocation": "https://f.example.org/u"}}


@pytest.mark.parametrize(
    "kind", [pytest.param("DiagnosticsLog", id="TC_N_25"), pytest.param("SecurityLog", id="TC_N_35")]
)
async def test_log_is_uploaded(server: Server, sqlite_db: Database, clock: FixedClock, kind: str) -> None:
    answers = by_action(GetLog={"status": "Accepted", "filename": "log.txt"})
    async with server.station(CS, V201, respond=answers) as point:
        result = await command(server, CS, "GetLog", wanted_log(kind))
        assert result.response == {"status": "Accepted", "filename": "log.txt"}
        await settle(sqlite_db, clock)
        await tell(point, "LogStatusNotification", "Uploading")
        assert await errand(sqlite_db, "log") == ("under_way", "Uploading")
        await tell(point, "LogStatusNotification", "Uploaded")
    assert [frame[2:] for frame in point.commands] == [["GetLog", wanted_log(kind)]]
    assert await errand(sqlite_db, "log") == ("done", "Uploaded")


async def test_TC_N_34_log_is_refused(server: Server, sqlite_db: Database, clock: FixedClock) -> None:
    answers = by_action(GetLog={"status": "Rejected"})
    async with server.station(CS, V201, respond=answers):
        result = await command(server, CS, "GetLog", wanted_log("DiagnosticsLog"))
        await settle(sqlite_db, clock)
    assert result.response == {"status": "Rejected"}
    assert await errand(sqlite_db, "log") == ("refused", "Rejected")


async def test_TC_N_36_second_log_takes_the_place_of_the_first(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    def answers(_action: str, payload: Json) -> Json:
        return {"status": "Accepted" if payload["requestId"] == 1 else "AcceptedCanceled"}

    async with server.station(CS, V201, respond=answers) as point:
        await command(server, CS, "GetLog", wanted_log("DiagnosticsLog", 1))
        await settle(sqlite_db, clock)
        await tell(point, "LogStatusNotification", "Uploading")
        await command(server, CS, "GetLog", wanted_log("DiagnosticsLog", 2))
        await tell(point, "LogStatusNotification", "AcceptedCanceled")
        await settle(sqlite_db, clock)
        await tell(point, "LogStatusNotification", "Uploading", "Uploaded", request_id=2)
    found = [(row["request_id"], row["state"]) for row in await rows(sqlite_db, errands)]
    assert found == [(1, "cancelled"), (2, "done")]


# --- N monitors ---------------------------------------------------------------------------------------


def noticed(trigger: str, value: str, event_id: int = 1, *, at: str = MORNING, **more: Any) -> Json:
    data = {
        "eventId": event_id,
        "timestamp": at,
        "trigger": trigger,
        "actualValue": value,
        "component": {"name": "EVSE", "evse": {"id": 1}},
        "variable": {"name": "Temperature"},
        "eventNotificationType": "CustomMonitor",
        **more,
    }
    return {"generatedAt": at, "seqNo": 0, "eventData": [data]}


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(noticed("Alerting", "true", eventNotificationType="HardWiredMonitor"), id="TC_N_21"),
        pytest.param(noticed("Alerting", ""), id="TC_N_48"),
    ],
)
async def test_alert_of_a_monitor(
    server: Server, sqlite_db: Database, clock: FixedClock, event: Json
) -> None:
    async with server.station(CS, V201) as point:
        assert await point.answer("NotifyEvent", event) == {}
        assert await point.answer("NotifyEvent", event) == {}
    await settle(sqlite_db, clock)
    assert await notices(sqlite_db) == [("monitoring", "EVSE.Temperature", True)]
    assert await open_alerts(sqlite_db) == [("monitoring", f"monitoring:{CS}:EVSE.Temperature")]


async def test_TC_N_49_threshold_cleared_after_a_reboot_closes_its_alert(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    async with server.station(CS, V201) as point:
        assert await point.answer("NotifyEvent", noticed("Alerting", "90")) == {}
        await settle(sqlite_db, clock)
        assert await open_alerts(sqlite_db) == [("monitoring", f"monitoring:{CS}:EVSE.Temperature")]
        await point.answer("BootNotification", boot_payload(V201))
        over = noticed("Alerting", "40", 2, at=NOON, cleared=True, variableMonitoringId=3)
        assert await point.answer("NotifyEvent", over) == {}
    await settle(sqlite_db, clock)
    assert await open_alerts(sqlite_db) == []


async def test_TC_N_50_periodic_value_is_kept_and_alarms_nobody(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    async with server.station(CS, V201) as point:
        for number, at in ((1, MORNING), (2, NOON)):
            assert await point.answer("NotifyEvent", noticed("Periodic", "31", number, at=at)) == {}
    await settle(sqlite_db, clock)
    assert await notices(sqlite_db) == [("monitoring", "EVSE.Temperature", False)] * 2
    assert await open_alerts(sqlite_db) == []


async def test_TC_G_20_lock_that_fails_alarms(server: Server, sqlite_db: Database, clock: FixedClock) -> None:
    failure = noticed(
        "Alerting",
        "true",
        component={"name": "ConnectorPlugRetentionLock", "evse": {"id": 1, "connectorId": 1}},
        variable={"name": "Problem"},
        eventNotificationType="HardWiredNotification",
    )
    async with server.station(CS, V201) as point:
        assert await point.answer("NotifyEvent", failure) == {}
    await settle(sqlite_db, clock)
    assert await open_alerts(sqlite_db) == [
        ("monitoring", f"monitoring:{CS}:ConnectorPlugRetentionLock.Problem")
    ]


# --- H reservations -----------------------------------------------------------------------------------


def reserve(number: int, evse_id: int | None = 1) -> Json:
    token = {"idToken": BADGE, "type": "ISO14443"}
    wanted: Json = {"id": number, "expiryDateTime": EVENING, "idToken": token}
    return wanted if evse_id is None else {**wanted, "evseId": evse_id}


async def reservations(db: Database, clock: FixedClock) -> list[tuple[int, int, str]]:
    found = await DeviceService(db, clock).reservations("org", CS)
    return sorted((one["id"], one["evse_id"], one["state"]) for one in found)


async def occupied(point: ChargePoint, evse_id: int, word: str, at: str = MORNING) -> None:
    told = {"timestamp": at, "connectorStatus": word, "evseId": evse_id, "connectorId": 1}
    assert await point.answer("StatusNotification", told) == {}


async def test_TC_H_07_reservation_that_nobody_used_ends(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    early = FixedClock(clock.now().replace(hour=6))
    async with server.station(CS, V201) as point:
        await command(server, CS, "ReserveNow", reserve(7))
        await settle(sqlite_db, clock)
        await occupied(point, 1, "Reserved")
        assert await reservations(sqlite_db, early) == [(7, 1, "held")]
        told = {"reservationId": 7, "reservationUpdateStatus": "Expired"}
        assert await point.answer("ReservationStatusUpdate", told) == {}
        await occupied(point, 1, "Available", NOON)
    assert [frame[2:] for frame in point.commands] == [["ReserveNow", reserve(7)]]
    assert await reservations(sqlite_db, early) == [(7, 1, "expired")]


async def test_TC_H_14_as_many_reservations_as_evses(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    early = FixedClock(clock.now().replace(hour=6))
    async with server.station(CS, V201) as point:
        for number in (1, 2):
            result = await command(server, CS, "ReserveNow", reserve(number, None))
            assert result.response == ACCEPTED
        await settle(sqlite_db, clock)
        for evse_id in (1, 2):
            await occupied(point, evse_id, "Reserved")
    assert await reservations(sqlite_db, early) == [(1, 0, "held"), (2, 0, "held")]
    assert [(await status(sqlite_db, CS, evse_id))[0] for evse_id in (1, 2)] == ["Reserved"] * 2


async def test_TC_H_20_station_gives_a_reservation_up_when_it_is_faulted(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    async with server.station(CS, V201) as point:
        await command(server, CS, "ReserveNow", reserve(3))
        await settle(sqlite_db, clock)
        await occupied(point, 1, "Reserved")
        await occupied(point, 1, "Faulted", NOON)
        told = {"reservationId": 3, "reservationUpdateStatus": "Removed"}
        assert await point.answer("ReservationStatusUpdate", told) == {}
    await settle(sqlite_db, clock)
    assert await reservations(sqlite_db, clock) == [(3, 1, "removed")]
    assert await open_alerts(sqlite_db) == [("faulted", f"faulted:{CS}/1")]


async def test_reservation_that_was_cancelled_or_used_is_over(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    async with server.station(CS, V201) as point:
        for number in (4, 5):
            await command(server, CS, "ReserveNow", reserve(number, number - 3))
        await command(server, CS, "CancelReservation", {"reservationId": 4})
        await settle(sqlite_db, clock)
        await point.answer(
            "TransactionEvent",
            {
                "eventType": "Started",
                "timestamp": MORNING,
                "triggerReason": "Authorized",
                "seqNo": 0,
                "transactionInfo": {"transactionId": "tx-1"},
                "evse": {"id": 2, "connectorId": 1},
                "reservationId": 5,
            },
        )
    assert await reservations(sqlite_db, clock) == [(4, 1, "cancelled"), (5, 2, "used")]


# --- K limits that others set, and profiles -----------------------------------------------------------

SCHEDULE: Json = {
    "id": 1,
    "startSchedule": MORNING,
    "chargingRateUnit": "A",
    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.0}],
}


def limited(evse_id: int | None = None) -> Json:
    told: Json = {
        "chargingLimit": {"chargingLimitSource": "EMS", "isGridCritical": True},
        "chargingSchedule": [SCHEDULE],
    }
    return told if evse_id is None else {**told, "evseId": evse_id}


async def limits(db: Database, clock: FixedClock) -> list[tuple[int, str, bool]]:
    found = await DeviceService(db, clock).limits("org", CS)
    return [(one["evse_id"], one["source"], one["grid_critical"]) for one in found]


async def test_TC_K_48_limit_of_somebody_else_is_kept(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    async with server.station(CS, V201) as point:
        assert await point.answer("NotifyChargingLimit", limited()) == {}
        assert await point.answer("NotifyChargingLimit", limited(1)) == {}
    assert await limits(sqlite_db, clock) == [(0, "EMS", True), (1, "EMS", True)]
    assert (await DeviceService(sqlite_db, clock).limits("org", CS))[0]["schedules"] == [SCHEDULE]


@pytest.mark.parametrize("charging", [pytest.param(False, id="TC_K_50"), pytest.param(True, id="TC_K_51")])
async def test_limit_of_somebody_else_is_lifted(
    server: Server, sqlite_db: Database, clock: FixedClock, charging: bool
) -> None:
    async with server.station(CS, V201) as point:
        if charging:
            started = {
                "eventType": "Started",
                "timestamp": MORNING,
                "triggerReason": "CablePluggedIn",
                "seqNo": 0,
                "transactionInfo": {"transactionId": "tx-1", "chargingState": "Charging"},
                "evse": {"id": 1, "connectorId": 1},
            }
            await point.answer("TransactionEvent", started)
        await point.answer("NotifyChargingLimit", limited(1))
        assert await limits(sqlite_db, clock) == [(1, "EMS", True)]
        lifted = {"chargingLimitSource": "EMS", "evseId": 1}
        assert await point.answer("ClearedChargingLimit", lifted) == {}
        if charging:
            changed = {
                "eventType": "Updated",
                "timestamp": NOON,
                "triggerReason": "ChargingRateChanged",
                "seqNo": 1,
                "transactionInfo": {"transactionId": "tx-1", "chargingState": "Charging"},
                "evse": {"id": 1, "connectorId": 1},
            }
            assert await point.answer("TransactionEvent", changed) == {}
    assert await limits(sqlite_db, clock) == []


async def test_TC_K_52_external_constraints_stand_in_the_report(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    profile = {
        "id": 21,
        "stackLevel": 0,
        "chargingProfilePurpose": "ChargingStationExternalConstraints",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [SCHEDULE],
    }
    wanted = {
        "requestId": 2,
        "chargingProfile": {"chargingProfilePurpose": "ChargingStationExternalConstraints"},
    }
    page = {"requestId": 2, "evseId": 0, "chargingLimitSource": "EMS", "chargingProfile": [profile]}
    async with server.station(CS, V201) as point:
        await command(server, CS, "GetChargingProfiles", wanted)
        await settle(sqlite_db, clock)
        assert await point.answer("ReportChargingProfiles", page) == {}
    assert [frame[2:] for frame in point.commands] == [["GetChargingProfiles", wanted]]
    newest = await DeviceService(sqlite_db, clock).errand("org", CS, 1)
    assert newest is not None
    assert (newest["state"], newest["pages"]) == ("done", [page])


def profile(purpose: str, number: int = 1, **more: Any) -> Json:
    return {
        "id": number,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [SCHEDULE],
        **more,
    }


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        pytest.param(
            {"evseId": 1, "chargingProfile": profile("TxProfile", transactionId="gone")},
            {"status": "Rejected", "statusInfo": {"reasonCode": "TxNotFound"}},
            id="TC_K_02",
        ),
        pytest.param(
            {"evseId": 1, "chargingProfile": profile("TxDefaultProfile", 7)}, ACCEPTED, id="TC_K_04"
        ),
        pytest.param(
            {"evseId": 1, "chargingProfile": profile("TxDefaultProfile")},
            {"status": "Rejected", "statusInfo": {"reasonCode": "UnsupportedRequest"}},
            id="TC_K_15",
        ),
        pytest.param(
            {"evseId": 1, "chargingProfile": profile("TxProfile", transactionId="tx-1")},
            ACCEPTED,
            id="TC_K_60",
        ),
    ],
)
async def test_profile_is_sent_as_given_and_its_answer_kept(
    server: Server, wanted: Json, answer: Json
) -> None:
    async with server.station(CS, V201, respond=by_action(SetChargingProfile=answer)) as point:
        result = await command(server, CS, "SetChargingProfile", wanted)
    assert (result.state, result.response) == (CommandState.ANSWERED, answer)
    assert [frame[2:] for frame in point.commands] == [["SetChargingProfile", wanted]]


async def test_TC_K_70_several_profiles_one_after_another(server: Server) -> None:
    sent = [
        {"evseId": 0, "chargingProfile": profile("ChargingStationMaxProfile", 1)},
        {"evseId": 1, "chargingProfile": profile("TxDefaultProfile", 2)},
        {"evseId": 2, "chargingProfile": profile("TxDefaultProfile", 3, stackLevel=1)},
    ]
    async with server.station(CS, V201) as point:
        for one in sent:
            assert (await command(server, CS, "SetChargingProfile", one)).response == ACCEPTED
    assert [frame[3] for frame in point.commands] == sent
