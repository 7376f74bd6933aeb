"""OCPP 1.6: firmware, diagnostics and security events, as the OCA's test tool plays them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from supervision.clock import FixedClock
from supervision.csms.devices.campaigns import CampaignService
from supervision.csms.devices.files import FileService, Purpose
from supervision.csms.devices.model import FileKind
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
from tests.integration.ocpp_client import ChargePoint, Server, boot_payload, until

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


# --- with an address of ours for the upload and the firmware ---------------------------------------------


@pytest.fixture
def campaigns(server: Server, sqlite_db: Database, clock: FixedClock, tmp_path: Path) -> CampaignService:
    return CampaignService(
        db=sqlite_db,
        clock=clock,
        commands=server.commands,
        files=FileService(sqlite_db, clock, tmp_path),
        files_url="https://site.example",
    )


async def chunks(text: bytes) -> AsyncIterator[bytes]:
    yield text


async def left_at(campaigns: CampaignService, location: str) -> None:
    """Leave a log where the station was told to."""
    files, token = campaigns.files, location.removeprefix("https://site.example/device-files/").rstrip("/")
    link = await files.open_link(token, Purpose.UPLOAD)
    assert link is not None
    assert await files.receive(link, chunks(b"log")) == 3


async def logs(campaigns: CampaignService, kind: FileKind) -> list[int | None]:
    """Sizes of the logs of the station; None for one that is expected."""
    return [file["size_bytes"] for file in await campaigns.files.files("org", kind=kind, charging_station=CP)]


async def test_TC_045_1_diagnostics_are_uploaded_to_us(
    server: Server, sqlite_db: Database, clock: FixedClock, campaigns: CampaignService
) -> None:
    async with server.station(CP, respond=by_action(GetDiagnostics={"fileName": "d.zip"})) as point:
        await campaigns.fetch_log("org", CP, FileKind.DIAGNOSTICS, by_person_id=None)
        await until(lambda: bool(point.commands))
        assert await logs(campaigns, FileKind.DIAGNOSTICS) == [None]
        await tell(point, "DiagnosticsStatusNotification", "Uploading")
        await left_at(campaigns, point.commands[0][3]["location"])
        await tell(point, "DiagnosticsStatusNotification", "Uploaded")
    await settle(sqlite_db, clock)
    assert [frame[2] for frame in point.commands] == ["GetDiagnostics"]
    assert await errand(sqlite_db, "diagnostics") == ("done", "Uploaded")
    assert await logs(campaigns, FileKind.DIAGNOSTICS) == [3]


async def test_TC_045_2_upload_that_fails_leaves_no_log(
    server: Server, sqlite_db: Database, clock: FixedClock, campaigns: CampaignService
) -> None:
    async with server.station(CP, respond=by_action(GetDiagnostics={"fileName": "d.zip"})) as point:
        await campaigns.fetch_log("org", CP, FileKind.DIAGNOSTICS, by_person_id=None)
        await until(lambda: bool(point.commands))
        await tell(point, "DiagnosticsStatusNotification", "Uploading", "UploadFailed")
    assert await errand(sqlite_db, "diagnostics") == ("failed", "UploadFailed")
    assert await logs(campaigns, FileKind.DIAGNOSTICS) == [None]


async def test_TC_079_security_log_is_uploaded_to_us(
    server: Server, sqlite_db: Database, clock: FixedClock, campaigns: CampaignService
) -> None:
    answers = by_action(GetLog={"status": "Accepted", "filename": "security.log"})
    async with server.station(CP, respond=answers) as point:
        await campaigns.fetch_log("org", CP, FileKind.SECURITY_LOG, by_person_id=None)
        await until(lambda: bool(point.commands))
        action, payload = point.commands[0][2:]
        assert (action, payload["logType"]) == ("GetLog", "SecurityLog")
        for word in ("Uploading", "Uploaded"):
            told = {"status": word, "requestId": payload["requestId"]}
            assert await point.answer("LogStatusNotification", told) == {}
            if word == "Uploading":
                await left_at(campaigns, payload["log"]["remoteLocation"])
    assert await errand(sqlite_db, "log") == ("done", "Uploaded")
    assert await logs(campaigns, FileKind.SECURITY_LOG) == [3]


@pytest.mark.parametrize(
    ("words", "state", "alarms"),
    [
        pytest.param(
            ["Downloading", "Downloaded", "SignatureVerified", "Installing", "Installed"],
            "done",
            [],
            id="TC_080",
        ),
        pytest.param(
            ["Downloading", "Downloaded", "InvalidSignature"],
            "failed",
            [("security", f"security:{CP}:InvalidFirmwareSignature")],
            id="TC_081",
        ),
    ],
)
async def test_signed_firmware(
    server: Server,
    sqlite_db: Database,
    clock: FixedClock,
    campaigns: CampaignService,
    words: list[str],
    state: str,
    alarms: list[tuple[str, str]],
) -> None:
    proof = {"signing_certificate": "-----BEGIN CERTIFICATE-----", "signature": "c2ln"}
    file_id = await campaigns.files.create("org", FileKind.FIRMWARE, name="fw.bin", details=proof)
    await campaigns.files.fill("org", file_id, chunks(b"fw"))
    async with server.station(CP) as point:
        await campaigns.update_firmware("org", [CP], file_id, by_person_id=None)
        await until(lambda: bool(point.commands))
        action, payload = point.commands[0][2:]
        assert action == "SignedUpdateFirmware"
        assert (payload["firmware"]["signature"], payload["firmware"]["retrieveDateTime"]) == (
            "c2ln",
            "2026-11-21T08:00:00Z",
        )
        for word in words:
            told = {"status": word, "requestId": payload["requestId"]}
            assert await point.answer("SignedFirmwareStatusNotification", told) == {}
        if alarms:
            event = {"type": "InvalidFirmwareSignature", "timestamp": MORNING}
            assert await point.answer("SecurityEventNotification", event) == {}
    await settle(sqlite_db, clock)
    assert await errand(sqlite_db, "firmware") == (state, words[-1])
    assert await open_alerts(sqlite_db) == alarms
