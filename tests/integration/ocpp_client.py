"""A charge point for tests: real websocket, one outstanding CALL, an answer to every CALL it gets."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from supervision.chance import new_bytes
from supervision.csms import credentials
from supervision.csms.authorising import BadgeAuthoriser, IdTokenAuthoriser
from supervision.csms.commands import CommandService
from supervision.csms.registry import Registry
from supervision.csms.service import CentralService
from supervision.ocpp_cs import CentralSystem
from supervision.store.db import Database, Tx
from tests import factories

SECRET = "0123456789abcdef0123"
V16, V201 = "ocpp1.6", "ocpp2.0.1"
Responder = Callable[[str, dict[str, Any]], dict[str, Any] | None]


def basic(identity: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{identity}:{secret}".encode()).decode()}


class ChargePoint:
    """`commands` holds the CALLs received; `respond` answers them, None meaning "stay silent"."""

    def __init__(self, socket: ClientConnection, respond: Responder) -> None:
        self.socket = socket
        self.commands: list[list[Any]] = []
        self._respond = respond
        self._waiting: dict[str | int, asyncio.Future[list[Any]]] = {}
        self._count = 0

    async def read(self) -> None:
        try:
            async for text in self.socket:
                await self._take(json.loads(text))
        except websockets.ConnectionClosed:
            return

    async def _take(self, message: list[Any]) -> None:
        if message[0] != 2:
            waiting = self._waiting.pop(message[1], None)
            if waiting is not None:
                waiting.set_result(message)
            return
        self.commands.append(message)
        answer = self._respond(message[2], message[3])
        if answer is not None:
            await self.socket.send(json.dumps([3, message[1], answer]))

    async def call(self, action: str, payload: dict[str, Any]) -> list[Any]:
        self._count += 1
        return await self.exchange(f"m{self._count}", json.dumps([2, f"m{self._count}", action, payload]))

    async def exchange(self, message_id: str | int, text: str) -> list[Any]:
        """Send any text; return the message that answers `message_id`."""
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting[message_id] = future
        await self.socket.send(text)
        async with asyncio.timeout(20):
            return await future

    async def answer(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Call and return the payload of the CALLRESULT."""
        kind, _, *rest = await self.call(action, payload)
        assert kind == 3, rest
        answer: dict[str, Any] = rest[0]
        return answer


def accept(_action: str, _payload: dict[str, Any]) -> dict[str, Any]:
    return {"status": "Accepted"}


class Server:
    """A central system on a free port."""

    def __init__(self, central: CentralSystem, url: str) -> None:
        self.central = central
        self.commands = central.service.commands
        self.url = url

    @asynccontextmanager
    async def station(
        self,
        identity: str = "CP16",
        protocol: str = V16,
        *,
        secret: str = SECRET,
        respond: Responder = accept,
        boot: bool | None = True,
    ) -> AsyncIterator[ChargePoint]:
        """Dial and boot; with False only send a Heartbeat, with None send nothing yet."""
        async with connect(
            f"{self.url}/{identity}",
            subprotocols=[websockets.Subprotocol(protocol)],
            additional_headers=basic(identity, secret),
            proxy=None,
        ) as socket:
            point = ChargePoint(socket, respond)
            async with asyncio.TaskGroup() as tasks:
                reader = tasks.create_task(point.read())
                if boot:
                    await point.answer("BootNotification", boot_payload(protocol))
                elif boot is not None:  # an answer proves that the server has taken up the socket
                    await point.answer("Heartbeat", {})
                yield point
                reader.cancel()


def dial(server: Server, path: str, **options: Any) -> connect:
    """Open a socket without any client around it."""
    options.setdefault("subprotocols", [websockets.Subprotocol(V16)])
    return connect(server.url + path, proxy=None, **options)


async def refused_with(server: Server, path: str, **options: Any) -> tuple[int, bytes]:
    """Return the status and the body that refuse a handshake."""
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with dial(server, path, **options):
            raise AssertionError("the handshake was accepted")
    return refused.value.response.status_code, bytes(refused.value.response.body or b"")


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Let others run until the condition holds; ten seconds of that are a failure."""
    async with asyncio.timeout(10):
        while True:
            holds = condition()
            if holds if isinstance(holds, bool) else await holds:
                return
            await asyncio.sleep(0)


def boot_payload(protocol: str) -> dict[str, Any]:
    if protocol == V16:
        return {"chargePointVendor": "V", "chargePointModel": "M"}
    return {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}}


async def write_stations(db: Database) -> None:
    """Two stations with passwords, a manager's badge and a driver's badge."""

    async def unit(tx: Tx) -> None:
        await factories.organisation(tx)
        await factories.community(tx)
        await factories.station(tx)
        await factories.manager(tx)
        await factories.driver(tx)
        for identity in ("CP16", "CS201"):
            salt = new_bytes(16)
            await factories.charging_station(
                tx,
                identity=identity,
                evses=2,
                security_profile=1,
                password_salt=salt,
                password_hash=credentials.hash_password(salt, SECRET.encode()),
            )
        await factories.id_token(tx, token="04A1B2C3", person_id="m1")
        await factories.id_token(tx, token="D0D0D0D0", person_id="d1")
        await factories.id_token(tx, token="B10C", status="Blocked")
        await factories.id_token(tx, token="0LD", expires_at=factories.NOW)

    await db.write(factories.TESTS, unit)


@asynccontextmanager
async def central_system(
    db: Database,
    clock: Any,
    *,
    authoriser: IdTokenAuthoriser | None = None,
    registry: Registry | None = None,
    commands: CommandService | None = None,
    port: int = 0,
    **options: Any,
) -> AsyncIterator[Server]:
    registry = Registry() if registry is None else registry
    service = CentralService(
        db=db,
        clock=clock,
        authoriser=authoriser or BadgeAuthoriser(),
        registry=registry,
        commands=commands or CommandService(db=db, clock=clock, registry=registry),
        boot_interval_s=300,
    )
    central = CentralSystem(service, **{"settle_s": 0.0, **options})
    bound = socket.create_server(("127.0.0.1", port))
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(central.serve(bound, ready=ready.set))
        await ready.wait()
        host, port = bound.getsockname()
        yield Server(central, f"ws://{host}:{port}/ocpp")
        serving.cancel()
