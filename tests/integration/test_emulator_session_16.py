"""Full sessions of an emulated OCPP 1.6 station against a scripted central system, frame by frame."""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import AsyncIterator

import pytest

from chargepoint_emulator.emulator import Emulator
from tests.integration.emulator_central import Central, Json, at, central_system, samples, seconds_of

BADGE = "04A1B2C3"


@pytest.fixture
async def central() -> AsyncIterator[Central]:
    async with central_system("ocpp1.6") as running:
        yield running


def emulator(central: Central, **options: object) -> Emulator:
    fields: Json = {"identity": "CP 1", "ocpp": "1.6", "speed": 3600.0, "meter_interval_s": 900, **options}
    return Emulator(url=central.url, **fields)


def profile(*periods: tuple[int, float], **more: object) -> Json:
    return {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {
                "startSchedule": at(0),
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": s, "limit": limit} for s, limit in periods],
            },
            **more,
        },
    }


async def test_full_session_plugged_then_badged_tells_every_step(central: Central) -> None:
    async with emulator(central, password="secret-key-16-ch", register_wh=1000.0) as cp:
        await cp.connected()
        await cp.plug(1, "zoe-52", soc=40)
        assert await cp.present(1, BADGE) == "Accepted"
        await central.until(lambda c: len(c.of("MeterValues")) >= 3)
        assert await cp.present(1, BADGE) == "Accepted"
        await cp.unplug(1)
        await central.until(lambda c: c.of("StatusNotification")[-1]["status"] == "Available")

    credentials = base64.b64encode(b"CP 1:secret-key-16-ch").decode()
    assert central.authorizations == [f"Basic {credentials}"]
    assert [name for name in central.actions() if name != "MeterValues"] == [
        "BootNotification",
        "StatusNotification",
        "StatusNotification",
        "StatusNotification",
        "Authorize",
        "StartTransaction",
        "StatusNotification",
        "StopTransaction",
        "StatusNotification",
        "StatusNotification",
    ]
    told = [(payload["connectorId"], payload["status"]) for payload in central.of("StatusNotification")]
    assert told[0] == (0, "Available")
    statuses = [status for connector, status in told if connector == 1]
    assert statuses == ["Available", "Preparing", "Charging", "Finishing", "Available"]
    (start,), (stop,) = central.of("StartTransaction"), central.of("StopTransaction")
    assert (start["connectorId"], start["idTag"], start["meterStart"]) == (1, BADGE, 1000)
    assert (stop["transactionId"], stop["reason"], stop["idTag"]) == (101, "Local", BADGE)
    assert {payload["transactionId"] for payload in central.of("MeterValues")} == {101}
    assert stop["meterStop"] > 1000


async def test_energy_between_samples_follows_the_profile_exactly(central: Central) -> None:
    """Edges fall between samples, and an hour passes in a second: the energy is that of the schedule."""
    edges = [(0, 10.0), (4000, 0.0), (6100, 20.5), (9333, 8.0), (12000, 6.5), (14000, 32.0), (15000, 16.0)]
    async with emulator(central, speed=18_000.0) as cp:
        await cp.connected()
        assert await central.call("SetChargingProfile", profile(*edges)) == {"status": "Accepted"}
        await cp.plug(1, "zoe-52", soc=5)
        await cp.present(1, BADGE)
        await central.until(lambda c: len(c.of("MeterValues")) >= 20)

    readings = [one for payload in central.of("MeterValues") for one in payload["meterValue"]]
    energy = list(samples(readings, "Energy.Active.Import.Register"))
    offered = dict(samples(readings, "Current.Offered"))
    current = dict(samples(readings, "Current.Import", "L3"))
    assert [round(late - early) for (early, _), (late, _) in itertools.pairwise(energy)] == [900] * (
        len(energy) - 1
    )
    for (early, before_wh), (late, after_wh) in itertools.pairwise(energy):
        assert after_wh - before_wh == pytest.approx(_expected_wh(edges, early, late), abs=1.01)
    for instant, amps in offered.items():
        limit = _limit(edges, instant)
        assert amps == limit
        assert current[instant] == (limit if limit >= 8 else 0.0)  # this car takes nothing below 8 A


def _limit(edges: list[tuple[int, float]], instant: float) -> float:
    return next(limit for start, limit in reversed(edges) if start <= instant)


def _expected_wh(edges: list[tuple[int, float]], early: float, late: float) -> float:
    ends = [*(start for start, _ in edges[1:]), 10**9]
    return sum(
        max(0.0, min(late, end) - max(early, start)) / 3600 * 3 * 230 * (limit if limit >= 8 else 0)
        for (start, limit), end in zip(edges, ends, strict=True)
    )


