"""kill -9 with commands in every state: what waited is sent afterwards, a start is not sent again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import connect

from tests.integration.ocpp_client import V16, ChargePoint, basic, until
from tests.process import BADGE, SECRET, Server, service

FIRST, SECOND = "/charging-stations/CP1/commands", "/charging-stations/CP2/commands"

# What the test orders; whatever else is asked of a station that has booted is answered at once.
ORDERED = frozenset(
    {"RemoteStartTransaction", "RemoteStopTransaction", "ChangeAvailability", "TriggerMessage"}
)
OF_ITSELF: dict[str, dict[str, Any]] = {
    "GetLocalListVersion": {"listVersion": -1},
    "GetConfiguration": {"configurationKey": [], "unknownKey": []},
}

pytestmark = pytest.mark.crash


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    server.set_up(service("CP1", "CP2"))
    server.start()
    yield server
    server.kill()


@asynccontextmanager
async def station(server: Server, identity: str, *, answers: bool) -> AsyncIterator[ChargePoint]:
    """A charge point that boots, and answers every command or none."""
    async with connect(
        f"{server.ocpp}/{identity}",
        subprotocols=[websockets.Subprotocol(V16)],
        additional_headers=basic(identity, SECRET),
        proxy=None,
    ) as socket:

        def respond(action: str, _payload: dict[str, Any]) -> dict[str, Any] | None:
            if action in ORDERED:
                return {"status": "Accepted"} if answers else None
            return OF_ITSELF.get(action, {"status": "Accepted"})

        point = ChargePoint(socket, respond)
        async with asyncio.TaskGroup() as tasks:
            reader = tasks.create_task(point.read())
            await point.answer("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
            yield point
            reader.cancel()


def ordered(point: ChargePoint) -> list[str]:
    """Ids of the commands that somebody ordered, as they came."""
    return [call[1] for call in point.commands if call[2] in ORDERED]


async def post(server: Server, path: str, action: str, payload: dict[str, Any]) -> str:
    body = {"action": action, "payload": payload, "wait": False, "expires_s": 3600}
    status, answer = await asyncio.to_thread(server.api, "POST", path, body)
    assert (status, answer["state"]) == (200, "queued")
    return str(answer["id"])


async def states(server: Server, path: str) -> dict[str, tuple[str, int]]:
    found = await asyncio.to_thread(server.items, path)
    return {one["id"]: (one["state"], one["tries"]) for one in found if one["origin"] == "api"}


async def test_only_what_may_be_repeated_is_after_the_kill(server: Server) -> None:
    async with (
        station(server, "CP1", answers=False) as first,
        station(server, "CP2", answers=False) as second,
    ):
        start = await post(server, FIRST, "RemoteStartTransaction", {"idTag": BADGE})
        question = await post(server, SECOND, "TriggerMessage", {"requestedMessage": "Heartbeat"})
        await until(lambda: len(ordered(first)) == len(ordered(second)) == 1)
        setting = await post(server, FIRST, "ChangeAvailability", {"connectorId": 0, "type": "Operative"})
        stop = await post(server, FIRST, "RemoteStopTransaction", {"transactionId": 1})
        server.kill()
    server.start()
    found = await states(server, FIRST)
    assert found == {start: ("timeout", 1), setting: ("queued", 0), stop: ("queued", 0)}
    assert await states(server, SECOND) == {question: ("queued", 1)}
    await _sent_in_their_order(server, [stop, setting])
    await _late(server, start)
    _, told = await asyncio.to_thread(server.api, "GET", f"{SECOND}/{question}")
    assert told["due_at"] is not None
    status, cancelled = await asyncio.to_thread(server.api, "POST", f"{SECOND}/{question}/cancel")
    assert (status, cancelled["state"]) == (200, "cancelled")


async def _sent_in_their_order(server: Server, waiting: list[str]) -> None:
    async with station(server, "CP1", answers=True) as point:
        await until(lambda: len(ordered(point)) == len(waiting))

        async def answered() -> bool:
            found = await states(server, FIRST)
            return {found[one] for one in waiting} == {("answered", 1)}

        await until(answered)
    assert ordered(point) == waiting


async def _late(server: Server, start: str) -> None:
    """The station answers the start after all; it counts as what it is."""
    async with station(server, "CP1", answers=True) as point:
        await point.socket.send(json.dumps([3, start, {"status": "Accepted"}]))
        await point.answer("Heartbeat", {})
    _, told = await asyncio.to_thread(server.api, "GET", f"{FIRST}/{start}")
    assert (told["state"], told["late"], told["verdict"]["awaits"]) == ("timeout", True, "charge_start")
