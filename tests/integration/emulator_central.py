"""A small scripted central system: answers from a table, checks frames by the standard's schemas."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

Json = dict[str, Any]
EPOCH = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
_FOLDERS = {"ocpp1.6": "v16", "ocpp2.0.1": "v201"}


def at(seconds: float) -> str:
    """Return the instant ``seconds`` after the central system's epoch."""
    return (EPOCH + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def seconds_of(text: str) -> float:
    """Return how long after the epoch an instant is."""
    return (datetime.fromisoformat(text) - EPOCH).total_seconds()


@cache
def validator(subprotocol: str, action: str, *, response: bool) -> jsonschema_rs.Validator:
    """Return the compiled schema of a message."""
    old = subprotocol == "ocpp1.6"
    name = action + ("Response" if response else "" if old else "Request")
    text = (files("ocpp") / _FOLDERS[subprotocol] / "schemas" / f"{name}.json").read_text("utf-8-sig")
    checker: jsonschema_rs.Validator = jsonschema_rs.validator_for(json.loads(text))
    return checker


def nothing(_: Json) -> Json:
    """Answer with an empty payload."""
    return {}


class Central:
    """One central system for one version; ``answers`` maps an action to what makes its payload."""

    def __init__(self, subprotocol: str) -> None:
        self.subprotocol = subprotocol
        self.url = ""
        self.calls: list[tuple[str, Json]] = []
        self.message_ids: list[str] = []
        self.authorizations: list[str | None] = []
        self.connections = 0
        self.outstanding = 0
        self.answers: dict[str, Callable[[Json], Json]] = {
            "BootNotification": lambda _: {"status": "Accepted", "currentTime": at(0), "interval": 86400},
            "Heartbeat": lambda _: {"currentTime": at(0)},
            "Authorize": lambda _: self.token("Accepted"),
        }
        self._transaction_ids = iter(range(101, 1000))
        self._socket: ServerConnection | None = None
        self._results: dict[str, asyncio.Future[Any]] = {}
        self._changed = asyncio.Condition()
        if subprotocol == "ocpp1.6":
            self.answers["StartTransaction"] = lambda _: {
                "transactionId": next(self._transaction_ids),
                **self.token("Accepted"),
            }

    def token(self, status: str, group: str | None = None) -> Json:
        """Return an idTagInfo or idTokenInfo with its key."""
        if self.subprotocol == "ocpp1.6":
            return {"idTagInfo": {"status": status} | ({"parentIdTag": group} if group else {})}
        more = {"groupIdToken": {"idToken": group, "type": "Central"}} if group else {}
        return {"idTokenInfo": {"status": status} | more}

    def of(self, action: str) -> list[Json]:
        """Return the payloads of an action, in the order of arrival."""
        return [payload for name, payload in self.calls if name == action]

    def actions(self) -> list[str]:
        """Return the actions received, in order."""
        return [name for name, _ in self.calls]

    async def until(self, condition: Callable[[Central], object]) -> None:
        """Wait until something has been received."""
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: condition(self))

    async def call(self, action: str, payload: Json) -> Json:
        """Make a CALL; both sides are checked; a CALLERROR comes back as {"error": code}."""
        validator(self.subprotocol, action, response=False).validate(payload)
        answer = await self.raw_call(action, payload)
        if "error" not in answer:
            validator(self.subprotocol, action, response=True).validate(answer)
        return answer

    async def raw_call(self, action: str, payload: Json) -> Json:
        """Make a CALL without checking it."""
        message_id = f"cs-{len(self._results)}"
        result: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._results[message_id] = result
        assert self._socket
        await self._socket.send(json.dumps([2, message_id, action, payload]))
        async with asyncio.timeout(10):
            return dict(await result)

    async def cut(self) -> None:
        """Close the connection from this side."""
        assert self._socket
        await self._socket.close()

    async def handle(self, socket: ServerConnection) -> None:
        self._socket = socket
        self.connections += 1
        self.authorizations.append(socket.request.headers.get("Authorization") if socket.request else None)
        try:
            async for text in socket:
                await self._take(socket, json.loads(text))
        except ConnectionClosed:
            return

    async def _take(self, socket: ServerConnection, frame: list[Any]) -> None:
        match frame:
            case [2, message_id, action, payload]:
                validator(self.subprotocol, action, response=False).validate(payload)
                async with self._changed:
                    self.calls.append((action, payload))
                    self.message_ids.append(message_id)
                    self._changed.notify_all()
                answer = self.answers.get(action, nothing)(payload)
                if "error" in answer:
                    await socket.send(json.dumps([4, message_id, answer["error"], "", {}]))
                elif answer.get("status") != "silence":
                    validator(self.subprotocol, action, response=True).validate(answer)
                    await socket.send(json.dumps([3, message_id, answer]))
            case [3, message_id, payload]:
                self._results[message_id].set_result(payload)
            case [4, message_id, code, *_]:
                self._results[message_id].set_result({"error": code})


@asynccontextmanager
async def central_system(subprotocol: str) -> AsyncIterator[Central]:
    """Run a central system on a free port."""
    central = Central(subprotocol)
    protocols = [Subprotocol(subprotocol)]
    async with serve(central.handle, "127.0.0.1", 0, subprotocols=protocols, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        central.url = f"ws://127.0.0.1:{port}/ocpp"
        yield central


def samples(
    meter_values: list[Json], measurand: str, phase: str | None = None
) -> Iterator[tuple[float, float]]:
    """Yield (seconds after the epoch, value) of one measurand."""
    for meter_value in meter_values:
        for sampled in meter_value["sampledValue"]:
            if sampled["measurand"] == measurand and sampled.get("phase") == phase:
                yield seconds_of(meter_value["timestamp"]), float(sampled["value"])
