"""The command line of the emulator, run as a process against a scripted central system."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from chargepoint_emulator import script
from chargepoint_emulator.emulator import Emulator
from tests.integration.emulator_central import Json, central_system

DAY = """
at 60   plug 1 spring-25 soc=40
at 120  badge 1 04A1B2C3
at 3720 unplug 1
"""


async def emulate(*arguments: str, typed: str = "", until: str, times: int = 1) -> list[Json]:
    """Run the command until it has reported an event so many times; return all events."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "chargepoint_emulator", *arguments, "--json", stdin=PIPE, stdout=PIPE
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(typed.encode())
    events: list[Json] = []
    async with asyncio.timeout(60):
        async for line in process.stdout:
            events.append(json.loads(line))
            if [event["event"] for event in events].count(until) == times:
                break
    process.terminate()
    await process.communicate()
    return events


async def test_script_of_a_day_is_played_and_each_event_is_one_json_line(tmp_path: Path) -> None:
    (tmp_path / "day.txt").write_text(DAY, encoding="utf-8")
    async with central_system("ocpp1.6") as central:
        events = await emulate(
            *("--url", central.url, "--identity", "CP1", "--speed", "3600", "--meter-interval", "0"),
            *("--script", str(tmp_path / "day.txt")),
            until="unplugged",
        )
        await central.until(lambda c: c.of("StartTransaction"))
    names = [event["event"] for event in events if event["event"] not in {"state", "connected", "boot"}]
    assert names == ["plugged", "token", "started", "ended", "unplugged"]
    ended = next(event for event in events if event["event"] == "ended")
    assert ended["identity"] == "CP1"
    # One phase at 30 A for the hour between the two keys, but for the time the badge took to be accepted.
    assert 5_000 < ended["energy_wh"] <= 30 * 230 + 200


async def test_keys_typed_on_standard_input_are_pressed_at_once() -> None:
    async with central_system("ocpp2.0.1") as central:
        events = await emulate(
            *("--url", central.url, "--identity", "CS1", "--ocpp", "2.0.1", "--script", "-"),
            typed="dance\nplug 1 r5-40 soc=10\nplug 9\n",
            until="no_such_evse",
        )
    assert [event["car"] for event in events if event["event"] == "plugged"] == ["r5-40"]


async def test_many_stations_get_numbered_identities() -> None:
    async with central_system("ocpp1.6") as central:
        arguments = ("--url", central.url, "--identity", "CP", "--count", "3")
        events = await emulate(*arguments, until="boot", times=3)
    booted = {event["identity"] for event in events if event["event"] == "boot"}
    assert booted == {"CP-0001", "CP-0002", "CP-0003"}


async def test_script_presses_every_key_on_an_emulator() -> None:
    keys = """
        plug 1 zoe-52 soc=50
        code 1 482913
        unplug 1
        drive 1 5200
        plug 1
        fault 1 GroundFailure
        repair 1
        offline
        online
        drop
        reboot
    """
    async with (
        central_system("ocpp2.0.1") as central,
        Emulator(url=central.url, identity="CS1", ocpp="2.0.1", retry_s=(0.01, 0.02)) as cp,
    ):
        await cp.connected()
        await script.run(script.parse(keys.splitlines()), cp)
        assert cp.evses[1].car
        assert round(cp.evses[1].car.soc) == 40
        await central.until(lambda c: len(c.of("BootNotification")) == 2)
        assert central.of("Authorize") == [{"idToken": {"idToken": "482913", "type": "KeyCode"}}]
