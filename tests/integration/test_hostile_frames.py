"""57 hostile frames in both versions: each has one stated outcome, and the station's charges are safe."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select
from websockets.asyncio.client import ClientConnection

from supervision.clock import FixedClock
from supervision.store.db import Database
from supervision.store.schema import charging_transactions, frames
from tests import factories
from tests.integration import hostile
from tests.integration.ocpp_client import (
    SECRET,
    V16,
    V201,
    Server,
    basic,
    boot_payload,
    central_system,
    dial,
    until,
    write_stations,
)

FRAMES = hostile.load()
STATED = (Path(__file__).parents[2] / "docs" / "ocpp.md").read_text(encoding="utf-8")
STATIONS = pytest.mark.parametrize(("identity", "protocol"), [("CP16", V16), ("CS201", V201)])


@pytest.fixture
async def server(sqlite_db: Database, clock: FixedClock) -> AsyncIterator[Server]:
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, clock, rate_per_s=1_000_000) as running:
        yield running


@asynccontextmanager
async def connected(
    server: Server, identity: str, protocol: str, *, boot: bool
) -> AsyncIterator[ClientConnection]:
    async with dial(
        server,
        f"/{identity}",
        subprotocols=[protocol],
        additional_headers=basic(identity, SECRET),
        max_size=None,
    ) as socket:
        if boot:
            await hostile.call(socket, "BootNotification", boot_payload(protocol))
        yield socket


def test_there_are_57_and_each_close_is_a_policy_that_the_documents_state() -> None:
    assert len({frame.name for frame in FRAMES}) == 57
    stated = {frame.name: frame.row["policy"] in STATED for frame in FRAMES if "closed" in frame.row}
    assert [name for name, found in stated.items() if not found] == []


@pytest.mark.parametrize("boot", [True, False], ids=["booted", "before boot"])
@STATIONS
async def test_each_frame_has_its_one_outcome(
    server: Server, identity: str, protocol: str, boot: bool
) -> None:
    found = await hostile.play_all(lambda: connected(server, identity, protocol, boot=boot), FRAMES, protocol)
    assert found == {frame.name: frame.expected(protocol) for frame in FRAMES}
    await until(lambda: not server.central.connected(identity))


@STATIONS
async def test_no_transaction_message_is_answered_with_an_error_and_each_is_kept(
    server: Server, sqlite_db: Database, identity: str, protocol: str
) -> None:
    carrying = [frame for frame in FRAMES if frame.carries_transaction and "closed" not in frame.row]
    found = await hostile.play_all(
        lambda: connected(server, identity, protocol, boot=False), carrying, protocol
    )
    told = [answer for outcome in found.values() for _, answer in outcome.answers]
    assert len(told) == len(carrying)
    assert [answer for answer in told if not answer.startswith("{")] == []  # a payload, not an error's code
    async with sqlite_db.read(factories.TESTS) as reader:
        kept = {row["frame"] for row in await reader.all(select(frames.c.frame))}
        energies = [row["energy_wh"] for row in await reader.all(select(charging_transactions.c.energy_wh))]
    texts = [frame.message(protocol) for frame in carrying]
    assert [text for text in texts if text not in kept] == []
    assert [energy for energy in energies if energy] == []


@STATIONS
async def test_all_frames_on_one_socket_leave_nothing_behind(
    server: Server, sqlite_db: Database, identity: str, protocol: str
) -> None:
    staying = [frame for frame in FRAMES if "closed" not in frame.row]
    async with server.station(identity, protocol) as point:
        tasks = asyncio.all_tasks()
        for frame in staying:
            await frame.send(point.socket, protocol)
        assert "currentTime" in await point.answer("Heartbeat", {})
        connection = server.central.registry.get(identity)
        assert connection is not None
        assert len(connection.violations) < 40
        assert connection.unsolicited == 2
        assert asyncio.all_tasks() <= tasks
    await until(lambda: not server.central.connected(identity))
    async with sqlite_db.read(factories.TESTS) as reader:
        incoming = await reader.scalar(select(func.count()).where(frames.c.direction == "in"))
    assert incoming == len(staying) + 2  # every one is in the journal, with the boot and the Heartbeat