async def test_limit_below_car_minimum_suspends_by_the_car_and_zero_by_the_station(central: Central) -> None:
    async with emulator(central, speed=600.0) as cp:
        await cp.connected()
        await central.call("SetChargingProfile", profile((0, 6.0)))
        await cp.plug(1, "zoe-52", soc=40)
        await cp.present(1, BADGE)
        await central.until(lambda c: c.of("StatusNotification")[-1]["status"] == "SuspendedEV")
        await central.call("SetChargingProfile", profile((0, 0.0)))
        await central.until(lambda c: c.of("StatusNotification")[-1]["status"] == "SuspendedEVSE")
        await central.call("ClearChargingProfile", {"id": 1})
        await central.until(lambda c: c.of("StatusNotification")[-1]["status"] == "Charging")
        assert cp.evses[1].offered_a == 32.0
        assert cp.evses[1].charging_transaction_id == 101


async def test_offline_session_is_replayed_in_order_with_its_own_times(central: Central) -> None:
    async with emulator(central) as cp:
        await cp.connected()
        await cp.plug(1, "zoe-52", soc=20)
        await cp.present(1, BADGE)
        await central.until(lambda c: c.of("StartTransaction"))
        await cp.unplug(1)
        await central.until(lambda c: c.of("StopTransaction"))
        await cp.wait_for(lambda cp: len(cp.station.queue) == 0)
        seen = len(central.calls)
        await cp.go_offline()
        await cp.plug(1)
        assert await cp.present(1, BADGE) == "Accepted"  # known from the cache
        await cp.wait_for(lambda cp: cp.evses[1].energy_wh > 15_000)
        await cp.unplug(1)
        await cp.go_online()
        await central.until(lambda c: len(c.of("StopTransaction")) == 2)

    replayed = central.calls[seen:]
    durable = [name for name, _ in replayed if name not in {"Heartbeat", "StatusNotification"}]
    assert durable[0] == "StartTransaction"
    assert durable[-1] == "StopTransaction"
    assert set(durable[1:-1]) == {"MeterValues"}
    assert "BootNotification" not in [name for name, _ in replayed]
    start, stop = central.of("StartTransaction")[1], central.of("StopTransaction")[1]
    times = [seconds_of(one["meterValue"][0]["timestamp"]) for name, one in replayed if name == "MeterValues"]
    assert [round(one - seconds_of(start["timestamp"])) for one in times] == [
        900 * n for n in range(1, len(times) + 1)
    ]
    assert times[-1] <= seconds_of(stop["timestamp"]) < times[-1] + 900
    assert {one["transactionId"] for name, one in replayed if name == "MeterValues"} == {102}
    assert stop["transactionId"] == 102
    assert len(set(central.message_ids)) == len(central.message_ids)


async def test_remote_start_waits_for_the_cable_and_remote_stop_ends(central: Central) -> None:
    async with emulator(central) as cp:
        await cp.connected()
        start = {"connectorId": 1, "idTag": "APP-1"}
        assert await central.call("RemoteStartTransaction", start) == {"status": "Accepted"}
        await cp.plug(1, "zoe-52", soc=40)
        await cp.wait_for(lambda cp: cp.evses[1].charging_transaction_id == 101)
        answer = await central.call("RemoteStopTransaction", {"transactionId": 101})
        assert answer == {"status": "Accepted"}
        await central.until(lambda c: c.of("StopTransaction"))
        assert await central.call("RemoteStopTransaction", {"transactionId": 101}) == {"status": "Rejected"}
    assert central.of("StopTransaction")[0]["reason"] == "Remote"
    assert "Authorize" not in central.actions()


async def test_refused_token_stops_what_it_started(central: Central) -> None:
    central.answers["StartTransaction"] = lambda _: {"transactionId": 7, **central.token("Blocked")}
    async with emulator(central) as cp:
        await cp.connected()
        await cp.plug(1, "zoe-52", soc=40)
        await cp.present(1, BADGE)
        await central.until(lambda c: c.of("StopTransaction"))
    assert central.of("StopTransaction")[0]["reason"] == "DeAuthorized"


async def test_reset_ends_the_session_and_boots_again(central: Central) -> None:
    async with emulator(central) as cp:
        await cp.connected()
        await cp.plug(1, "zoe-52", soc=40)
        await cp.present(1, BADGE)
        await cp.wait_for(lambda cp: cp.evses[1].charging_transaction_id is not None)
        assert await central.call("Reset", {"type": "Soft"}) == {"status": "Accepted"}
        await central.until(lambda c: len(c.of("BootNotification")) == 2)
        await cp.connected()
    assert central.of("StopTransaction")[0]["reason"] == "SoftReset"
    assert central.connections == 2


