"""Files that stations fetch and leave: one address each, told once, forgotten in time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select

from supervision.clock import FixedClock
from supervision.csms.commands import CommandResult, CommandState
from supervision.csms.devices.campaigns import CampaignService, Sent
from supervision.csms.devices.files import MAX_BYTES, FileService, Purpose
from supervision.csms.devices.model import FileKind
from supervision.kernel.errors import Refused
from supervision.store.db import Database
from supervision.store.schema import commands, frames
from tests.integration.ocpp_client import V201, Server, central_system, until, write_stations
from tests.serving import SITE, World

LOG = b"12:00 started\n12:01 stopped\n"


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def upload_link(world: World) -> tuple[str, str]:
    """Return the id of an expected log of CP16 and the path it may be left at."""
    files = world.services.files
    file_id = await files.create("org", FileKind.DIAGNOSTICS, name="log.txt", charging_station="CP16")
    token = await files.link("org", file_id, charging_station="CP16", purpose=Purpose.UPLOAD)
    return file_id, f"/device-files/{token}/log.txt"


async def kept(world: World, file_id: str) -> bytes | None:
    found = await world.services.files.file("org", file_id)
    return None if found is None else found[1].read_bytes()


@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_station_leaves_a_log_once(world: World, method: str) -> None:
    file_id, path = await upload_link(world)
    assert await kept(world, file_id) is None
    answer = await world.client.request(method, path, content=LOG)
    assert (answer.status_code, await kept(world, file_id)) == (201, LOG)
    again = await world.client.request(method, path, content=b"forged")
    assert (again.status_code, await kept(world, file_id)) == (404, LOG)


async def test_log_in_a_form_is_taken_out_of_it(world: World) -> None:
    file_id, path = await upload_link(world)
    answer = await world.client.post(path, files={"file": ("name.txt", LOG)})
    assert (answer.status_code, await kept(world, file_id)) == (201, LOG)


async def test_form_without_a_file_leaves_the_address_usable(world: World) -> None:
    file_id, path = await upload_link(world)
    assert (await world.client.post(path, files={"a": (None, "b")})).status_code == 400
    assert (await world.client.put(path, content=LOG)).status_code == 201
    assert await kept(world, file_id) == LOG


async def test_upload_that_is_too_large_leaves_nothing(world: World) -> None:
    file_id, path = await upload_link(world)
    token = path.split("/")[2]
    link = await world.services.files.open_link(token, Purpose.UPLOAD)
    assert link is not None
    mib = bytes(1024 * 1024)
    refused = await world.services.files.receive(link, chunks(*[mib] * (MAX_BYTES // len(mib) + 1)))
    assert refused == Refused("file_too_large", {"max_bytes": MAX_BYTES})
    announced = await world.client.put(path, content=b"", headers={"Content-Length": str(2 * MAX_BYTES)})
    assert announced.status_code == 413
    assert await kept(world, file_id) is None
    assert sorted(entry.name for entry in (world.data / "files").iterdir()) == ["fw1", "r-fw1"]


@pytest.mark.parametrize("path", ["/device-files/nonsense/x", "/device-files/x/", "/device-files/"])
async def test_address_that_nobody_was_told_is_not_found(world: World, path: str) -> None:
    for method in ("GET", "PUT", "POST"):
        assert (await world.client.request(method, path, content=b"x")).status_code == 404


async def test_upload_address_is_no_download_address_and_runs_out(world: World, clock: FixedClock) -> None:
    _, path = await upload_link(world)
    assert (await world.client.get(path)).status_code == 404
    clock.advance(seconds=25 * 3600)
    assert (await world.client.put(path, content=LOG)).status_code == 404


async def test_firmware_is_announced_brought_and_fetched(world: World) -> None:
    api = world.api("manager")
    status, made = await api.post("/firmware", {"name": "fw-2.bin", "version": "2", "organisation": "org"})
    assert status == 201
    assert (await world.client.put(made["upload"], content=b"\0binary\xff")).status_code == 201
    token = await world.services.files.link(
        "org", made["id"], charging_station="CP16", purpose=Purpose.DOWNLOAD
    )
    for _ in range(2):  # a station may break off and come again
        answer = await world.client.get(f"/device-files/{token}/fw-2.bin")
        assert (answer.status_code, answer.content) == (200, b"\0binary\xff")
    part = await world.client.get(f"/device-files/{token}/fw-2.bin", headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"bin")


async def test_logs_are_forgotten_and_firmware_stays(world: World, clock: FixedClock) -> None:
    file_id, path = await upload_link(world)
    await world.client.put(path, content=LOG)
    clock.advance(seconds=3600)
    await world.services.files.forget_before(clock.now())
    assert await kept(world, file_id) is None
    assert sorted(entry.name for entry in (world.data / "files").iterdir()) == ["fw1", "r-fw1"]
    assert await kept(world, "fw1") == b"firmware"


# --- what asks for them -------------------------------------------------------------------------------


@pytest.fixture
async def server(sqlite_db: Database, clock: FixedClock) -> AsyncIterator[Server]:
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, clock) as running:
        yield running


@pytest.fixture
def campaigns(server: Server, sqlite_db: Database, clock: FixedClock, tmp_path: Any) -> CampaignService:
    files = FileService(sqlite_db, clock, tmp_path)
    return CampaignService(
        db=sqlite_db, clock=clock, commands=server.commands, files=files, files_url=f"{SITE}/"
    )


def masked(payload: dict[str, Any]) -> dict[str, Any]:
    """The payload with the token of its address cut off."""
    text = payload.get("location") or payload.get("log", {}).get("remoteLocation", "")
    assert text.startswith(f"{SITE}/device-files/")
    assert len(text.split("/")[4]) > 40
    return {name: item for name, item in payload.items() if name not in {"location", "log"}}


@pytest.mark.parametrize(
    ("identity", "protocol", "kind", "wanted"),
    [
        ("CP16", "ocpp1.6", FileKind.DIAGNOSTICS, ["GetDiagnostics", {}]),
        ("CP16", "ocpp1.6", FileKind.SECURITY_LOG, ["GetLog", {"logType": "SecurityLog"}]),
        ("CS201", V201, FileKind.DIAGNOSTICS, ["GetLog", {"logType": "DiagnosticsLog"}]),
    ],
)
async def test_log_is_asked_for_in_the_words_of_the_version(
    server: Server,
    campaigns: CampaignService,
    clock: FixedClock,
    identity: str,
    protocol: str,
    kind: FileKind,
    wanted: list[Any],
) -> None:
    async with server.station(identity, protocol) as point:
        result = await campaigns.fetch_log("org", identity, kind, by_person_id="m1")
        assert isinstance(result, CommandResult)
        await until(lambda: bool(point.commands))
    numbered = {} if wanted[0] == "GetDiagnostics" else {"requestId": int(clock.now().timestamp()) + 1}
    again = {"retries": 3, "retryInterval": 60}
    assert point.commands[0][2] == wanted[0]
    assert masked(point.commands[0][3]) == {**wanted[1], **numbered, **again}


async def test_token_of_an_address_is_in_no_frame_and_no_command(
    server: Server, campaigns: CampaignService, sqlite_db: Database
) -> None:
    async with server.station() as point:
        await campaigns.fetch_log("org", "CP16", FileKind.DIAGNOSTICS, by_person_id="m1")
        await until(lambda: bool(point.commands))
        token = point.commands[0][3]["location"].split("/")[4]
        await point.answer("Heartbeat", {})
    async with sqlite_db.read("org") as reader:
        texts = [
            str(row) for row in await reader.all(select(frames).where(frames.c.organisation_id == "org"))
        ]
        texts += [
            str(row) for row in await reader.all(select(commands).where(commands.c.organisation_id == "org"))
        ]
    assert any("/device-files/***" in text for text in texts)
    assert not [text for text in texts if token in text]


async def test_campaign_tells_what_became_of_each_station(
    server: Server, campaigns: CampaignService, clock: FixedClock
) -> None:
    files = campaigns.files
    file_id = await files.create("org", FileKind.FIRMWARE, name="fw.bin")
    unfinished = await campaigns.update_firmware("org", ["CP16"], file_id, by_person_id=None)
    assert unfinished == Refused("unknown_file", {"file": file_id})
    await files.fill("org", file_id, chunks(b"fw"))
    async with server.station() as point:
        sent = await campaigns.update_firmware("org", ["CP16", "CS201", "ZZ"], file_id, by_person_id=None)
        await until(lambda: bool(point.commands))
    assert isinstance(sent, list)
    assert [told(one) for one in sent] == [
        ("CP16", CommandState.QUEUED),
        ("CS201", "never_connected"),
        ("ZZ", "unknown_charging_station"),
    ]
    action, payload = point.commands[0][2:]
    assert (action, payload["location"].rpartition("/")[2]) == ("UpdateFirmware", "fw.bin")
    assert payload["retrieveDate"] == "2026-11-21T08:00:00Z"


def told(sent: Sent) -> tuple[str, str]:
    result = sent.result
    return sent.charging_station, result.code if isinstance(result, Refused) else result.state
