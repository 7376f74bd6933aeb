"""Full sessions of an emulated OCPP 2.0.1 station against a scripted central system, frame by frame."""

from __future__ import annotations

import base64
import itertools
from collections.abc import AsyncIterator

import pytest

from chargepoint_emulator.emulator import Emulator
from tests.integration.emulator_central import Central, Json, at, central_system, samples, seconds_of

BADGE = "04A1B2C3"
TOKEN = {"idToken": BADGE, "type": "ISO14443"}


@pytest.fixture
async def central() -> AsyncIterator[Central]:
    async with central_system("ocpp2.0.1") as running:
        yield running


def emulator(central: Central, **options: object) -> Emulator:
    fields: Json = {"identity": "CS1", "ocpp": "2.0.1", "speed": 3600.0, "meter_interval_s": 900, **options}
    return Emulator(url=central.url, **fields)


def profile(*periods: tuple[int, float], evse: int = 1, unit: str = "A", **more: object) -> Json:
    return {
        "evseId": evse,
        "chargingProfile": {
            "id": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": [
                {
                    "id": 1,
                    "startSchedule": at(0),
                    "chargingRateUnit": unit,
                    "chargingSchedulePeriod": [{"startPeriod": s, "limit": limit} for s, limit in periods],
                }
            ],
            **more,
        },
    }


def events(central: Central) -> list[tuple[str, str]]:
    return [(e["eventType"], e["triggerReason"]) for e in central.of("TransactionEvent")]


async def test_full_session_plugged_then_badged_tells_every_step(central: Central) -> None:
    async with emulator(central, kind="dc11", register_wh=1000.0) as cp:
        await cp.connected()
        await cp.plug(1, "zoe-52", soc=40)
        assert await cp.present(1, BADGE) == "Accepted"
        await central.until(lambda c: events(c).count(("Updated", "MeterValuePeriodic")) == 3)
        assert await cp.present(1, BADGE) == "Accepted"
        await cp.unplug(1)
        await central.until(lambda c: c.of("StatusNotification")[-1]["connectorStatus"] == "Available")

    assert central.of("BootNotification")[0]["reason"] == "PowerUp"
    assert central.of("Authorize") == [{"idToken": TOKEN}]
    connector = [payload["connectorStatus"] for payload in central.of("StatusNotification")]
    assert connector == ["Available", "Occupied", "Available"]
    assert events(central) == [
        ("Started", "Authorized"),
        ("Updated", "ChargingStateChanged"),
        ("Updated", "MeterValuePeriodic"),
        ("Updated", "MeterValuePeriodic"),
        ("Updated", "MeterValuePeriodic"),
        ("Ended", "StopAuthorized"),
    ]
    told = central.of("TransactionEvent")
    assert [event["seqNo"] for event in told] == list(range(6))
    assert len({event["transactionInfo"]["transactionId"] for event in told}) == 1
    assert (told[0]["evse"], told[0]["idToken"]) == ({"id": 1, "connectorId": 1}, TOKEN)
    assert told[-1]["transactionInfo"]["stoppedReason"] == "Local"
    assert "offline" not in told[0]
    readings = [one for event in told for one in event.get("meterValue", [])]
    energy = [value for _, value in samples(readings, "Energy.Active.Import.Register")]
    assert energy[0] == 1000
    assert [late - early for early, late in itertools.pairwise(energy[:4])] == [2760, 2760, 2760]
    assert [value for _, value in samples(readings, "Current.Import", "L2")] == [16.0] * 3
    soc = [value for _, value in samples(readings, "SoC")]
    assert soc == sorted(soc)
    assert len(soc) == 3


