from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Table, select

from supervision.clock import FixedClock
from supervision.csms import service
from supervision.csms.frame import Version
from supervision.csms.schemas import violations
from supervision.store.db import Database, across_tenants
from supervision.store.schema import (
    charging_stations,
    charging_transaction_events,
    charging_transactions,
    evses,
    frames,
    meter_values,
    outbox_events,
)
from tests.integration.ocpp_client import V16, V201, ChargePoint, Server, central_system, write_stations

STAMP = "2026-11-21T07:00:00Z"
LATER = "2026-11-21T08:00:00Z"
TESTS = across_tenants("tests look at everything")


@pytest.fixture
async def server(db: Database, clock: FixedClock) -> AsyncIterator[Server]:
    await write_stations(db)
    async with central_system(db, clock) as running:
        yield running


async def rows(db: Database, table: Table) -> list[dict[str, Any]]:
    async with db.read(TESTS) as reader:
        statement = select(table).order_by(*table.primary_key.columns)
        return [dict(row) for row in await reader.all(statement)]


async def event_names(db: Database) -> list[str]:
    return [row["name"] for row in await rows(db, outbox_events)]


def start(**changes: Any) -> dict[str, Any]:
    return {"connectorId": 1, "idTag": "04A1B2C3", "meterStart": 1000, "timestamp": STAMP, **changes}


def sampled(wh: int, at: str = STAMP) -> list[dict[str, Any]]:
    power = {"value": "7000", "measurand": "Power.Active.Import", "unit": "W"}
    return [{"timestamp": at, "sampledValue": [{"value": str(wh)}, power]}]


def event(kind: str, seq: int, wh: int | None = None, at: str = STAMP, **info: Any) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "eventType": kind,
        "timestamp": at,
        "triggerReason": "Trigger",
        "seqNo": seq,
        "transactionInfo": {"transactionId": "tx-1", **info},
        "evse": {"id": 1, "connectorId": 1},
        "idToken": {"idToken": "04A1B2C3", "type": "ISO14443"},
    }
    if wh is not None:
        payload["meterValue"] = [{"timestamp": at, "sampledValue": [{"value": wh}]}]
    return payload


@pytest.mark.parametrize(("identity", "protocol"), [("CP16", V16), ("CS201", V201)])
async def test_boot_is_accepted_kept_and_told(
    server: Server, db: Database, identity: str, protocol: str
) -> None:
    async with server.station(identity, protocol):
        (row,) = [row for row in await rows(db, charging_stations) if row["identity"] == identity]
    assert row["boot"]["vendor"] == "V"
    assert row["ocpp"] == protocol.removeprefix("ocpp")
    assert (await event_names(db))[:2] == ["ChargingStationConnected", "ChargingStationBooted"]


async def test_a_16_charge_is_metered_from_start_to_stop(server: Server, db: Database) -> None:
    async with server.station() as point:
        started = await point.answer("StartTransaction", start())
        number = started["transactionId"]
        values = {"connectorId": 1, "transactionId": number, "meterValue": sampled(3500)}
        assert await point.answer("MeterValues", values) == {}
        stop = {"transactionId": number, "meterStop": 6000, "timestamp": LATER, "reason": "EVDisconnected"}
        assert await point.answer("StopTransaction", stop) == {}
    assert started == {"transactionId": 1, "idTagInfo": {"status": "Accepted"}}
    (row,) = await rows(db, charging_transactions)
    assert (row["ocpp_transaction_id"], row["state"], row["energy_wh"], row["review"]) == (
        "1",
        "ended",
        5000,
        None,
    )
    assert (row["meter_start_wh"], row["meter_stop_wh"], row["stop_reason"]) == (1000, 6000, "EVDisconnected")
    assert row["person_id"] == "m1"
    assert (await event_names(db))[2:4] == ["ChargingTransactionStarted", "ChargingTransactionEnded"]
    (sample,) = await rows(db, meter_values)
    assert (sample["register_wh"], sample["power_w"]) == (3500, 7000)
    assert sample["readings"] == [
        ["Energy.Active.Import.Register", 3_500_000, "Wh", "", "Outlet", "Sample.Periodic"],
        ["Power.Active.Import", 7_000_000, "W", "", "Outlet", "Sample.Periodic"],
    ]