ANSWERED = [
    ("CancelReservation", {"reservationId": 1}, {"status": "Rejected"}),
    ("CertificateSigned", {"certificateChain": "x"}, {"status": "Rejected"}),
    ("ChangeAvailability", {"connectorId": 9, "type": "Operative"}, {"status": "Rejected"}),
    ("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"}, {"status": "Accepted"}),
    ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"}, {"status": "Accepted"}),
    ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "soon"}, {"status": "Rejected"}),
    ("ChangeConfiguration", {"key": "NumberOfConnectors", "value": "2"}, {"status": "Rejected"}),
    ("ChangeConfiguration", {"key": "Nothing", "value": "1"}, {"status": "NotSupported"}),
    ("ClearCache", {}, {"status": "Accepted"}),
    ("ClearChargingProfile", {}, {"status": "Unknown"}),
    ("DataTransfer", {"vendorId": "x"}, {"status": "UnknownVendorId"}),
    (
        "DeleteCertificate",
        {
            "certificateHashData": {
                "hashAlgorithm": "SHA256",
                "issuerNameHash": "a",
                "issuerKeyHash": "b",
                "serialNumber": "c",
            }
        },
        {"status": "NotFound"},
    ),
    ("ExtendedTriggerMessage", {"requestedMessage": "Heartbeat"}, {"status": "Accepted"}),
    (
        "GetConfiguration",
        {"key": ["NumberOfConnectors", "Nothing"]},
        {
            "configurationKey": [{"key": "NumberOfConnectors", "readonly": True, "value": "1"}],
            "unknownKey": ["Nothing"],
        },
    ),
    ("GetDiagnostics", {"location": "ftp://x"}, {"fileName": "CP 1-diagnostics.txt"}),
    (
        "GetInstalledCertificateIds",
        {"certificateType": "CentralSystemRootCertificate"},
        {"status": "NotFound"},
    ),
    ("GetLocalListVersion", {}, {"listVersion": 0}),
    (
        "GetLog",
        {"logType": "DiagnosticsLog", "requestId": 1, "log": {"remoteLocation": "x"}},
        {"status": "Accepted", "filename": "CP 1-log.txt"},
    ),
    (
        "InstallCertificate",
        {"certificateType": "CentralSystemRootCertificate", "certificate": "x"},
        {"status": "Rejected"},
    ),
    ("RemoteStartTransaction", {"connectorId": 4, "idTag": "A"}, {"status": "Rejected"}),
    ("RemoteStopTransaction", {"transactionId": 4}, {"status": "Rejected"}),
    (
        "ReserveNow",
        {"connectorId": 1, "expiryDate": at(9e7), "idTag": "A", "reservationId": 1},
        {"status": "Accepted"},
    ),
    (
        "SendLocalList",
        {
            "listVersion": 2,
            "updateType": "Full",
            "localAuthorizationList": [{"idTag": "A", "idTagInfo": {"status": "Accepted"}}],
        },
        {"status": "Accepted"},
    ),
    ("SendLocalList", {"listVersion": 0, "updateType": "Differential"}, {"status": "VersionMismatch"}),
    (
        "SignedUpdateFirmware",
        {
            "requestId": 1,
            "firmware": {
                "location": "x",
                "retrieveDateTime": at(0),
                "signingCertificate": "x",
                "signature": "x",
            },
        },
        {"status": "Accepted"},
    ),
    ("TriggerMessage", {"requestedMessage": "StatusNotification"}, {"status": "Accepted"}),
    ("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1}, {"status": "Accepted"}),
    ("TriggerMessage", {"requestedMessage": "BootNotification"}, {"status": "Accepted"}),
    ("UnlockConnector", {"connectorId": 1}, {"status": "Unlocked"}),
    ("UnlockConnector", {"connectorId": 2}, {"status": "NotSupported"}),
    ("UpdateFirmware", {"location": "ftp://x", "retrieveDate": at(0)}, {}),
]


@pytest.mark.parametrize(("action", "payload", "expected"), ANSWERED)
async def test_every_call_of_the_central_system_is_answered(
    central: Central, action: str, payload: Json, expected: Json
) -> None:
    async with emulator(central) as cp:
        await cp.connected()
        assert await central.call(action, payload) == expected


async def test_unknown_and_malformed_calls_get_a_callerror(central: Central) -> None:
    async with emulator(central) as cp:
        await cp.connected()
        assert await central.raw_call("MakeCoffee", {}) == {"error": "NotImplemented"}
        assert await central.raw_call("Reset", {}) == {"error": "OccurenceConstraintViolation"}
        assert await central.raw_call("Reset", {"type": 3}) == {"error": "TypeConstraintViolation"}


async def test_composite_schedule_without_a_profile_is_what_the_hardware_gives(central: Central) -> None:
    async with emulator(central) as cp:
        await cp.connected()
        answer = await central.call("GetCompositeSchedule", {"connectorId": 1, "duration": 3600})
    periods = answer["chargingSchedule"]["chargingSchedulePeriod"]
    assert periods == [{"startPeriod": 0, "limit": 32.0, "numberPhases": 3}]


async def test_error_of_the_caller_passes_unwrapped_and_leaves_no_task(central: Central) -> None:
    async def broken() -> None:
        async with emulator(central) as cp:
            await cp.connected()
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await broken()
    assert [task for task in asyncio.all_tasks() if task.get_name() == "CP 1"] == []


async def test_wait_for_something_that_never_comes_ends_with_a_timeout(central: Central) -> None:
    async with emulator(central) as cp:
        with pytest.raises(TimeoutError):
            await cp.wait_for(lambda cp: cp.evses[1].power_w > 0, within_s=0.05)
