"""A socket in memory, for tests in which every event comes when they say so."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from supervision.csms.link import LinkClosedError, Peer, Take


class MemoryLine:
    """A `Link`; `heard` are the frames of the central system, each with the loop's time of its sending.

    Texts are offered where they arrive as on the real socket: only while nothing waits before them.
    """

    def __init__(self, address: str = "192.0.2.1") -> None:
        self.peer = Peer(address=address)
        self.heard: list[tuple[float, list[Any]]] = []
        self.closed = False
        self._texts: asyncio.Queue[str | None] = asyncio.Queue()
        self._waiting = 0  # texts for `recv` that are not dealt with yet
        self._dealing = 0
        self._take: Take | None = None

    def say(self, text: str) -> None:
        """Let a text of the station arrive."""
        if self._take is None or self._waiting or not self._take(text, self._hear):
            self._waiting += 1
            self._texts.put_nowait(text)

    def lose(self) -> None:
        """Break the line: the end of the texts is all that is noticed."""
        self.closed = True
        self._texts.put_nowait(None)

    async def recv(self) -> str:
        self._waiting -= self._dealing
        self._dealing = 0
        text = await self._texts.get()
        if text is None:
            raise LinkClosedError
        self._dealing = 1
        return text

    def listen(self, take: Take | None) -> None:
        self._take = take

    async def send(self, text: str) -> None:
        if self.closed:
            raise LinkClosedError
        self._hear(text)

    async def close(self, _code: int, _reason: str) -> None:
        if not self.closed:
            self.lose()

    async def alive(self, _timeout_s: float) -> bool:
        return not self.closed

    def _hear(self, text: str) -> None:
        if not self.closed:
            self.heard.append((asyncio.get_running_loop().time(), json.loads(text)))
