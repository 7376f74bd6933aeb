"""OCPP 1.6: firmware, diagnostics and security events, as the OCA's test tool plays them."""

from __future__ import annotations

import pytest

from supervision.clock import FixedClock
from supervision.store.db import Database
from tests.conformance.play import (
    ACCEPTED,
    MORNING,
    Json,
    by_action,
    command,
    errand,
    notices,
    open_alerts,
    settle,
)
from tests.integration.ocpp_client import ChargePoint, Server, boot_payload

CP = "CP16"
UPDATE: Json = {"location": "https://files.example.org/fw.bin", "retrieveDate": MORNING}


async def tell(point: ChargePoint, action: str, *words: str) -> None:
    """Tell the words of a status one after another; every answer is empty."""
    for word in words:
        assert await point.answer(action, {"status": word}) == {}


async def test_TC_044_1_firmware_is_downloaded_and_installed(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    async with server.station(CP, respond=by_action(UpdateFirmware={})) as point:
        await command(server, CP, "UpdateFirmware", UPDATE)
        await settle(sqlite_db, clock)
        assert await errand(sqlite_db, "firmware") == ("under_way", "Accepted")
        await tell(point, "FirmwareStatusNotification", "Downloading", "Downloaded", "Installing")
        assert await errand(sqlite_db, "firmware") == ("under_way", "Installing")
        boot = {**boot_payload("ocpp1.6"), "firmwareVersion": "2.0"}
        assert (await point.answer("BootNotification", boot))["status"] == "Accepted"
        await tell(point, "FirmwareStatusNotification", "Installed")
    assert [frame[2:] for frame in point.commands] == [["UpdateFirmware", UPDATE]]
    assert await errand(sqlite_db, "firmware") == ("done", "Installed")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["Downloading", "DownloadFailed"], id="TC_044_2"),
        pytest.param(["Downloading", "Downloaded", "Installing", "InstallationFailed"], id="TC_044_3"),
    ],
)
async def test_failed_firmware_is_a_failed_errand(
    server: Server, sqlite_db: Database, clock: FixedClock, words: list[str]
) -> None:
    async with server.station(CP, respond=by_action(UpdateFirmware={})) as point:
        await command(server, CP, "UpdateFirmware", UPDATE)
        await settle(sqlite_db, clock)
        await tell(point, "FirmwareStatusNotification", *words)
    assert await errand(sqlite_db, "firmware") == ("failed", words[-1])


async def test_word_that_overtakes_the_record_of_its_command_is_the_same_errand(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    async with server.station(CP, respond=by_action(UpdateFirmware={})) as point:
        await command(server, CP, "UpdateFirmware", UPDATE)
        await tell(point, "FirmwareStatusNotification", "Downloading")
        await settle(sqlite_db, clock)
        await tell(point, "FirmwareStatusNotification", "Idle", "Downloaded")
    assert await errand(sqlite_db, "firmware") == ("under_way", "Downloaded")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("InvalidChargePointCertificate", id="TC_077"),
        pytest.param("InvalidCentralSystemCertificate", id="TC_078"),
    ],
)
async def test_invalid_certificate_is_kept_and_alarms(
    server: Server, sqlite_db: Database, clock: FixedClock, name: str
) -> None:
    event = {"type": name, "timestamp": MORNING, "techInfo": "signature"}
    async with server.station(CP) as point:
        assert await point.answer("SecurityEventNotification", event) == {}
        assert await point.answer("SecurityEventNotification", event) == {}
    await settle(sqlite_db, clock)
    assert await notices(sqlite_db) == [("security", name, True)]
    assert await open_alerts(sqlite_db) == [("security", f"security:{CP}:{name}")]


async def test_security_event_of_normal_life_alarms_nobody(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    async with server.station(CP) as point:
        event = {"type": "StartupOfTheDevice", "timestamp": MORNING}
        assert await point.answer("SecurityEventNotification", event) == {}
    await settle(sqlite_db, clock)
    assert await notices(sqlite_db) == [("security", "StartupOfTheDevice", False)]
    assert await open_alerts(sqlite_db) == []


async def test_security_log_and_its_upload_are_an_errand(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    wanted = {"logType": "SecurityLog", "requestId": 7, "log": {"remoteLocation": "https://f.example.org/u"}}
    async with server.station(CP, respond=by_action(GetLog=ACCEPTED)) as point:
        await command(server, CP, "GetLog", wanted)
        await settle(sqlite_db, clock)
        for word in ("Uploading", "Uploaded"):
            told = {"status": word, "requestId": 7}
            assert await point.answer("LogStatusNotification", told) == {}
    assert await errand(sqlite_db, "log") == ("done", "Uploaded")
