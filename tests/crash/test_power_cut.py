"""The power fails at random instants, between and inside commits: what was answered is there, once.

    POWER_SEED=7 POWER_CUTS=500 .venv/bin/python -m pytest tests/crash/test_power_cut.py

`disk.py` keeps what would be on the platter. A cut is a copy of that, taken with the number of messages that
each station had seen confirmed just before; all copies are opened and compared afterwards.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from supervision.clock import SystemClock
from supervision.csms import credentials
from supervision.csms.frame import Version
from supervision.store.db import Database, Tx
from tests import factories
from tests.crash.disk import Disk, recorded
from tests.crash.stations import Server, Station, Station16, Station201
from tests.crash.stored import Stored
from tests.integration.ocpp_client import SECRET, central_system, write_stations
from tests.integration.rebuilt import live_and_rebuilt

SEED = int(os.environ.get("POWER_SEED", "1"))
CUTS = int(os.environ.get("POWER_CUTS", "100"))
OFTEN = 0.03  # of the changes to a file are followed by a cut
SALT = bytes(16)
KINDS = ((Station16, "CP16"), (Station16, "CP-B"), (Station201, "CS201"), (Station201, "CS-B"))

pytestmark = pytest.mark.crash


@dataclass
class Cuts:
    """The copies taken so far."""

    home: Path
    wanted: int
    stations: Sequence[Station] = ()
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))
    disk: Disk | None = None
    confirmed: list[list[int]] = field(default_factory=list)

    def moment(self) -> None:
        """Perhaps cut here; called by whichever thread writes."""
        if self.disk is None or len(self.confirmed) >= self.wanted or self.chance.random() > OFTEN:
            return
        seen = [len(station.confirmed) for station in self.stations]
        folder = self.home / str(len(self.confirmed))
        folder.mkdir()
        for name, image in self.disk.cut(self.chance).items():
            (folder / name).write_bytes(image)
        self.confirmed.append(seen)

    def losses(self) -> dict[int, list[str]]:
        """Return, for each copy, the confirmed messages that are not in it exactly once."""
        found: dict[int, list[str]] = {}
        for number, seen in enumerate(self.confirmed):
            stored = Stored(self.home / str(number) / "supervision.db")
            assert stored.rows("PRAGMA integrity_check") == [("ok",)]
            lost = []
            for station, count in zip(self.stations, seen, strict=True):
                names = [message.message_id for message in station.confirmed[:count]]
                for direction in ("in", "out"):
                    frames = stored.message_ids(station.identity, direction)
                    lost += [name for name in names if frames[name] != 1]
            if lost:
                found[number] = lost
        return found

    async def differences(self) -> dict[int, list[str]]:
        """Return, for each copy, the charges that its journal does not give as they are stored."""
        found: dict[int, list[str]] = {}
        for number in range(len(self.confirmed)):
            path = self.home / str(number) / "supervision.db"
            async with Database.open(f"sqlite:///{path}", clock=SystemClock()) as db:
                for station in self.stations:
                    live, rebuilt = await live_and_rebuilt(db, station.identity, Version(station.protocol))
                    if live != rebuilt:
                        found.setdefault(number, []).append(station.identity)
        return found


async def play(template: Path, home: Path, *, wanted: int = CUTS) -> Cuts:
    """Let four stations talk until the power has failed often enough."""
    (home / "cuts").mkdir()
    (home / "live").mkdir()
    path = home / "live" / "supervision.db"
    shutil.copyfile(template, path)
    cuts = Cuts(home / "cuts", wanted)
    disk = Disk(home / "live", cuts.moment)
    clock = SystemClock()
    with recorded(disk):
        async with Database.open(f"sqlite:///{path}", clock=clock) as db:
            await write_stations(db)
            await db.write(factories.TESTS, prepare)
            async with central_system(db, clock) as server:
                since = clock.now() - timedelta(hours=20)
                cuts.stations = [
                    kind(name, since=since, rng=random.Random(f"{SEED} {name}")) for kind, name in KINDS
                ]
                cuts.disk = disk
                async with asyncio.TaskGroup() as tasks:
                    for station in cuts.stations:
                        tasks.create_task(station.run(Server(server.url)))
                    while len(cuts.confirmed) < wanted:  # noqa: ASYNC110 - the cuts come from other threads
                        await asyncio.sleep(0.01)
                    for station in cuts.stations:
                        station.finish()
    return cuts


async def prepare(tx: Tx) -> None:
    """Two more stations."""
    for identity in ("CP-B", "CS-B"):
        await factories.charging_station(
            tx,
            identity=identity,
            security_profile=1,
            password_salt=SALT,
            password_hash=credentials.hash_password(SALT, SECRET.encode()),
        )


async def test_power_cut_loses_and_doubles_nothing(
    sqlite_template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cuts = await play(sqlite_template, tmp_path)
    messages = sum(len(station.confirmed) for station in cuts.stations)
    with capsys.disabled():
        sys.stdout.write(f"\npower: seed {SEED}, {CUTS} cuts, {messages} messages confirmed\n")
    assert len(cuts.confirmed) == CUTS
    assert cuts.disk is not None
    assert cuts.disk.syncs > CUTS / 10
    assert cuts.losses() == {}
    assert await cuts.differences() == {}


async def test_oracle_finds_what_a_careless_disk_loses(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a sync that does nothing answered messages are missing, or the file is broken."""
    monkeypatch.setattr(Disk, "synced", lambda _self, _path: None)
    cuts = await play(sqlite_template, tmp_path, wanted=10)
    with pytest.raises((AssertionError, sqlite3.DatabaseError)):
        assert cuts.losses() == {}