async def test_a_201_charge_is_metered_from_start_to_end(server: Server, db: Database) -> None:
    async with server.station("CS201", V201) as point:
        started = await point.answer("TransactionEvent", event("Started", 0, 1000))
        await point.answer("TransactionEvent", event("Updated", 1, 3500, chargingState="Charging"))
        ended = await point.answer("TransactionEvent", event("Ended", 2, 6000, LATER, stoppedReason="Local"))
    assert started == {"idTokenInfo": {"status": "Accepted"}}
    assert ended == {"totalCost": 0.0, "idTokenInfo": {"status": "Accepted"}}
    (row,) = await rows(db, charging_transactions)
    assert (row["ocpp_transaction_id"], row["state"], row["energy_wh"], row["review"]) == (
        "tx-1",
        "ended",
        5000,
        None,
    )


async def test_live_power_is_shown_and_falls_to_zero_at_the_stop(server: Server, db: Database) -> None:
    async with server.station() as point:
        number = (await point.answer("StartTransaction", start()))["transactionId"]
        await point.answer(
            "MeterValues", {"connectorId": 1, "transactionId": number, "meterValue": sampled(3500)}
        )
        assert (await rows(db, evses))[0]["power_w"] == 7000
        await point.answer(
            "StopTransaction", {"transactionId": number, "meterStop": 6000, "timestamp": STAMP}
        )
        assert (await rows(db, evses))[0]["power_w"] == 0


async def test_a_repeated_start_gets_the_same_answer_and_no_second_row(server: Server, db: Database) -> None:
    async with server.station() as point:
        first = await point.answer("StartTransaction", start())
        assert await point.answer("StartTransaction", start()) == first
    async with server.station() as point:  # and after a reconnect, when the message id is another one
        assert await point.answer("StartTransaction", start()) == first
    assert len(await rows(db, charging_transactions)) == 1


async def test_a_repeated_stop_changes_nothing(server: Server, db: Database) -> None:
    stop = {"transactionId": 1, "meterStop": 6000, "timestamp": LATER}
    async with server.station() as point:
        await point.answer("StartTransaction", start())
        assert await point.answer("StopTransaction", stop) == {}
        before = await rows(db, charging_transactions)
        assert await point.answer("StopTransaction", {**stop, "meterStop": 9000}) == {}
    assert await rows(db, charging_transactions) == before


async def test_repeated_201_events_change_nothing(server: Server, db: Database) -> None:
    messages = [event("Started", 0, 1000), event("Updated", 1, 3500), event("Ended", 2, 6000, LATER)]
    async with server.station("CS201", V201) as point:
        answers = [await point.answer("TransactionEvent", message) for message in messages]
        before = await rows(db, charging_transactions)
        again = [await point.answer("TransactionEvent", message) for message in messages]
    assert again == answers
    assert await rows(db, charging_transactions) == before
    assert len(await rows(db, charging_transaction_events)) == 3
    assert len(await rows(db, meter_values)) == 3


async def test_201_events_in_reverse_order_give_the_same_charge(server: Server, db: Database) -> None:
    messages = [event("Started", 0, 1000), event("Updated", 1, 3500), event("Ended", 2, 6000, LATER)]
    async with server.station("CS201", V201) as point:
        for message in reversed(messages):
            await point.answer("TransactionEvent", {**message, "offline": True})
    (row,) = await rows(db, charging_transactions)
    assert (row["state"], row["meter_start_wh"], row["meter_stop_wh"], row["energy_wh"], row["review"]) == (
        "ended",
        1000,
        6000,
        5000,
        None,
    )


async def test_an_offline_charge_is_replayed_with_its_own_times(
    server: Server, db: Database, clock: FixedClock
) -> None:
    clock.advance(days=2)
    async with server.station() as point:
        number = (await point.answer("StartTransaction", start()))["transactionId"]
        await point.answer(
            "MeterValues", {"connectorId": 1, "transactionId": number, "meterValue": sampled(3500)}
        )
        await point.answer(
            "StopTransaction", {"transactionId": number, "meterStop": 6000, "timestamp": LATER}
        )
    (row,) = await rows(db, charging_transactions)
    assert row["stopped_at"] - row["started_at"] == timedelta(hours=1)
    assert row["started_received_at"] == clock.now()
    assert (row["energy_wh"], row["review"]) == (5000, None)


@pytest.mark.parametrize("number", [0, -1, 77])
async def test_a_stop_of_nothing_known_is_confirmed_and_kept_for_review(
    server: Server, db: Database, number: int
) -> None:
    stop = {"transactionId": number, "meterStop": 6000, "timestamp": STAMP}
    async with server.station() as point:
        assert await point.answer("StopTransaction", stop) == {}
        assert await point.answer("StopTransaction", stop) == {}
    (row,) = await rows(db, charging_transactions)
    assert (row["state"], row["energy_wh"], row["review"]) == ("ended", None, "start_missing,no_readings")


