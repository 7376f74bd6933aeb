"""A second backend: keeps charges as any central system does, and fails on demand.

    async with second_backend() as backend:
        backend.faults["StopTransaction"] = [Fault.SILENT, Fault.ERROR]   # the next two, then all is well

Every charge it holds is told by `charges`: its own id -> what it was told. It knows a repeated start by
connector, badge, register and time, as OCPP 1.6 3.7.1 wants.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum, auto
from typing import Any

import websockets
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

Payload = dict[str, Any]


class Fault(Enum):
    """What happens to one message."""

    SILENT = auto()  # taken, never answered
    ERROR = auto()  # CALLERROR InternalError
    WRONG_ID = auto()  # answered under another message id
    CLOSE = auto()  # the line is cut before the answer, and the message was not taken
    CLOSE_AFTER = auto()  # the message was taken and the line is cut before the answer
    NONSENSE = auto()  # a CALLRESULT no schema knows


class SecondBackend:
    """`calls` are the CALLs it took, in order, with repetitions."""

    def __init__(self) -> None:
        self.url = ""
        self.faults: defaultdict[str, list[Fault]] = defaultdict(list)
        self.boot_answers: list[Payload] = []  # the next ones; then Accepted
        self.badges: dict[str, Payload] = {}  # idTag -> idTagInfo or idTokenInfo, without: Accepted
        self.cost: float | None = None
        self.delay = asyncio.Event()  # set: answers leave at once
        self.delay.set()
        self.calls: list[tuple[str, str, Payload]] = []
        self.handshakes: list[Request] = []
        self._asked: dict[str, asyncio.Future[list[Any]]] = {}
        self.charges: dict[int | str, list[tuple[str, Payload]]] = {}
        self._starts: dict[tuple[object, ...], int] = {}
        self._socket: ServerConnection | None = None

    def actions(self) -> list[str]:
        """The actions of what was taken, without heartbeats."""
        return [action for _, action, _ in self.calls if action != "Heartbeat"]

    def told(self, action: str) -> list[Payload]:
        """The payloads of one action."""
        return [payload for _, name, payload in self.calls if name == action]

    async def ask(self, message_id: str, action: str, payload: Payload) -> list[Any]:
        """Send a CALL over the open line and return what answers it."""
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._asked[message_id] = answer
        await self.send(message_id, action, payload)
        return await answer

    async def send(self, message_id: str, action: str, payload: Payload) -> None:
        """Send a CALL over the open line."""
        assert self._socket is not None
        await self._socket.send(json.dumps([2, message_id, action, payload]))

    async def cut(self) -> None:
        """Cut the line."""
        if self._socket is not None:
            self._socket.transport.abort()
            await self._socket.wait_closed()

    async def serve(self, socket: ServerConnection) -> None:
        """Attend one line."""
        self._socket = socket
        try:
            async for text in socket:
                await self._take(socket, json.loads(text))
        except websockets.ConnectionClosed:
            return

    def note(self, _socket: ServerConnection, request: Request) -> Response | None:
        """Keep the handshake."""
        self.handshakes.append(request)
        return None

    async def _take(self, socket: ServerConnection, message: list[Any]) -> None:
        if message[0] != 2:
            self._asked.pop(message[1]).set_result(message)
            return
        _, message_id, action, payload = message
        waiting = self.faults[action]
        fault = waiting.pop(0) if waiting else None
        if fault is Fault.CLOSE:
            socket.transport.abort()
            return
        self.calls.append((message_id, action, payload))
        if fault is Fault.ERROR:
            await socket.send(json.dumps([4, message_id, "InternalError", "on demand", {}]))
            return
        answer = self._answer(action, payload)
        await self.delay.wait()
        if fault is Fault.CLOSE_AFTER:
            socket.transport.abort()
        elif fault is Fault.NONSENSE:
            await socket.send(json.dumps([3, message_id, {"nonsense": True}]))
        elif fault is Fault.WRONG_ID:
            await socket.send(json.dumps([3, f"not-{message_id}", answer]))
        elif fault is not Fault.SILENT:
            await socket.send(json.dumps([3, message_id, answer]))

    # --- what it does with messages -----------------------------------------------------------------------

    def _answer(self, action: str, payload: Payload) -> Payload:
        known: dict[str, Callable[[Payload], Payload]] = {
            "BootNotification": self._boot,
            "Authorize": self._authorize,
            "StartTransaction": self._start,
            "StopTransaction": self._stop,
            "TransactionEvent": self._event,
            "Heartbeat": lambda _: {"currentTime": "2026-11-21T08:00:00Z"},
        }
        return known.get(action, self._other)(payload)

    def _boot(self, _payload: Payload) -> Payload:
        answer = self.boot_answers.pop(0) if self.boot_answers else {"status": "Accepted", "interval": 300}
        return {"currentTime": "2026-11-21T08:00:00Z", **answer}

    def _badge(self, payload: Payload) -> Payload:
        token = payload.get("idTag") or payload.get("idToken", {}).get("idToken", "")
        return self.badges.get(token, {"status": "Accepted"})

    def _authorize(self, payload: Payload) -> Payload:
        field = "idTagInfo" if "idTag" in payload else "idTokenInfo"
        return {field: self._badge(payload)}

    def _start(self, payload: Payload) -> Payload:
        key = tuple(payload.get(name) for name in ("connectorId", "idTag", "meterStart", "timestamp"))
        number = self._starts.setdefault(key, 7000 + len(self._starts))
        self.charges.setdefault(number, []).append(("StartTransaction", payload))
        return {"transactionId": number, "idTagInfo": self._badge(payload)}

    def _stop(self, payload: Payload) -> Payload:
        self.charges.setdefault(payload["transactionId"], []).append(("StopTransaction", payload))
        return {"idTagInfo": self._badge(payload)} if "idTag" in payload else {}

    def _event(self, payload: Payload) -> Payload:
        number = payload["transactionInfo"]["transactionId"]
        self.charges.setdefault(number, []).append((payload["eventType"], payload))
        answer: Payload = {"idTokenInfo": self._badge(payload)} if "idToken" in payload else {}
        if payload["eventType"] == "Ended" and self.cost is not None:
            answer["totalCost"] = self.cost
        return answer

    def _other(self, payload: Payload) -> Payload:
        if "transactionId" in payload and "meterValue" in payload:
            self.charges.setdefault(payload["transactionId"], []).append(("MeterValues", payload))
        return {}


@asynccontextmanager
async def second_backend() -> AsyncIterator[SecondBackend]:
    """Listen on a free port."""
    backend = SecondBackend()
    async with serve(
        backend.serve,
        "127.0.0.1",
        0,
        subprotocols=[websockets.Subprotocol("ocpp1.6"), websockets.Subprotocol("ocpp2.0.1")],
        process_request=backend.note,
    ) as server:
        port = server.sockets[0].getsockname()[1]
        backend.url = f"ws://127.0.0.1:{port}/there"
        yield backend
        backend.delay.set()
