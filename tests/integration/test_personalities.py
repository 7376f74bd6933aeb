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
from supervision.clock import FixedClock, ScaledClock
from supervision.csms import credentials
from supervision.csms.catalogue import CARRIES_TRANSACTION
from supervision.csms.commands import CommandResult, CommandState
from supervision.csms.frame import Version
from supervision.ocpp_cs import OfferingConnection, WebsocketsLink
from supervision.store.db import Database, Tx
from supervision.store.schema import charging_transactions, commands, evses
from tests import factories
from tests.conformance.play import rows
from tests.conftest import NOW
from tests.integration.ocpp_client import SECRET, Server, central_system, until, write_stations

SPEED = 1800.0
AT_ONCE = 20  # more, and the clocks fall apart by minutes of theirs
BADGE = "04A1B2C3"
SALT = bytes(16)
REFUSED = {"no_subprotocol": "HTTP 400", "old_subprotocol": "no common sub-protocol"}
SLOW = {"half_open"}  # in real seconds: shown elsewhere

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
    frames = [json.loads(frame.text) for frame in cp.frames if frame.text]
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


async def test_9_half_open_socket_gives_way_to_a_new_one_and_what_waits_for_it_ends(
    server: Server, sqlite_db: Database
) -> None:
    async with (
        asyncio.TaskGroup() as tasks,
        Emulator(url=server.url, identity="half_open", password=SECRET, personality="half_open") as cp,
    ):
        await cp.connected()
        link = cp._link
        assert link is not None
        link.go_deaf()
        old = server.central.registry.get("half_open")
        sending = tasks.create_task(server.commands.send("org", "half_open", "ClearCache", {}, timeout_s=600))

        async def sent() -> bool:
            return [row["state"] for row in await rows(sqlite_db, commands)] == ["sent"]

        await until(sent)
        async with Emulator(url=server.url, identity="half_open", password=SECRET) as again:
            await again.connected()
            result = await sending
            assert isinstance(result, CommandResult)
            assert result.state is CommandState.OFFLINE
            assert server.central.registry.get("half_open") is not old


async def test_57_slow_answer_is_kept_on_its_command_which_says_that_nobody_answered(
    server: Server, sqlite_db: Database
) -> None:
    async with Emulator(
        url=server.url, identity="slow_answers", password=SECRET, personality="slow_answers", speed=35.0
    ) as cp:
        await cp.connected()
        result = await server.commands.send("org", "slow_answers", "ClearCache", {}, timeout_s=0.1)
        assert isinstance(result, CommandResult)
        assert (result.state, result.response) == (CommandState.TIMEOUT, None)

        async def answered() -> bool:
            (row,) = await rows(sqlite_db, commands)
            return row["response"] is not None

        await until(answered)
    (row,) = await rows(sqlite_db, commands)
    assert (row["state"], row["response"]) == ("timeout", {"status": "Accepted"})


async def test_4_other_version_after_a_reconnection_is_another_conversation(server: Server) -> None:
    name = "other_version_after_reconnect"
    async with Emulator(
        url=server.url, identity=name, password=SECRET, personality=name, retry_s=(0.01, 0.02)
    ) as cp:
        for version in (Version.V16, Version.V201, Version.V16):
            await cp.connected()
            connection = server.central.registry.get(name)
            assert connection is not None
            assert connection.version is version
            await cp.wait_for(lambda cp: cp.station.idle)
            await cp.drop_connection()
            await until(lambda: not server.central.connected(name))


async def test_8_second_socket_takes_the_place_of_the_first_and_the_station_comes_back(
    server: Server,
) -> None:
    told: list[str] = []
    async with Emulator(
        url=server.url,
        identity="second_socket",
        password=SECRET,
        personality="second_socket",
        retry_s=(0.01, 0.02),
        on_event=lambda _identity, event: told.append(event.name),
    ) as cp:
        await cp.wait_for(lambda cp: told.count("connected") == 2 and cp.online)
    assert told.count("disconnected") >= 1


async def test_10_station_that_answers_no_ping_lives_by_what_it_says(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await write_stations(sqlite_db)
    async with (
        central_system(sqlite_db, clock, ping_s=0.05) as server,
        Emulator(url=server.url, identity="CP16", password=SECRET, personality="no_pong") as mute,
        Emulator(url=server.url, identity="CS201", password=SECRET) as deaf,
    ):
        await mute.connected()
        await deaf.connected()
        socket, other = (watched(server, identity) for identity in ("CP16", "CS201"))
        await until(lambda: other.vigil is not None and other.vigil.answers_pings)
        assert deaf._link is not None
        deaf._link.go_deaf()
        await until(lambda: not server.central.connected("CS201"))
        await until(lambda: socket.vigil is not None and socket.vigil.silent_rounds >= 3)
        assert server.central.connected("CP16")


def watched(server: Server, identity: str) -> OfferingConnection:
    """The socket of a station, with the watch over it."""
    connection = server.central.registry.get(identity)
    assert connection is not None
    assert isinstance(connection.link, WebsocketsLink)
    return connection.link._socket


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