async def test_a_stop_with_id_minus_one_ends_the_one_open_charge(server: Server, db: Database) -> None:
    async with server.station() as point:
        await point.answer("StartTransaction", start())
        await point.answer(
            "StopTransaction",
            {"transactionId": -1, "idTag": "04a1b2c3", "meterStop": 6000, "timestamp": LATER},
        )
    (row,) = await rows(db, charging_transactions)
    assert (row["state"], row["energy_wh"]) == ("ended", 5000)


async def test_a_station_cannot_touch_the_charge_of_another(server: Server, db: Database) -> None:
    async with server.station() as point:
        number = (await point.answer("StartTransaction", start()))["transactionId"]
    async with server.station("CS201", V16) as other:
        stop = {"transactionId": number, "meterStop": 9000, "timestamp": LATER}
        assert await other.answer("StopTransaction", stop) == {}
        await other.answer(
            "MeterValues", {"connectorId": 1, "transactionId": number, "meterValue": sampled(9000)}
        )
    mine, theirs = await rows(db, charging_transactions)
    assert (mine["state"], mine["meter_last_wh"]) == ("open", 1000)
    assert (theirs["charging_station"], theirs["review"]) == ("CS201", "start_missing,no_readings")
    assert [row["charging_transaction_id"] for row in await rows(db, meter_values)] == [None]


async def test_meter_values_after_the_stop_are_kept_and_change_no_energy(
    server: Server, db: Database
) -> None:
    async with server.station() as point:
        await point.answer("StartTransaction", start())
        await point.answer("StopTransaction", {"transactionId": 1, "meterStop": 6000, "timestamp": LATER})
        late = {"connectorId": 1, "transactionId": 1, "meterValue": sampled(9000)}
        assert await point.answer("MeterValues", late) == {}
    (row,) = await rows(db, charging_transactions)
    assert (row["state"], row["energy_wh"]) == ("ended", 5000)
    assert [sample["register_wh"] for sample in await rows(db, meter_values)] == [9000]


@pytest.mark.parametrize(
    ("token", "status"),
    [
        ("04a1b2c3", "Accepted"),
        ("FFFF", "Invalid"),
        ("B10C", "Blocked"),
        ("0LD", "Expired"),
        ("D0D0D0D0", "Invalid"),
    ],
)
async def test_a_badge_is_answered_by_its_status_and_person(server: Server, token: str, status: str) -> None:
    async with server.station() as point:
        answer = await point.answer("Authorize", {"idTag": token})
    assert answer["idTagInfo"]["status"] == status


async def test_a_start_with_a_refused_badge_is_stored_and_told_so(server: Server, db: Database) -> None:
    async with server.station() as point:
        answer = await point.answer("StartTransaction", start(idTag="FFFF"))
    assert (answer["transactionId"], answer["idTagInfo"]) == (1, {"status": "Invalid"})
    (row,) = await rows(db, charging_transactions)
    assert (row["state"], row["authorisation"], row["review"]) == ("open", "Invalid", "unknown_token")


async def test_only_a_change_of_status_is_told(server: Server, db: Database) -> None:
    def status(word: str, at: str = STAMP) -> dict[str, Any]:
        return {"connectorId": 1, "status": word, "errorCode": "NoError", "timestamp": at}

    async with server.station() as point:
        for report in (
            status("Charging"),
            status("Charging"),
            status("Finishing", LATER),
            status("Charging", STAMP),
        ):
            assert await point.answer("StatusNotification", report) == {}
    assert (await rows(db, evses))[0]["status"] == "Finishing"
    assert (await event_names(db)).count("EvseStatusChanged") == 2


async def test_heartbeat_tells_the_time_of_the_server(server: Server) -> None:
    async with server.station() as point:
        assert await point.answer("Heartbeat", {}) == {"currentTime": LATER}


async def test_frames_are_kept_both_ways_in_order(server: Server, db: Database) -> None:
    async with server.station() as point:
        await point.answer("Heartbeat", {})
    kept = [(row["direction"], json.loads(row["frame"])[0]) for row in await rows(db, frames)]
    assert kept == [("in", 2), ("out", 3), ("in", 2), ("out", 3)]


