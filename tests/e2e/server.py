"""The real server as its own process, on a fresh SQLite file filled by `supervision import`."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from chargepoint_emulator.emulator import Emulator
from tests.e2e import service

COMMAND = (sys.executable, "-m", "supervision")


@dataclass(frozen=True, kw_only=True)
class Server:
    """Addresses of a running server."""

    http: str
    ocpp: str

    def emulator(self, identity: str, *, ocpp: str, kind: str, evses: int = 1) -> Emulator:
        """Return a charge point of the imported service, not started yet."""
        return Emulator(
            url=self.ocpp,
            identity=identity,
            ocpp=ocpp,
            kind=kind,
            evses=evses,
            password=service.STATION_KEY,
            meter_interval_s=2,
        )

    async def sign_in(self, page: Page, person: str, *, onward: str = "/") -> None:
        """Sign a person in through the form."""
        await page.goto(f"{self.http}{onward}")
        await page.fill("#email", f"{person}@example.org")
        await page.fill("#password", service.PASSWORD)
        await page.click("main form button")


@asynccontextmanager
async def running(folder: Path, document: Mapping[str, Any]) -> AsyncIterator[Server]:
    """Import the document, serve until the end of the block, insist on a clean stop."""
    source = folder / "service.json"
    source.write_text(json.dumps(document))
    data = ("--data", str(folder / "data"))
    imported = await asyncio.create_subprocess_exec(*COMMAND, "import", str(source), *data, stdout=PIPE)
    assert await imported.wait() == 0
    with (folder / "server.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            *("serve", *data, "--http", "127.0.0.1:0", "--ocpp", "127.0.0.1:0"),
            stdout=PIPE,
            stderr=log,
        )
    assert process.stdout is not None
    ready = json.loads(await process.stdout.readline() or "{}")
    assert ready, (folder / "server.log").read_text()
    yield Server(http=ready["http"], ocpp=ready["ocpp"])
    process.terminate()
    assert await process.wait() == 0
    assert '"web.failed"' not in (folder / "server.log").read_text()
