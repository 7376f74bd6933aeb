"""kill -9 of the server at random instants under load: what a station saw confirmed is there, once.

    CRASH_SEED=7 CRASH_KILLS=500 .venv/bin/python -m pytest tests/crash      another run, a longer run
    CRASH_KILLS=200 CRASH_MESSAGES=700 ...                                   the full matrix: 10 000 charges

The stations' own log of answers is the oracle; the database, read after the last restart, is compared
with it. The seed decides the instants and what the stations send, not how the machine interleaves them.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sqlite3
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from supervision.clock import SystemClock
from supervision.csms.frame import Version
from supervision.kernel.timespan import parse_instant, to_millis
from supervision.store.db import Database
from tests import process
from tests.crash.stations import Charge, Server, Station, Station16, Station201
from tests.crash.stored import Stored
from tests.integration.rebuilt import live_and_rebuilt

SEED = int(os.environ.get("CRASH_SEED", "1"))
KILLS = int(os.environ.get("CRASH_KILLS", "50"))
STATIONS = 4  # of each version
# Confirmed in the life of one server; the fewest are none: killed as soon as it is ready.
MOST_MESSAGES = int(os.environ.get("CRASH_MESSAGES", "60"))
LAST_WAIT_S = 0.02  # so that the end does not always follow a confirmation

pytestmark = pytest.mark.crash


class Nursery:
    """The process that starts and kills servers."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def tell(self, order: str) -> dict[str, Any]:
        """Give an order and return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{order}\n".encode())
        async with asyncio.timeout(60):
            line = await self._process.stdout.readline()
        assert line, f"the nursery ended at {order!r}"
        told: dict[str, Any] = json.loads(line)
        return told


@asynccontextmanager
async def nursery(home: Path) -> AsyncIterator[Nursery]:
    """Run the nursery for the data directory `home`; its servers log there."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SUPERVISION_", "COVERAGE_"))
    }
    storage = ["--data", str(home), "--database", f"sqlite:///{home}/supervision.db"]
    with (home / "server.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.crash.nursery", "serve"),
            *(*storage, "--http", "127.0.0.1:0", "--ocpp", "127.0.0.1:0"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env=kept,
        )
    try:
        yield Nursery(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()


async def torment(running: Nursery, server: Server, stations: Sequence[Station], rng: random.Random) -> None:
    """Start and kill the server KILLS times, then start it a last time."""
    for _ in range(KILLS):
        server.url = (await running.tell("start"))["ocpp"]
        await confirmations(stations, rng.randint(0, MOST_MESSAGES))
        await asyncio.sleep(rng.uniform(0, LAST_WAIT_S))
        server.url = None
        assert await running.tell("kill") == {"ended": -9}
    server.url = (await running.tell("start"))["ocpp"]


async def confirmations(stations: Sequence[Station], more: int) -> None:
    """Wait until so many more messages are confirmed, over all stations."""

    def confirmed() -> int:
        return sum(len(station.confirmed) for station in stations)

    wanted = confirmed() + more
    async with asyncio.timeout(60):
        while confirmed() < wanted:  # noqa: ASYNC110 - eight stations would ring one bell for nothing
            await asyncio.sleep(0.001)


async def load(home: Path, stations: Sequence[Station], rng: random.Random) -> None:
    """Let every station talk while the server is killed, and come to its end with the last server."""
    server = Server()
    async with nursery(home) as running:
        async with asyncio.TaskGroup() as tasks:
            for station in stations:
                tasks.create_task(station.run(server))
            await torment(running, server, stations, rng)
            for station in stations:
                station.finish()
        assert await running.tell("stop") == {"ended": 0}


def expected(charge: Charge) -> tuple[str, int, int, int, str]:
    """Return the row that a fully confirmed charge must have."""
    assert charge.meter_stop_wh is not None
    energy_wh = charge.meter_stop_wh - charge.meter_start_wh
    return (charge.name, charge.meter_start_wh, charge.meter_stop_wh, energy_wh, "ended")


def check(stored: Stored, station: Station) -> None:
    """Compare what a station saw confirmed with what is stored."""
    assert stored.charges(station.identity) == [expected(charge) for charge in station.charges]
    registers = stored.registers(station.identity)
    for charge in station.charges:
        for at, meter_wh in charge.samples:
            assert registers[to_millis(parse_instant(at)), meter_wh] == 1
    confirmed = [message.message_id for message in station.confirmed]
    for direction in ("in", "out"):
        frames = stored.message_ids(station.identity, direction)
        assert [name for name in confirmed if frames[name] != 1] == []


def check_all(stored: Stored, stations: Sequence[Station]) -> None:
    """Compare every station."""
    for station in stations:
        check(stored, station)


async def test_kill_9_loses_and_doubles_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(SEED)
    since = SystemClock().now() - timedelta(hours=20)
    kinds = [(Station16, f"CP16-{n}") for n in range(STATIONS)] + [
        (Station201, f"CS201-{n}") for n in range(STATIONS)
    ]
    prepared = process.Server(tmp_path)
    prepared.set_up(process.service(*(name for _, name in kinds)))
    stations = [kind(name, since=since, rng=random.Random(f"{SEED} {name}")) for kind, name in kinds]

    await load(tmp_path, stations, rng)

    with capsys.disabled():
        sys.stdout.write(f"\ncrash: seed {SEED}, {KILLS} kills, {figures(stations)}\n")
    stored = Stored(tmp_path / "supervision.db")
    assert stored.rows("PRAGMA integrity_check") == [("ok",)]
    assert stored.rows("PRAGMA foreign_key_check") == []
    check_all(stored, stations)
    assert "Traceback" not in prepared.log()
    assert sum(one.repeated for one in stations) > KILLS / 2, "the kills must have hit messages on their way"
    assert await differences(tmp_path / "supervision.db", stations) == []
    for planted in PLANTED:
        assert_found(stored, planted, stations)


def figures(stations: Sequence[Station]) -> str:
    """Say in one line what was played."""
    charges = [charge for station in stations for charge in station.charges]
    energy_wh = sum((charge.meter_stop_wh or 0) - charge.meter_start_wh for charge in charges)
    counted = {
        "stations": len(stations),
        "charges": len(charges),
        "Wh": energy_wh,
        "messages confirmed": sum(len(one.confirmed) for one in stations),
        "repeated after a kill or a broken line": sum(one.repeated for one in stations),
        "sent twice": sum(one.doubled for one in stations),
        "charges out of order": sum(one.shuffled for one in stations),
        "lines broken": sum(one.breaks for one in stations),
    }
    return ", ".join(f"{number} {name}" for name, number in counted.items())


async def differences(path: Path, stations: Sequence[Station]) -> list[str]:
    """Return the charging transactions that the journal alone does not give as they are stored."""
    async with Database.open(f"sqlite:///{path}", clock=SystemClock()) as db:
        found = []
        for station in stations:
            live, rebuilt = await live_and_rebuilt(db, station.identity, Version(station.protocol))
            found += [key for key in live.keys() | rebuilt.keys() if live.get(key) != rebuilt.get(key)]
    return found


PLANTED = (
    # Every copy of it: some messages are sent twice, and one of two is no loss.
    "DELETE FROM frames WHERE direction = 'in'"
    " AND frame = (SELECT frame FROM frames WHERE direction = 'in' ORDER BY id DESC LIMIT 1)",
    "DELETE FROM meter_values WHERE readings LIKE '%Sample.Periodic%'",
    "UPDATE charging_transactions SET meter_stop_wh = meter_stop_wh + 1",
    "INSERT INTO frames (organisation_id, charging_station, at, direction, frame)"
    " SELECT organisation_id, charging_station, at, direction, frame FROM frames WHERE direction = 'out'",
)


def assert_found(stored: Stored, planted: str, stations: Sequence[Station]) -> None:
    """The oracle is worth something: it finds a loss or a double planted in the database."""
    spoilt = stored.copy()
    with closing(sqlite3.connect(spoilt.path, isolation_level=None)) as connection:
        assert connection.execute(planted).rowcount > 0
    with pytest.raises(AssertionError):
        check_all(spoilt, stations)
