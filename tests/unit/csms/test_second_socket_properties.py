"""Random interleavings of sockets of one station: the newest rightful one is registered, always.

    SOCKET_INTERLEAVINGS=10000 .venv/bin/python -m pytest tests/unit/csms/test_second_socket_properties.py

The policy is the real one (`CentralSystem`, `CentralService`, `Registry`, `Outbound`); the sockets are in
memory, and the database takes a while and stores nothing, so that every pause of the real thing is there.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from supervision.clock import FixedClock
from supervision.csms.authorising import BadgeAuthoriser
from supervision.csms.frame import Version
from supervision.csms.link import LinkClosedError, Peer, Take
from supervision.csms.outbound import CommandState
from supervision.csms.registry import Connection, Registry
from supervision.csms.service import CentralService
from supervision.csms.store import Station
from supervision.ocpp_cs import CentralSystem, Refusal
from supervision.store.db import Database
from tests.conftest import NOW

INTERLEAVINGS = int(os.environ.get("SOCKET_INTERLEAVINGS", "1000"))
HERE, ELSEWHERE = "192.0.2.1", "198.51.100.7"
STATION = Station(identity="CP", organisation_id="org", station_id="st")


class Watched(Registry):
    """The real registry, and who entered and left it."""

    def __init__(self) -> None:
        super().__init__()
        self.entered: list[Connection] = []
        self.left: list[Connection] = []

    def put(self, connection: Connection) -> Connection | None:
        replaced = super().put(connection)
        assert replaced is None or replaced is self.newest()
        self.entered.append(connection)
        self.check()
        return replaced

    def remove(self, connection: Connection) -> bool:
        removed = super().remove(connection)
        self.left.append(connection)
        self.check()
        return removed

    def newest(self) -> Connection | None:
        return self.entered[-1] if self.entered else None

    def check(self) -> None:
        """The newest is registered until it leaves itself; nobody else's end takes it away."""
        newest = self.newest()
        assert len(self) <= 1
        assert self.get("CP") is (None if newest in self.left else newest)


class MemoryLink:
    """A socket in memory: closes late, answers pings or not, keeps what it was sent."""

    def __init__(self, address: str, *, lives: bool, pause: Callable[[], Any]) -> None:
        self.peer = Peer(address=address)
        self.sent: list[str] = []
        self.codes: list[int] = []
        self._lives = lives
        self._pause = pause
        self._closed = asyncio.Event()

    async def recv(self) -> str:
        await self._closed.wait()
        await self._pause()
        raise LinkClosedError

    def listen(self, take: Take | None) -> None:
        """It never offers any text."""

    async def send(self, text: str) -> None:
        if self._closed.is_set():
            raise LinkClosedError
        self.sent.append(text)

    async def close(self, code: int, reason: str) -> None:
        await self._pause()
        self.codes.append(code)
        self._closed.set()

    async def alive(self, timeout_s: float) -> bool:
        await self._pause()
        return self._lives and not self._closed.is_set()


class SlowDatabase:
    """Every commit takes a while; nothing is stored."""

    is_sqlite = True

    def __init__(self, pause: Callable[[], Any]) -> None:
        self._pause = pause

    insert = Database.insert

    def prepare(self, _statement: object, *names: str) -> Any:
        return SimpleNamespace(names=names, arrange=lambda *_names: tuple)

    def prepare_query(self, _statement: object, **_options: object) -> None:
        return None

    async def write(self, _scope: object, _unit: object) -> None:
        await self._pause()


class Commands:
    """Commands are put on the socket by the test itself."""

    def __init__(self, pause: Callable[[], Any]) -> None:
        self._pause = pause

    async def connected(self, _connection: Connection) -> None:
        await self._pause()

    async def sending(self, _connection: Connection, call: Any, _hot: object) -> str:
        await self._pause()
        return str(call.command_id)


class World:
    """One station, one central system, and chance."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.registry = Watched()
        db: Any = SlowDatabase(self.pause)
        commands: Any = Commands(self.pause)
        service = CentralService(
            db=db,
            clock=FixedClock(NOW),
            authoriser=BadgeAuthoriser(),
            registry=self.registry,
            commands=commands,
            boot_interval_s=300,
        )
        self.central = CentralSystem(service, settle_s=0.0)
        self.links: list[MemoryLink] = []
        self.refused = 0

    async def pause(self) -> None:
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            self.central._tasks = tasks
            for _ in range(self.chance.randint(2, 4)):
                tasks.create_task(self.come())
                await self.pause()
            await self.command()
            for _ in range(6):
                await self.pause()
            for _ in range(100):  # until all have left
                for link in [one for one in self.links if not one.codes]:
                    await link.close(1001, "gone")
                    await self.pause()
                await asyncio.sleep(0)
                if all(link.codes for link in self.links) and not len(self.registry):
                    break
        self.registry.check()
        assert self.registry.get("CP") is None

    async def come(self) -> None:
        """A socket with the right password, from either address; it may end by itself."""
        address = self.chance.choice((HERE, ELSEWHERE))
        before = self.registry.get("CP")
        try:
            await self.central._yield_to_living("CP", address)
        except Refusal:
            self.refused += 1
            assert before is not None
            assert before.link.peer.address != address
            return
        link = MemoryLink(address, lives=self.chance.random() < 0.5, pause=self.pause)
        self.links.append(link)
        await self.central.attend(STATION, Version.V16, link)

    async def command(self) -> None:
        """A CALL bound to the socket of now: sent there or told offline, never on another socket."""
        connection = self.registry.get("CP")
        if connection is None:
            return
        connection.outbound.open()
        done = connection.outbound.put(command_id="c1", action="Reset", payload={}, timeout_s=60)
        for _ in range(3):
            await self.pause()
        others = [one for one in self.links if one is not connection.link]
        assert [text for one in others for text in one.sent] == []
        if connection is not self.registry.get("CP"):
            assert (await done).state is CommandState.OFFLINE


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, logger="supervision.ocpp_cs")


async def test_newest_rightful_socket_is_registered_in_every_interleaving() -> None:
    entered = refused = 0
    for seed in range(INTERLEAVINGS):
        world = World(seed)
        await world.run()
        entered += len(world.registry.entered)
        refused += world.refused
    assert entered > INTERLEAVINGS
    assert refused > INTERLEAVINGS / 20  # living sockets of another address were respected


async def test_registry_that_forgets_whose_socket_ends_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The classic fault: the end of any socket of a station removes the entry."""

    def careless(self: Registry, connection: Connection) -> bool:
        return self._live.pop(connection.station.identity, None) is not None

    monkeypatch.setattr(Registry, "remove", careless)
    found = 0
    for seed in range(100):
        try:
            await World(seed).run()
        except* AssertionError:
            found += 1
    assert found > 10