async def test_transaction_profile_of_a_remote_start_is_obeyed(central: Central) -> None:
    more = profile((0, 12.0), chargingProfilePurpose="TxProfile")["chargingProfile"]
    async with emulator(central) as cp:
        await cp.connected()
        await cp.plug(1, "zoe-52", soc=40)
        request = {"idToken": TOKEN, "remoteStartId": 5, "evseId": 1, "chargingProfile": more}
        assert await central.call("RequestStartTransaction", request) == {"status": "Accepted"}
        await central.until(lambda c: len(c.of("TransactionEvent")) >= 2)
        assert cp.evses[1].offered_a == 12.0
        assert cp.evses[1].power_w == 12 * 3 * 230
        transaction_id = cp.evses[1].charging_transaction_id
        answer = await central.call("RequestStopTransaction", {"transactionId": transaction_id})
        assert answer == {"status": "Accepted"}
        await central.until(lambda c: events(c)[-1] == ("Ended", "RemoteStop"))
        assert cp.station.profiles == ()
    started = central.of("TransactionEvent")[0]
    assert started["triggerReason"] == "RemoteStart"
    assert started["transactionInfo"]["remoteStartId"] == 5


async def test_offline_events_are_marked_and_replayed_in_sequence(central: Central) -> None:
    async with emulator(central) as cp:
        await cp.connected()
        await cp.plug(1, "zoe-52", soc=20)
        await cp.present(1, BADGE)
        await central.until(lambda c: len(c.of("TransactionEvent")) == 2)
        await cp.wait_for(lambda cp: len(cp.station.queue) == 0)
        await cp.go_offline()
        await cp.wait_for(lambda cp: cp.evses[1].energy_wh > 15_000)
        await cp.unplug(1)
        await cp.go_online()
        await central.until(lambda c: events(c)[-1][0] == "Ended")
    told = central.of("TransactionEvent")
    assert [event["seqNo"] for event in told] == list(range(len(told)))
    assert [event.get("offline", False) for event in told] == [False, False] + [True] * (len(told) - 2)
    instants = [seconds_of(event["timestamp"]) for event in told]
    assert instants == sorted(instants)
    assert [round(one - instants[0]) for one in instants[2:-1]] == [900 * n for n in range(1, len(told) - 2)]
    assert central.actions().count("BootNotification") == 1


async def test_base_report_comes_in_numbered_pages(central: Central) -> None:
    async with emulator(central, evses=2) as cp:
        await cp.connected()
        request = {"requestId": 9, "reportBase": "FullInventory"}
        assert await central.call("GetBaseReport", request) == {"status": "Accepted"}
        await central.until(lambda c: c.of("NotifyReport") and c.of("NotifyReport")[-1]["tbc"] is False)
    pages = central.of("NotifyReport")
    assert [page["seqNo"] for page in pages] == list(range(len(pages)))
    assert {page["requestId"] for page in pages} == {9}
    names = {
        (row["component"]["name"], row["variable"]["name"]) for page in pages for row in page["reportData"]
    }
    assert ("SmartChargingCtrlr", "ProfileStackLevel") in names
    assert ("EVSE", "AvailabilityState") in names


async def test_report_is_sent_while_registration_is_pending(central: Central) -> None:
    """B02: while Pending the central system may ask, and the station answers in full."""
    central.answers["BootNotification"] = lambda _: {
        "status": "Pending",
        "currentTime": at(0),
        "interval": 3600,
    }
    async with emulator(central, speed=1.0) as cp:
        await cp.wait_for(lambda cp: cp.station.pending)
        await central.call("GetBaseReport", {"requestId": 1, "reportBase": "ConfigurationInventory"})
        await central.until(lambda c: c.of("NotifyReport"))
    assert "StatusNotification" not in central.actions()


