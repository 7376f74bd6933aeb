"""The charge point of peer.js, driven from a test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PATIENCE_S = 30


class Peer:
    """One node process; `commands` holds the CALLs it got and answered, `invalid` what broke a schema."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.commands: list[tuple[str, dict[str, Any]]] = []
        self.invalid: list[dict[str, Any]] = []
        self._told = asyncio.Event()

    async def read(self) -> None:
        """Sort what the process tells, until it ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            told = json.loads(line)
            if "command" in told:
                self.commands.append((told["command"], told["payload"]))
                self._told.set()
            elif "invalid" in told:
                self.invalid.append(told["invalid"])
            else:
                self._answers.put_nowait(told)

    async def _order(self, **order: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        async with asyncio.timeout(PATIENCE_S):
            return await self._answers.get()

    async def connect(
        self, url: str, identity: str, password: str, protocol: str, answers: dict[str, Any]
    ) -> Any:
        """Connect; return the protocol agreed on."""
        told = await self._order(
            do="connect", url=url, identity=identity, password=password, protocol=protocol, answers=answers
        )
        return told.get("result", told)

    async def call(self, action: str, /, **payload: Any) -> Any:
        """Send a CALL; return the checked CALLRESULT, or {"code", "message"} of the CALLERROR."""
        told = await self._order(do="call", action=action, payload=payload)
        return told.get("result", told.get("error"))

    async def close(self) -> None:
        """Close the socket; the process goes on."""
        await self._order(do="close")

    async def took(self, action: str, payload: dict[str, Any]) -> None:
        """Wait until the process tells of a command: its answer to the central system may be faster."""
        async with asyncio.timeout(PATIENCE_S):
            while payload not in self.taken(action):
                self._told.clear()
                await self._told.wait()

    def taken(self, action: str) -> list[dict[str, Any]]:
        """Return the payloads of the commands of one kind."""
        return [payload for name, payload in self.commands if name == action]


@asynccontextmanager
async def running() -> AsyncIterator[Peer]:
    """Run the charge point for the length of an `async with` block."""
    process = await asyncio.create_subprocess_exec(
        "node", str(HERE / "peer.js"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    peer = Peer(process)
    assert process.stdin is not None
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(peer.read())
        try:
            yield peer
        finally:
            process.stdin.close()
            await process.wait()