HOSTILE = [
    ("m", '[2,"m","Dance",{}]', "NotImplemented"),
    ("m", '[2,"m","Reset",{"type":"Hard"}]', "NotSupported"),
    ("m", '[2,"m","TransactionEvent",{}]', "NotImplemented"),
    ("m", '[2,"m","BootNotification",{"chargePointModel":"M"}]', "OccurenceConstraintViolation"),
    ("m", '[2,"m","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Dancing"}]',
     "PropertyConstraintViolation"),
    ("m", '[2,"m",["Heartbeat"],{}]', "FormationViolation"),
    ("m", '[2,"m","Heartbeat"]', "ProtocolError"),
    ("m", '[2,"m","Heartbeat","text"]', "TypeConstraintViolation"),
    ("m", '[2,"m","Heartbeat",{"a":' + "[" * 1000, "FormationViolation"),
    ("-1", "nonsense", "FormationViolation"),
    ("-1", "{}", "FormationViolation"),
    ("-1", '[2,{},"Heartbeat",{}]', "ProtocolError"),
    (12345, '[2,12345,"Heartbeat",{}]', "ProtocolError"),
]  # fmt: skip


@pytest.mark.parametrize(("message_id", "text", "code"), HOSTILE)
async def test_a_hostile_frame_gets_its_callerror_and_the_session_goes_on(
    server: Server, db: Database, message_id: str | int, text: str, code: str
) -> None:
    async with server.station() as point:
        answer = await point.exchange(message_id, text)
        assert (answer[0], answer[1], answer[2]) == (4, message_id, code)
        assert await point.answer("Heartbeat", {}) == {"currentTime": LATER}
    assert [row["frame"] for row in await rows(db, frames) if row["problem"]] == [text]


@pytest.mark.parametrize(
    ("protocol", "text", "answer"),
    [
        (V16, '[2,"m","StartTransaction",{}]', {"transactionId": -1, "idTagInfo": {"status": "Invalid"}}),
        (
            V16,
            '[2,"m","StartTransaction",{"connectorId":1,',
            {"transactionId": -1, "idTagInfo": {"status": "Invalid"}},
        ),
        (V16, '[2,"m","MeterValues",{"meterValue":[]}]', {}),
        (V16, '[2,"m","MeterValues"]', {}),
        (V201, '[2,"m","TransactionEvent",{"eventType":"Started"}]', {}),
        (V201, '[2,"m","TransactionEvent",{"eventType":NaN}]', {}),
    ],
)
async def test_an_unreadable_message_with_a_charge_is_kept_and_never_gets_a_callerror(
    server: Server, db: Database, protocol: str, text: str, answer: dict[str, Any]
) -> None:
    async with server.station("CS201", protocol) as point:
        assert await point.exchange("m", text) == [3, "m", answer]
    assert [row["frame"] for row in await rows(db, frames) if row["problem"]] == [text]


async def test_a_stop_without_any_field_is_kept_as_a_charge_to_review(server: Server, db: Database) -> None:
    async with server.station() as point:
        assert await point.answer("StopTransaction", {}) == {}
    (row,) = await rows(db, charging_transactions)
    assert row["review"] == "start_missing,no_stop_reading,no_readings"


async def test_a_departure_from_the_schema_is_understood_and_counted(server: Server, db: Database) -> None:
    async with server.station() as point:
        answer = await point.answer("StartTransaction", start(meterStart="1000", vendor="x"))
        await point.answer("Heartbeat", {})
    assert answer["idTagInfo"] == {"status": "Accepted"}
    (row,) = await rows(db, charging_transactions)
    assert row["meter_start_wh"] == 1000
    station = (await rows(db, charging_stations))[0]
    assert station["violations"] == {
        "StartTransaction.meterStart.type": 1,
        "StartTransaction.(payload).additionalProperties": 1,
    }


async def test_power_that_no_column_takes_is_no_power_but_kept_as_told(server: Server, db: Database) -> None:
    told = {"value": "9000000000", "measurand": "Power.Active.Import", "unit": "W"}
    async with server.station() as point:
        values = [{"timestamp": STAMP, "sampledValue": [told]}]
        assert await point.answer("MeterValues", {"connectorId": 1, "meterValue": values}) == {}
    (sample,) = await rows(db, meter_values)
    assert (sample["power_w"], sample["readings"][0][1]) == (None, 9_000_000_000_000)
    assert (await rows(db, evses))[0]["power_w"] is None


async def test_message_of_hundreds_of_samples_fills_no_disk(server: Server, db: Database) -> None:
    values = [{"timestamp": STAMP, "sampledValue": [{"value": str(number)}]} for number in range(600)]
    async with server.station() as point:
        assert await point.answer("MeterValues", {"connectorId": 1, "meterValue": values}) == {}
    kept = await rows(db, meter_values)
    assert [row["register_wh"] for row in kept] == list(range(400))


