"""The journal of frames: read, filtered, taken away, played again, held against the tables, forgotten."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from supervision.clock import FixedClock
from supervision.csms.checking import StationCheck, check_stations
from supervision.csms.frame import Version
from supervision.csms.journal import JournalService, Wanted
from supervision.csms.replay import read_recording
from supervision.csms.replaying import replay
from supervision.kernel.errors import FieldError, Refused
from supervision.store.db import Database, Tx
from supervision.store.schema import charging_transactions
from tests.integration.ocpp_client import (
    SECRET,
    V201,
    ChargePoint,
    Server,
    central_system,
    write_stations,
)

START = {"connectorId": 1, "idTag": "04A1B2C3", "meterStart": 1000, "timestamp": "2026-11-21T07:00:00Z"}


@pytest.fixture
async def server(sqlite_db: Database, clock: FixedClock) -> Any:
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, clock) as running:
        yield running


@pytest.fixture
def journal(sqlite_db: Database) -> JournalService:
    return JournalService(sqlite_db)


async def charged(point: ChargePoint) -> None:
    number = (await point.answer("StartTransaction", START))["transactionId"]
    stop = {"transactionId": number, "meterStop": 6000, "timestamp": "2026-11-21T07:30:00Z"}
    await point.answer("StopTransaction", stop)


async def recorded(journal: JournalService, wanted: Wanted | None = None) -> list[str]:
    chunks = [chunk async for chunk in journal.lines("org", "CP16", wanted or Wanted())]
    return b"".join(chunks).decode().splitlines()


async def test_frames_are_read_in_pages(server: Server, journal: JournalService) -> None:
    async with server.station() as point:
        await point.answer("Heartbeat", {})
    first = await journal.frames("org", "CP16", limit=3)
    assert not isinstance(first, Refused)
    second = await journal.frames("org", "CP16", after=int(first.next or 0), limit=3)
    assert not isinstance(second, Refused)
    assert [item["direction"] for item in first.items + second.items] == ["in", "out", "in", "out"]
    assert second.next is None
    assert await journal.frames("org", "NOBODY") == Refused(
        "unknown_charging_station", {"charging_station": "NOBODY"}
    )


async def test_frames_are_filtered(server: Server, journal: JournalService, clock: FixedClock) -> None:
    async with server.station() as point:
        await point.answer("Heartbeat", {})
        clock.advance(seconds=60)
        await point.call("Nonsense", {})

    async def found(wanted: Wanted) -> list[str]:
        page = await journal.frames("org", "CP16", wanted=wanted)
        assert not isinstance(page, Refused)
        return [str(json.loads(item["frame"])[2]) for item in page.items]

    assert await found(Wanted(action="Heartbeat")) == ["Heartbeat"]
    assert await found(Wanted(problems=True)) == ["Nonsense"]
    assert await found(Wanted(since=clock.now(), direction="in")) == ["Nonsense"]
    before = await found(Wanted(until=clock.now(), direction="in"))
    assert before == ["BootNotification", "Heartbeat"]
    assert await found(Wanted(action="%")) == []


async def test_old_frames_are_forgotten_and_new_ones_stay(
    server: Server, journal: JournalService, clock: FixedClock
) -> None:
    async with server.station() as point:
        clock.advance(seconds=3600)
        await point.answer("Heartbeat", {})
    assert await journal.forget_before(clock.now() - timedelta(minutes=1)) == 2
    assert [json.loads(line)["direction"] for line in await recorded(journal)] == ["in", "out"]


async def test_doubts_that_no_journal_can_say_are_no_difference(server: Server, sqlite_db: Database) -> None:
    """About the badge, and about so little energy that it may be in kWh."""
    async with server.station() as point:
        begun = {"connectorId": 1, "idTag": "NOBODY", "meterStart": 361, "timestamp": "2026-11-21T06:00:00Z"}
        number = (await point.answer("StartTransaction", begun))["transactionId"]
        ended = {"transactionId": number, "meterStop": 368, "timestamp": "2026-11-21T07:00:00Z"}
        assert await point.answer("StopTransaction", ended) == {}
    async with sqlite_db.read("org") as reader:
        mine = charging_transactions.c.organisation_id == "org"
        review = await reader.scalar(select(charging_transactions.c.review).where(mine))
    assert review == "too_little,unknown_token"
    agreed = StationCheck(charging_station="CP16", compared=1, too_old=0, differences=())
    assert await check_stations(sqlite_db) == [agreed]


async def test_tables_and_journal_agree_until_somebody_changes_a_row(
    server: Server, sqlite_db: Database
) -> None:
    async with server.station() as point:
        await charged(point)
    agreed = StationCheck(charging_station="CP16", compared=1, too_old=0, differences=())
    assert await check_stations(sqlite_db) == [agreed]
    assert await check_stations(sqlite_db, identity="CS201") == []

    async def forge(tx: Tx) -> None:
        mine = charging_transactions.c.organisation_id == "org"
        await tx.execute(update(charging_transactions).where(mine).values(energy_wh=4000))

    await sqlite_db.write("org", forge)
    (check,) = await check_stations(sqlite_db)
    assert check.differences == ("1: energy_wh is 4000, the journal says 5000",)


async def test_charge_older_than_the_journal_is_not_judged(
    server: Server, sqlite_db: Database, journal: JournalService, clock: FixedClock
) -> None:
    async with server.station() as point:
        await charged(point)
        clock.advance(seconds=3600)
        await point.answer("Heartbeat", {})
    await journal.forget_before(clock.now())
    unknown = StationCheck(charging_station="CP16", compared=0, too_old=1, differences=())
    assert await check_stations(sqlite_db) == [unknown]


async def test_recording_played_again_gets_the_same_answers(
    server: Server, sqlite_db: Database, journal: JournalService
) -> None:
    async with server.station() as point:
        await charged(point)
    recording = read_recording(await recorded(journal))
    assert [said.action for said in recording] == ["BootNotification", "StartTransaction", "StopTransaction"]
    later = [
        said
        async for said in replay(
            [said for said in recording if said.action != "StopTransaction"],
            url=server.url,
            identity="CP16",
            version=Version.V16,
            password=SECRET,
        )
    ]
    assert [said.difference for said in later] == [None, None]


async def test_answers_that_differ_are_told(server: Server, journal: JournalService) -> None:
    async with server.station() as point:
        await charged(point)
    lines = [line.replace("04A1B2C3", "FFFF") for line in await recorded(journal)]
    played = [
        said.difference
        async for said in replay(
            read_recording(lines), url=server.url, identity="CP16", version=Version.V16, password=SECRET
        )
    ]
    changed = 'StartTransaction: {"idTagInfo": {"status": "Invalid"}} instead of {"idTagInfo": '
    assert played[0] is None
    assert (played[1] or "").startswith(changed)


async def test_recording_for_another_version_is_told_as_errors(
    server: Server, journal: JournalService
) -> None:
    async with server.station() as point:
        await charged(point)
    played = [
        said.difference
        async for said in replay(
            read_recording(await recorded(journal)),
            url=server.url,
            identity="CS201",
            version=Version(V201),
            password=SECRET,
        )
    ]
    assert (played[1] or "").startswith("StartTransaction: CALLERROR NotImplemented instead of CALLRESULT")


async def test_stranger_is_not_let_in_to_replay(server: Server) -> None:
    playing = replay([], url=server.url, identity="CP16", version=Version.V16, password="no")
    with pytest.raises(FieldError, match="no connection"):
        await anext(playing)


def test_line_that_is_no_frame_is_named() -> None:
    with pytest.raises(FieldError, match="line 2: no frame of a journal"):
        read_recording(['{"direction": "in", "frame": "[]"}', "nonsense"])