async def test_variables_are_read_and_written_one_by_one(central: Central) -> None:
    def variable(component: str, name: str, **more: object) -> Json:
        return {"component": {"name": component}, "variable": {"name": name}, **more}

    async with emulator(central) as cp:
        await cp.connected()
        written = await central.call(
            "SetVariables",
            {
                "setVariableData": [
                    variable("SampledDataCtrlr", "TxUpdatedInterval", attributeValue="30"),
                    variable("SampledDataCtrlr", "TxUpdatedInterval", attributeValue="-1"),
                    variable("SmartChargingCtrlr", "RateUnit", attributeValue="W"),
                    variable("SmartChargingCtrlr", "Nothing", attributeValue="W"),
                    variable("Nothing", "Nothing", attributeValue="W"),
                    variable("SampledDataCtrlr", "Enabled", attributeValue="a", attributeType="Target"),
                ]
            },
        )
        read = await central.call(
            "GetVariables",
            {
                "getVariableData": [
                    variable("SampledDataCtrlr", "TxUpdatedInterval"),
                    variable("SecurityCtrlr", "BasicAuthPassword"),
                ]
            },
        )
    assert [one["attributeStatus"] for one in written["setVariableResult"]] == [
        "Accepted",
        "Rejected",
        "Rejected",
        "UnknownVariable",
        "UnknownComponent",
        "NotSupportedAttributeType",
    ]
    assert [(one["attributeStatus"], one.get("attributeValue")) for one in read["getVariableResult"]] == [
        ("Accepted", "30"),
        ("Rejected", None),
    ]


async def test_profiles_are_reported_back_as_they_were_sent(central: Central) -> None:
    sent = profile((0, 10.0))
    async with emulator(central) as cp:
        await cp.connected()
        nothing = {"requestId": 1, "chargingProfile": {}}
        assert await central.call("GetChargingProfiles", nothing) == {"status": "NoProfiles"}
        assert await central.call("SetChargingProfile", sent) == {"status": "Accepted"}
        asked = {"requestId": 2, "chargingProfile": {"chargingProfilePurpose": "TxDefaultProfile"}}
        assert await central.call("GetChargingProfiles", asked) == {"status": "Accepted"}
        await central.until(lambda c: c.of("ReportChargingProfiles"))
    assert central.of("ReportChargingProfiles") == [
        {
            "requestId": 2,
            "chargingLimitSource": "CSO",
            "evseId": 1,
            "chargingProfile": [sent["chargingProfile"]],
            "tbc": False,
        }
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"chargingProfilePurpose": "TxProfile"}, "TxNotFound"),
        ({"chargingProfilePurpose": "ChargingStationExternalConstraints"}, "PurposeNotSupported"),
        ({"stackLevel": 99}, "StackLevelTooHigh"),
        ({"chargingProfileKind": "Relative"}, "RelativeWithStart"),
        ({"chargingProfileKind": "Recurring"}, "NoRecurrencyKind"),
        ({"chargingProfilePurpose": "ChargingStationMaxProfile"}, "StationMaxOnEvse"),
    ],
)
async def test_profile_against_the_rules_is_rejected_with_the_reason(
    central: Central, change: Json, reason: str
) -> None:
    async with emulator(central) as cp:
        await cp.connected()
        answer = await central.call("SetChargingProfile", profile((0, 10.0), **change))
    assert answer == {"status": "Rejected", "statusInfo": {"reasonCode": reason}}


