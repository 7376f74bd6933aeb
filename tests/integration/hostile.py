"""Plays the frames of `hostile_frames.toml` on a socket and tells what came back, in a form to compare."""

from __future__ import annotations

import asyncio
import json
import re
import tomllib
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection

from tests.integration.ocpp_client import V16

_FILE = Path(__file__).with_name("hostile_frames.toml")
_ALIVE = "still alive"
_TRANSACTION_ID = re.compile(r'(?<="transactionId":)[1-9]\d*')
_NOW = re.compile(r'(?<="currentTime":)"2[^"]*Z"')
Answer = tuple[str, str]  # message id, CALLERROR code or payload of the CALLRESULT


@dataclass(frozen=True)
class Outcome:
    """What became of a frame: the answers, and the code of a closed socket; None: it answers a Heartbeat."""

    answers: tuple[Answer, ...]
    closed: int | None


@dataclass(frozen=True)
class Hostile:
    """One frame of the file."""

    name: str
    row: dict[str, Any]

    @property
    def carries_transaction(self) -> bool:
        return self.row.get("carries") == "transaction"

    @property
    def breaks_websocket(self) -> bool:
        """It is not a message but bytes below."""
        return "wire" in self.row

    def expected(self, protocol: str) -> Outcome:
        """What the file wants of a version."""
        ignored, version = self.row.get("ignored", False), "1.6" if protocol == V16 else "2.0.1"
        if "closed" in self.row or ignored is True or ignored == version:
            return Outcome((), self.row.get("closed"))
        answer = _of_version(self.row["answer"], protocol)
        return Outcome(((self.row.get("id", "h"), answer),), None)

    async def send(self, socket: ClientConnection, protocol: str) -> None:
        """Send it as often as the file says; a socket closed on the way is the server's answer."""
        try:
            if self.breaks_websocket:
                socket.transport.write(bytes.fromhex(self._filled(self.row["wire"])))
                return
            for _ in range(self.row.get("times", 1)):
                await socket.send(self.message(protocol))
        except websockets.ConnectionClosed:
            return

    def message(self, protocol: str) -> str | bytes:
        if "hex" in self.row:
            return bytes.fromhex(self.row["hex"])
        key = "send_16" if protocol == V16 else "send_201"
        return self._filled(self.row["send"] if "send" in self.row else self.row[key])

    def _filled(self, text: str) -> str:
        piece, times = self.row.get("fill", ("", 0))
        return text.replace("FILL", piece * times)


def _of_version(answer: str | list[str], protocol: str) -> str:
    return answer if isinstance(answer, str) else answer[0 if protocol == V16 else 1]


def load() -> Sequence[Hostile]:
    """Return all frames of the file, in its order."""
    rows = tomllib.loads(_FILE.read_text(encoding="utf-8"))["frame"]
    return [Hostile(row["name"], row) for row in rows]


async def call(socket: ClientConnection, action: str, payload: dict[str, Any]) -> None:
    """Make a good CALL and wait for its answer."""
    await socket.send(json.dumps([2, "good", action, payload]))
    async with asyncio.timeout(20):
        while (answer := _read(await socket.recv())) is None or answer[0] != "good":
            pass


async def play(socket: ClientConnection, hostile: Hostile, protocol: str) -> Outcome:
    """Send a frame and a Heartbeat behind it; return what came back until either ends."""
    await hostile.send(socket, protocol)
    answers: list[Answer] = []
    try:
        await socket.send(json.dumps([2, _ALIVE, "Heartbeat", {}]))
        async with asyncio.timeout(20):
            while (answer := _read(await socket.recv())) is None or answer[0] != _ALIVE:
                if answer is not None:
                    answers.append(answer)
    except websockets.ConnectionClosed:
        return Outcome(tuple(answers), socket.close_code)
    return Outcome(tuple(answers), None)


def _read(text: str | bytes) -> Answer | None:
    """None for a CALL of the server."""
    kind, message_id, told, *_ = json.loads(text)
    if kind == 2:
        return None
    payload = told if kind == 4 else json.dumps(told, separators=(",", ":"))
    return str(message_id), _NOW.sub("NOW", _TRANSACTION_ID.sub("TX", payload))


Opened = Callable[[], AbstractAsyncContextManager[ClientConnection]]


async def play_all(opened: Opened, frames: Sequence[Hostile], protocol: str) -> dict[str, Outcome]:
    """Play frames one after another on one socket, on a new one after each that closes."""
    found: dict[str, Outcome] = {}
    left = list(frames)
    while left:
        async with opened() as socket:
            while left and socket.close_code is None:
                frame = left.pop(0)
                found[frame.name] = await play(socket, frame, protocol)
    return found
