"""Every personality charges at the real central system: what its fault costs is known."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from chargepoint_emulator.cli import main
from chargepoint_emulator.emulator import Emulator
from chargepoint_emulator.personalities import PERSONALITIES
from supervision.clock import ScaledClock
from supervision.csms import credentials
from supervision.csms.catalogue import CARRIES_TRANSACTION
from supervision.csms.frame import Version
from supervision.store.db import Database, Tx
from supervision.store.schema import charging_transactions, evses
from tests import factories
from tests.conformance.play import rows
from tests.conftest import NOW
from tests.integration.ocpp_client import SECRET, Server, central_system, write_stations

SPEED = 1800.0
AT_ONCE = 20  # more, and the clocks fall apart by minutes of theirs
BADGE = "04A1B2C3"
SALT = bytes(16)
REFUSED = {"no_subprotocol": "HTTP 400", "old_subprotocol": "no common sub-protocol"}
SLOW = {"slow_answers", "half_open"}  # in real seconds: shown elsewhere

# What is stored of one charge: state, whether the energy is as metered, review.
Stored = tuple[str, bool, str | None]
FINE: Stored = ("ended", True, None)
ORPHAN: Stored = ("ended", False, "start_missing,no_readings")
OPEN: Stored = ("open", False, None)
UNKNOWN: Stored = ("ended", True, "unknown_token")
COST_16: Mapping[str, tuple[Stored, ...]] = {
    "lost_start": (ORPHAN,),
    "lost_stop": (OPEN,),
    "ended_first": (ORPHAN, OPEN),  # the stop knows no number yet and tells no badge: it may be anybody's
    "no_meter_start": (("ended", False, "no_start_reading,no_readings"),),
    "long_id_tag": (UNKNOWN,),
    "truncated_tags": (UNKNOWN,),
}
COST_201: Mapping[str, tuple[Stored, ...]] = {
    "lost_start": (("ended", False, "start_missing"),),  # counted from the first reading that came
    "lost_stop": (OPEN,),
    "no_meter_start": (("ended", False, "no_start_reading,no_readings"),),
    "silent_meter": (("ended", False, "no_start_reading,no_stop_reading,no_readings"),),
    "long_id_tag": (UNKNOWN,),
    "truncated_tags": (UNKNOWN,),
    "energy_in_kwh_called_wh": (("ended", False, "too_little"),),
}


@pytest.fixture
async def server(sqlite_db: Database) -> AsyncIterator[Server]:
    """Return the central system; a station is registered for every personality."""
    await write_stations(sqlite_db)

    async def unit(tx: Tx) -> None:
        for identity in PERSONALITIES:
            await factories.charging_station(
                tx,
                identity=identity,
                security_profile=1,
                password_salt=SALT,
                password_hash=credentials.hash_password(SALT, SECRET.encode()),
            )
        # Twice what the car takes: a tenth of a second of a busy machine is three minutes of these clocks.
        await tx.execute(update(evses).where(evses.c.organisation_id == "org").values(max_a=64.0))

    await sqlite_db.write(factories.TESTS, unit)
    async with central_system(sqlite_db, ScaledClock(origin=NOW, speed=SPEED)) as running:
        yield running


def refused_transactions(cp: Emulator) -> list[str]:
    """CALLERRORs to messages that carry a charging transaction."""
    frames = [json.loads(frame.text) for frame in cp.frames]
    carried = {
        one[1] for one in frames if one[0] == 2 and any(one[2] in CARRIES_TRANSACTION[v] for v in Version)
    }
    return [json.dumps(one) for one in frames if one[0] == 4 and one[1] in carried]


async def charge(server: Server, name: str, ocpp: str) -> int:
    """One charge of an hour by one personality; return the watt-hours of its meter."""
    async with Emulator(
        url=server.url,
        identity=name,
        ocpp=ocpp,
        password=SECRET,
        personality=name,
        speed=SPEED,
        meter_interval_s=900,
        register_wh=1_000,
        retry_s=(0.01, 0.1),
    ) as cp:
        await cp.connected()
        await cp.plug(1, "zoe-52", soc=20)
        cp.station.configuration.set("stop_on_invalid", "false")  # a refused badge shall charge to its end
        assert await cp.present(1, BADGE) in {"Accepted", "Invalid"}
        if cp.evses[1].transaction is None:  # the badge is spelt in a way nobody knows: free mode
            cp.station.configuration.set("cache", "false")
            cp.station.configuration.set("offline_unknown", "true")
            await cp.go_offline()
            assert await cp.present(1, BADGE) == "Accepted"
            await cp.go_online()
        began_wh = cp.evses[1].transaction.meter_start_wh if cp.evses[1].transaction else 0.0
        await cp.wait_for(lambda cp: cp.evses[1].energy_wh - began_wh > 8_000)
        await cp.unplug(1)
        left_s = cp.station.uptime_s + 4_000  # whatever comes late has come by then
        await cp.wait_for(lambda cp: cp.station.uptime_s > left_s and len(cp.station.queue) == 0)
        assert refused_transactions(cp) == []
        return round(cp.evses[1].energy_wh) - round(began_wh)


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
async def test_every_personality_charges_and_its_cost_is_known(
    server: Server, sqlite_db: Database, ocpp: str
) -> None:
    names = [name for name in PERSONALITIES if name not in REFUSED.keys() | SLOW]
    metered: dict[str, asyncio.Task[int]] = {}
    for start in range(0, len(names), AT_ONCE):
        async with asyncio.TaskGroup() as tasks:
            for name in names[start : start + AT_ONCE]:
                metered[name] = tasks.create_task(charge(server, name, ocpp))
    found: dict[str, list[Stored]] = {name: [] for name in names}
    for row in await rows(sqlite_db, charging_transactions):
        exact = row["energy_wh"] == metered[row["charging_station"]].result()
        found[row["charging_station"]].append((row["state"], exact, row["review"]))
    cost = COST_16 if ocpp == "1.6" else COST_201
    wrong = {name: rows for name, rows in found.items() if rows != list(cost.get(name, (FINE,)))}
    assert wrong == {}


@pytest.mark.parametrize("name", REFUSED)
async def test_handshake_of_another_kind_is_refused(server: Server, name: str) -> None:
    told: list[str] = []
    async with Emulator(
        url=server.url,
        identity=name,
        password=SECRET,
        personality=name,
        retry_s=(0.01, 0.02),
        on_event=lambda _identity, event: told.append(str(event.facts.get("why"))),
    ) as cp:
        await cp.wait_for(lambda _: bool(told))
    assert set(told) == {REFUSED[name]}


async def test_half_open_socket_neither_answers_nor_closes(server: Server) -> None:
    async with Emulator(url=server.url, identity="half_open", password=SECRET, personality="half_open") as cp:
        await cp.connected()
        link = cp._link
        assert link is not None
        link.go_deaf()
        connection = server.central.registry.get("half_open")
        assert connection is not None
        assert await connection.link.alive(0.2) is False
        assert server.central.connected("half_open")


async def test_station_that_answers_no_ping_is_taken_for_dead(server: Server) -> None:
    for personality, alive in (("good", True), ("no_pong", False)):
        async with Emulator(
            url=server.url, identity=personality, password=SECRET, personality=personality
        ) as cp:
            await cp.connected()
            connection = server.central.registry.get(personality)
            assert connection is not None
            assert await connection.link.alive(2.0 if alive else 0.2) is alive


async def test_raw_mode_sends_any_bytes_and_prints_what_comes_back(server: Server) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "chargepoint_emulator", "--raw"),
        *("--url", server.url, "--identity", "CP16", "--password", SECRET),
        stdin=PIPE,
        stdout=PIPE,
    )
    lines = b'[2,"1","Heartbeat",{}]\nnonsense\n[3,"nobody",{}]\n[2,"2","Dance",{}]\n\xff\xfe\n'
    out, _ = await process.communicate(lines)
    beat, nonsense, dance, closed = out.decode().splitlines()
    assert beat.startswith('[3,"1",{"currentTime":"2026-11-21T')
    assert json.loads(nonsense)[:3] == [4, "-1", "FormationViolation"]
    assert json.loads(dance)[:3] == [4, "2", "NotImplemented"]
    assert closed == "closed 1007"


def test_list_of_personalities_is_the_table_of_the_documents() -> None:
    found = CliRunner().invoke(main, ["--list-personalities"])
    listed = dict(line.split(maxsplit=1) for line in found.output.splitlines())
    assert listed == {name: one.help for name, one in PERSONALITIES.items()}
    page = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text(encoding="utf-8")
    missing = [one.name for one in PERSONALITIES.values() if table_row(one) not in page.splitlines()]
    assert missing == []


def table_row(one: Any) -> str:
    return f"| `{one.name}` | {one.help} | {one.seen or '–'} |"
