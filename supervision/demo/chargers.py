"""The demo's charging stations: the independent emulator, one process each, keys pressed over its stdin."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from supervision.demo import towns
from supervision.fleet.model import EvseReference
from supervision.log import Log

log = Log("supervision.demo")


class Chargers:
    """The running emulators."""

    def __init__(self, processes: dict[str, Process]) -> None:
        self._processes = processes

    async def press(self, evse: EvseReference, action: str, *words: object) -> None:
        """Press a key at an EVSE, e.g. ``press(evse, "plug", "zoe-52", "soc=40")``."""
        stdin = self._processes[evse.charging_station].stdin
        if stdin is None or stdin.is_closing():
            log.warning("demo.charger_gone", charging_station=evse.charging_station)
            return
        stdin.write(" ".join([action, str(evse.evse_id), *map(str, words)]).encode() + b"\n")
        await stdin.drain()


@asynccontextmanager
async def running_chargers(url: str, *, speed: float) -> AsyncIterator[Chargers]:
    """Run one emulator per charging station of the demo for the length of a block."""
    processes: dict[str, Process] = {}
    try:
        for charger in towns.CHARGERS:
            processes[charger.identity] = await _start(charger, url, speed)
        yield Chargers(processes)
    finally:
        for process in processes.values():
            if process.returncode is None:
                process.terminate()
        for process in processes.values():
            await process.wait()


async def _start(charger: towns.Charger, url: str, speed: float) -> Process:
    words = {
        "--url": url,
        "--identity": charger.identity,
        "--ocpp": charger.ocpp,
        "--evses": charger.evses,
        "--kind": charger.kind,
        "--personality": charger.personality,
        "--speed": speed,
        "--script": "-",
        "--meter-interval": 300,
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "chargepoint_emulator",
        *(str(part) for pair in words.items() for part in pair),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        env={**os.environ, "CHARGEPOINT_PASSWORD": towns.STATION_SECRET},
    )