HASH = {"hashAlgorithm": "SHA256", "issuerNameHash": "a", "issuerKeyHash": "b", "serialNumber": "c"}
MONITOR = {
    "value": 1,
    "type": "Delta",
    "severity": 5,
    "component": {"name": "EVSE"},
    "variable": {"name": "Power"},
}
MONITORED = {
    "status": "UnsupportedMonitorType",
    "type": "Delta",
    "severity": 5,
    "component": {"name": "EVSE"},
    "variable": {"name": "Power"},
}
MESSAGE = {"id": 1, "priority": "InFront", "message": {"format": "UTF8", "content": "x"}}
NETWORK = {
    "ocppVersion": "OCPP20",
    "ocppTransport": "JSON",
    "ocppCsmsUrl": "ws://x",
    "messageTimeout": 1,
    "securityProfile": 1,
    "ocppInterface": "Wired0",
}
ANSWERED = [
    ("CancelReservation", {"reservationId": 1}, "Rejected"),
    ("CertificateSigned", {"certificateChain": "x"}, "Rejected"),
    ("ChangeAvailability", {"operationalStatus": "Inoperative"}, "Accepted"),
    ("ChangeAvailability", {"operationalStatus": "Inoperative", "evse": {"id": 7}}, "Rejected"),
    ("ClearCache", {}, "Accepted"),
    ("ClearChargingProfile", {"chargingProfileId": 1}, "Unknown"),
    ("ClearDisplayMessage", {"id": 1}, "Unknown"),
    ("CustomerInformation", {"requestId": 1, "report": True, "clear": False, "idToken": TOKEN}, "Accepted"),
    ("CustomerInformation", {"requestId": 1, "report": True, "clear": False}, "Invalid"),
    ("DataTransfer", {"vendorId": "x"}, "UnknownVendorId"),
    ("DeleteCertificate", {"certificateHashData": HASH}, "NotFound"),
    ("GetBaseReport", {"requestId": 1, "reportBase": "SummaryInventory"}, "Accepted"),
    ("GetDisplayMessages", {"requestId": 1}, "Unknown"),
    ("GetInstalledCertificateIds", {}, "NotFound"),
    ("GetMonitoringReport", {"requestId": 1}, "EmptyResultSet"),
    (
        "GetReport",
        {"requestId": 1, "componentVariable": [{"component": {"name": "TxCtrlr"}}]},
        "Accepted",
    ),
    (
        "GetReport",
        {"requestId": 1, "componentVariable": [{"component": {"name": "Nothing"}}]},
        "EmptyResultSet",
    ),
    ("InstallCertificate", {"certificateType": "CSMSRootCertificate", "certificate": "x"}, "Rejected"),
    ("PublishFirmware", {"location": "x", "checksum": "x", "requestId": 1}, "Rejected"),
    ("RequestStartTransaction", {"idToken": TOKEN, "remoteStartId": 1, "evseId": 8}, "Rejected"),
    ("RequestStopTransaction", {"transactionId": "none"}, "Rejected"),
    ("ReserveNow", {"id": 1, "expiryDateTime": at(9e7), "idToken": TOKEN}, "Accepted"),
    ("Reset", {"type": "OnIdle", "evseId": 9}, "Rejected"),
    ("SendLocalList", {"versionNumber": 1, "updateType": "Full"}, "Accepted"),
    ("SendLocalList", {"versionNumber": 0, "updateType": "Differential"}, "VersionMismatch"),
    ("SetDisplayMessage", {"message": MESSAGE}, "Rejected"),
    ("SetMonitoringBase", {"monitoringBase": "All"}, "NotSupported"),
    ("SetMonitoringLevel", {"severity": 3}, "Rejected"),
    ("SetNetworkProfile", {"configurationSlot": 1, "connectionData": NETWORK}, "Rejected"),
    ("TriggerMessage", {"requestedMessage": "StatusNotification"}, "Accepted"),
    ("TriggerMessage", {"requestedMessage": "TransactionEvent"}, "Rejected"),
    ("TriggerMessage", {"requestedMessage": "SignV2GCertificate"}, "NotImplemented"),
    ("UnlockConnector", {"evseId": 1, "connectorId": 1}, "Unlocked"),
    ("UnlockConnector", {"evseId": 1, "connectorId": 2}, "UnknownConnector"),
    ("UnpublishFirmware", {"checksum": "x"}, "NoFirmware"),
    (
        "UpdateFirmware",
        {"requestId": 1, "firmware": {"location": "x", "retrieveDateTime": at(0)}},
        "Accepted",
    ),
    ("GetLog", {"logType": "SecurityLog", "requestId": 1, "log": {"remoteLocation": "x"}}, "Accepted"),
]