async def test_one_departure_at_hundreds_of_places_is_one_kind(server: Server, db: Database) -> None:
    values = [{"value": str(number), "unit": "Flux"} for number in range(250)]
    async with server.station() as point:
        await point.answer("MeterValues", {"connectorId": 1, "meterValue": [
            {"timestamp": STAMP, "sampledValue": values}
        ]})  # fmt: skip
        await point.answer("Heartbeat", {})
    counted = (await rows(db, charging_stations))[0]["violations"]
    assert counted == {"MeterValues.meterValue.*.sampledValue.*.unit.enum": 250}


async def test_station_that_departs_in_ever_new_ways_fills_no_memory(
    server: Server, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_VIOLATION_KINDS", 1)
    async with server.station() as point:
        for payload in ({"vendorId": "V", "mood": 1}, {"vendorId": 5}, {"vendorId": "V", "data": 5}):
            await point.answer("DataTransfer", payload)
        await point.answer("Heartbeat", {})
    counted = (await rows(db, charging_stations))[0]["violations"]
    assert counted == {"DataTransfer.(payload).additionalProperties": 1, "others": 2}


async def test_every_answer_is_valid_in_its_version(server: Server) -> None:
    async def check(point: ChargePoint, version: Version, action: str, payload: dict[str, Any]) -> None:
        answer = await point.answer(action, payload)
        assert violations(version, action, answer, answer=True) == [], action

    async with server.station() as point:
        for action, payload in _PLAIN_16.items():
            await check(point, Version.V16, action, payload)
    async with server.station("CS201", V201) as point:
        for action, payload in _PLAIN_201.items():
            await check(point, Version.V201, action, payload)


_PLAIN_16: dict[str, dict[str, Any]] = {
    "Authorize": {"idTag": "04A1B2C3"},
    "DataTransfer": {"vendorId": "v"},
    "DiagnosticsStatusNotification": {"status": "Idle"},
    "FirmwareStatusNotification": {"status": "Idle"},
    "Heartbeat": {},
    "LogStatusNotification": {"status": "Idle"},
    "MeterValues": {"connectorId": 1, "meterValue": sampled(1)},
    "SecurityEventNotification": {"type": "ReconfigurationOfSecurityParameters", "timestamp": STAMP},
    "SignCertificate": {"csr": "x"},
    "SignedFirmwareStatusNotification": {"status": "Idle"},
    "StartTransaction": start(),
    "StopTransaction": {"transactionId": 1, "idTag": "04A1B2C3", "meterStop": 1, "timestamp": STAMP},
}
_PLAIN_201: dict[str, dict[str, Any]] = {
    "Authorize": {"idToken": {"idToken": "04A1B2C3", "type": "ISO14443"}},
    "ClearedChargingLimit": {"chargingLimitSource": "EMS"},
    "DataTransfer": {"vendorId": "v"},
    "FirmwareStatusNotification": {"status": "Idle"},
    "Heartbeat": {},
    "LogStatusNotification": {"status": "Idle"},
    "MeterValues": {
        "evseId": 1,
        "meterValue": [{"timestamp": STAMP, "sampledValue": [{"value": 1.5}]}],
    },
    "NotifyReport": {
        "requestId": 1,
        "generatedAt": STAMP,
        "seqNo": 0,
        "reportData": [
            {
                "component": {"name": "SmartChargingCtrlr"},
                "variable": {"name": "ProfileStackLevel"},
                "variableAttribute": [{"value": "16"}],
            }
        ],
    },
    "NotifyEvent": {
        "generatedAt": STAMP,
        "seqNo": 0,
        "eventData": [
            {
                "eventId": 1,
                "timestamp": STAMP,
                "trigger": "Delta",
                "actualValue": "1",
                "eventNotificationType": "HardWiredNotification",
                "component": {"name": "c"},
                "variable": {"name": "v"},
            }
        ],
    },
    "SecurityEventNotification": {"type": "StartupOfTheDevice", "timestamp": STAMP},
    "SignCertificate": {"csr": "x"},
    "StatusNotification": {
        "timestamp": STAMP,
        "connectorStatus": "Available",
        "evseId": 1,
        "connectorId": 1,
    },
    "TransactionEvent": event("Started", 0, 1),
}


async def test_reported_variables_are_kept(server: Server, db: Database) -> None:
    async with server.station("CS201", V201) as point:
        await point.answer("NotifyReport", _PLAIN_201["NotifyReport"])
    row = (await rows(db, charging_stations))[1]
    assert row["capabilities"] == {"variables": {"SmartChargingCtrlr.ProfileStackLevel": "16"}}
