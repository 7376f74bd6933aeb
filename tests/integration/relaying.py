"""A central system whose stations have second backends, for the tests of relays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from supervision.clock import Clock
from supervision.csms.commands import CommandService
from supervision.csms.registry import Registry
from supervision.csms.relay.model import Owner, Patience
from supervision.csms.relay.opinions import Opinions
from supervision.csms.relay.sealing import Sealer
from supervision.csms.relay.service import RelayService, Wish
from supervision.ocpp_relay import Relays
from supervision.store.db import Database
from tests.integration.ocpp_client import Server, central_system

KEY = bytes(range(32))
PATIENT = Patience(poll_s=0.05)
SOON_TIRED = Patience(poll_s=0.05, answer_s=1)


class Relaying:
    """The server with its relays."""

    def __init__(self, db: Database, server: Server, relays: RelayService) -> None:
        self._db = db
        self.server = server
        self.relays = relays

    async def begin(self, identity: str, url: str, *, known_as: str | None = None, **wish: Any) -> None:
        """Set up a second backend of an organisation's station."""
        wanted = Wish(url=url, identity=known_as, **wish)
        made = await self.relays.save("org", identity, wanted, by_person_id="m1")
        assert isinstance(made, dict), made

    async def state(self, identity: str) -> dict[str, Any]:
        """How the relay of a station stands."""
        found = await self.relays.document("org", identity)
        assert isinstance(found, dict)
        relay: dict[str, Any] = found["relay"]
        return relay

    async def becomes(self, identity: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until the state of a relay is like that, and return it."""
        with self._db.changes.subscribe() as changes:
            while not holds(state := await self.state(identity)):
                await changes.take()
        return state

    async def settled(self, identity: str) -> dict[str, Any]:
        """Wait until everything the station has said is dealt with."""
        return await self.becomes(
            identity, lambda state: state["connected_at"] is not None and state["waiting"] == 0
        )

    async def troubled(self, identity: str, *troubles: str) -> dict[str, Any]:
        """Wait until one of these went wrong."""
        return await self.becomes(identity, lambda state: state["error"] in troubles)


@asynccontextmanager
async def relaying_system(
    db: Database,
    clock: Clock,
    *,
    hosts: str = "127.0.0.1",
    wait_s: float = 5,
    patience: Patience = PATIENT,
    **options: Any,
) -> AsyncIterator[Relaying]:
    """Run a central system with its relays."""
    registry = Registry()
    commands = CommandService(db=db, clock=clock, registry=registry)
    opinions = Opinions(db, clock, wait_s=wait_s)
    service = RelayService(db=db, clock=clock, sealer=Sealer(KEY), hosts=hosts)
    relays = Relays(
        db=db,
        clock=clock,
        service=service,
        commands=commands,
        opinions=opinions,
        patience=patience,
        draw=lambda: 0.5,
    )
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(relays.run())
        async with central_system(
            db, clock, registry=registry, commands=commands, opinions=opinions, **options
        ) as server:
            yield Relaying(db, server, service)
        running.cancel()


__all__ = ["Owner", "Relaying", "relaying_system"]
