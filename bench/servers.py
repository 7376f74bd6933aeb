"""The servers under measurement; each prints its port and serves until it is killed.

python -m bench.servers stock|echo|durable|central STATIONS DIRECTORY
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.enums import Action
from sqlalchemy import insert
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from bench.load import SECRET, identity, many_files
from supervision.app import spare_the_collector
from supervision.chance import new_bytes
from supervision.clock import SystemClock
from supervision.csms import credentials
from supervision.csms.authorising import BadgeAuthoriser
from supervision.csms.commands import CommandService
from supervision.csms.registry import Registry
from supervision.csms.service import CentralService
from supervision.log import configure
from supervision.ocpp_cs import CentralSystem
from supervision.store import schema
from supervision.store.db import Database, Tx, across_tenants
from supervision.store.migrate import migrate

OCPP16 = [Subprotocol("ocpp1.6")]


def announce(port: int) -> None:
    """Tell the measuring process where to connect."""
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


async def for_ever(handler: Any) -> None:
    """Serve a handler of the `websockets` library as its documentation shows."""
    async with serve(handler, "127.0.0.1", 0, subprotocols=OCPP16) as server:
        announce(next(iter(server.sockets)).getsockname()[1])
        await asyncio.get_running_loop().create_future()


class StockChargePoint(ChargePoint):  # type: ignore[misc]
    """The central system of the `ocpp` package's own example, which stores nothing."""

    @on(Action.meter_values)  # type: ignore[untyped-decorator]
    def on_meter_values(self, **_: Any) -> call_result.MeterValues:
        """Accept."""
        return call_result.MeterValues()


async def stock() -> None:
    """Serve with the `ocpp` package as it comes."""

    async def handler(connection: ServerConnection) -> None:
        name = connection.request.path.rpartition("/")[2] if connection.request else ""
        with suppress(ConnectionClosed):  # the load ends by dropping its sockets
            await StockChargePoint(name, connection).start()

    await for_ever(handler)


async def echo() -> None:
    """Parse every message and answer it, nothing more."""

    async def handler(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            async for text in connection:
                message = json.loads(text)
                await connection.send(json.dumps([3, message[1], {}]))

    await for_ever(handler)


async def durable(stations: int, directory: Path, **limits: Any) -> None:
    """Serve with our central system on a file of its own; every answer follows its commit."""
    url, clock = f"sqlite:///{directory / 'bench.db'}", SystemClock()
    await migrate(url)
    async with Database.open(url, clock=clock) as db:
        await db.write(across_tenants("the bench sets up its service"), lambda tx: register(tx, stations))
        registry = Registry()
        service = CentralService(
            db=db,
            clock=clock,
            authoriser=BadgeAuthoriser(),
            registry=registry,
            commands=CommandService(db=db, clock=clock, registry=registry),
            boot_interval_s=300,
        )
        central = CentralSystem(service, **limits)
        bound = socket.create_server(("127.0.0.1", 0), backlog=1024)
        port = bound.getsockname()[1]
        spare_the_collector()
        await central.serve(bound, ready=lambda: announce(port))


async def register(tx: Tx, stations: int) -> None:
    """Write a tenant with `stations` charging stations that know the bench's password."""
    at = SystemClock().now()
    tenant = {"organisation_id": "org"}
    await tx.execute(insert(schema.organisations).values(id="org", name="Bench", created_at=at))
    await tx.execute(insert(schema.communities).values(id="com", name="Bench", **tenant))
    place = {"id": "st", "community_id": "com", "name": "Bench", "grid_limit_a": [64, 64, 64]}
    await tx.execute(insert(schema.stations).values(**place, **tenant))
    salt = new_bytes(16)
    hashed = credentials.hash_password(salt, SECRET.encode())
    names = [identity(number) for number in range(stations)]
    known = {"station_id": "st", "password_salt": salt, "password_hash": hashed, **tenant}
    await tx.execute(insert(schema.charging_stations), [{"identity": name, **known} for name in names])
    evse = {"evse_id": 1, "kind": "ac22", "phases": [1, 2, 3], "max_a": 32.0, "min_a": 6.0, **tenant}
    await tx.execute(insert(schema.evses), [{"charging_station": name, **evse} for name in names])


def main() -> None:
    """Serve what the first argument names."""
    name, stations, directory = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    configure("ERROR")
    many_files()
    if name == "durable":
        # The flood limit of one station is lifted: here few stations stand for many.
        asyncio.run(durable(stations, directory, rate_per_s=1e9))
    elif name == "central":
        asyncio.run(durable(stations, directory))
    else:
        asyncio.run({"stock": stock, "echo": echo}[name]())


if __name__ == "__main__":
    main()