@pytest.mark.parametrize(("action", "payload", "status"), ANSWERED)
async def test_every_call_of_the_central_system_is_answered(
    central: Central, action: str, payload: Json, status: str
) -> None:
    async with emulator(central) as cp:
        await cp.connected()
        answer = await central.call(action, payload)
    assert answer["status"] == status


@pytest.mark.parametrize(
    ("action", "payload", "expected"),
    [
        ("CostUpdated", {"totalCost": 0, "transactionId": "none"}, {}),
        ("GetLocalListVersion", {}, {"versionNumber": 0}),
        ("GetTransactionStatus", {}, {"messagesInQueue": False}),
        (
            "GetTransactionStatus",
            {"transactionId": "none"},
            {"ongoingIndicator": False, "messagesInQueue": False},
        ),
        ("SetVariableMonitoring", {"setMonitoringData": [MONITOR]}, {"setMonitoringResult": [MONITORED]}),
        (
            "ClearVariableMonitoring",
            {"id": [4]},
            {"clearMonitoringResult": [{"status": "NotFound", "id": 4}]},
        ),
    ],
)
async def test_calls_without_a_status_are_answered(
    central: Central, action: str, payload: Json, expected: Json
) -> None:
    async with emulator(central) as cp:
        await cp.connected()
        assert await central.call(action, payload) == expected


async def test_unknown_call_gets_a_callerror(central: Central) -> None:
    async with emulator(central) as cp:
        await cp.connected()
        assert await central.raw_call("RemoteStartTransaction", {}) == {"error": "NotImplemented"}
        assert await central.raw_call("Reset", {}) == {"error": "OccurrenceConstraintViolation"}


async def test_composite_schedule_in_watts_counts_every_phase(central: Central) -> None:
    async with emulator(central) as cp:
        await cp.connected()
        await central.call("SetChargingProfile", profile((0, 6900.0), (100_000_000, 0.0), unit="W"))
        request = {"evseId": 1, "duration": 3600, "chargingRateUnit": "A"}
        answer = await central.call("GetCompositeSchedule", request)
    assert answer["schedule"]["chargingSchedulePeriod"] == [
        {"startPeriod": 0, "limit": 10.0, "numberPhases": 3}
    ]


async def test_new_password_is_used_after_a_reconnection(central: Central) -> None:
    async with emulator(central, password="old-password-1234") as cp:
        await cp.connected()
        data = {
            "component": {"name": "SecurityCtrlr"},
            "variable": {"name": "BasicAuthPassword"},
            "attributeValue": "new-password-1234",
        }
        answer = await central.call("SetVariables", {"setVariableData": [data]})
        assert answer["setVariableResult"][0]["attributeStatus"] == "Accepted"
        await cp.wait_for(lambda _: central.connections == 2)
    sent = [base64.b64decode(str(header).removeprefix("Basic ")) for header in central.authorizations]
    assert sent == [b"CS1:old-password-1234", b"CS1:new-password-1234"]


async def test_lost_connection_is_taken_up_again_without_a_boot(central: Central) -> None:
    async with emulator(central, retry_s=(0.01, 0.05)) as cp:
        await cp.connected()
        await cp.wait_for(lambda cp: len(cp.station.queue) == 0)
        await cp.drop_connection()
        await cp.wait_for(lambda cp: cp.online)
        await central.until(lambda c: c.actions().count("Heartbeat") == 1)
        assert central.actions().count("BootNotification") == 1
        assert central.connections == 2
        assert cp.frames[0].sent
        assert '"BootNotification"' in cp.frames[0].text


async def test_station_without_a_common_protocol_keeps_trying_and_says_why() -> None:
    told: list[tuple[str, object]] = []
    async with central_system("ocpp1.6") as old:
        station = emulator(
            old,
            retry_s=(0.001, 0.002),
            on_event=lambda _, event: told.append((event.name, event.facts.get("why"))),
        )
        async with station as cp:
            await cp.wait_for(lambda _: len(told) >= 3)
    assert set(told) == {("cannot_connect", "HTTP 400")}
