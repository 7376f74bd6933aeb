"""Plays recorded scripts: what stations said, what the central system must answer, what it must have stored.

A script is a text file, one step a line; sockets have names, the first is `a`:

    # words                       a remark; the first one is the title
    a connect CP16 ocpp1.6        open a socket with the station's password; `hex` behind it: in hexadecimal
    a > TEXT                      the station sends a text, exactly this
    a < TEXT                      the next text that arrives, exactly this; $name stands for a value, taken
                                  the first time and afterwards the same (also in what is sent)
    a close                       the station closes
    a closed 1000                 the server has closed, with this code
    handshake /CP16 ocpp1.5 101   a handshake ends with this HTTP status; `-` offers no sub-protocol
    clock 90                      so many seconds pass
    command CP16 Reset {...}      an operator sends a CALL
    outcome answered {...}        what became of it
    badge 04A1B2C3 Blocked        a badge gets another status
    rows charges 1                so many rows are stored: charges, readings, events
    charge 0 energy_wh=900 ...    a charge in the order of its making; `-` is no value
    reading 0 register_wh=100 ... a reading
    evse CP16/1 status=Available  an EVSE
    station CP16 ocpp=1.6         a charging station
    violation CP16 NAME 1         a departure from the schema was counted so often
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import websockets
from sqlalchemy import Table, select, update
from websockets.asyncio.client import ClientConnection

from supervision.clock import FixedClock
from supervision.csms.catalogue import CARRIES_TRANSACTION
from supervision.csms.commands import CommandResult
from supervision.csms.frame import Version
from supervision.store.db import Database, Tx
from supervision.store.schema import (
    charging_stations,
    charging_transaction_events,
    charging_transactions,
    evses,
    id_tokens,
    meter_values,
)
from tests.factories import TESTS
from tests.integration.ocpp_client import SECRET, Server, basic, dial

TABLES: Mapping[str, Table] = {
    "charge": charging_transactions,
    "reading": meter_values,
    "event": charging_transaction_events,
    "evse": evses,
    "station": charging_stations,
}
_PLACE = re.compile(r"\\?\$(\w+)")


@dataclass
class Player:
    """One run of one script."""

    server: Server
    db: Database
    clock: FixedClock
    stack: AsyncExitStack
    tasks: asyncio.TaskGroup
    sockets: dict[str, ClientConnection] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    carried: dict[tuple[str, str], str] = field(default_factory=dict)  # socket and id -> transaction message
    refused: list[str] = field(default_factory=list)
    command: asyncio.Task[Any] | None = None

    async def play(self, script: str) -> None:
        """Play every line; an AssertionError names the line."""
        for number, line in enumerate(script.splitlines(), 1):
            if line.strip() and not line.startswith("#"):
                try:
                    await self._step(line)
                except (AssertionError, LookupError, websockets.ConnectionClosed, TimeoutError) as error:
                    raise AssertionError(f"line {number}: {line}\n{type(error).__name__}: {error}") from error

    async def _step(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if word in _STEPS:
            await _STEPS[word](self, rest)
            return
        if word in TABLES:
            await self.compare(TABLES[word], rest)
            return
        verb, _, rest = rest.partition(" ")
        await _ON_SOCKETS[verb](self, word, rest)

    # --- on sockets ---------------------------------------------------------------------------------------

    async def connect(self, name: str, rest: str) -> None:
        identity, protocol, *how = rest.split()
        secret = SECRET.encode().hex() if how == ["hex"] else SECRET
        self.sockets[name] = await self.stack.enter_async_context(
            dial(
                self.server,
                f"/{identity}",
                subprotocols=[protocol],
                additional_headers=basic(identity, secret),
            )
        )

    async def send(self, name: str, text: str) -> None:
        told = self._known(text)
        self._note_carried(name, told)
        await self.sockets[name].send(told)

    def _note_carried(self, name: str, text: str) -> None:
        try:
            kind, message_id, action, _ = json.loads(text)
        except ValueError:
            return
        carries = isinstance(action, str) and any(action in CARRIES_TRANSACTION[one] for one in Version)
        if kind == 2 and carries:
            self.carried[name, message_id] = action

    async def receive(self, name: str, text: str) -> None:
        async with asyncio.timeout(20):
            told = str(await self.sockets[name].recv())
        wanted = _PLACE.sub(self._wanted, re.escape(text))
        found = re.fullmatch(wanted, told)
        assert found, f"was {told}"
        self.values |= found.groupdict()
        kind, message_id, *rest = json.loads(told)
        if kind == 4 and (name, message_id) in self.carried:
            self.refused.append(f"{self.carried[name, message_id]}: {rest}")

    def _known(self, text: str) -> str:
        return _PLACE.sub(lambda place: self.values[place[1]], text)

    def _wanted(self, place: re.Match[str]) -> str:
        """A value known by now, else any one value of JSON."""
        if place[1] in self.values:
            return re.escape(self.values[place[1]])
        return rf'(?P<{place[1]}>-?\d+|"[^"]*")'

    async def close(self, name: str, _rest: str) -> None:
        await self.sockets[name].close()

    async def closed(self, name: str, code: str) -> None:
        async with asyncio.timeout(20):
            await self.sockets[name].wait_closed()
        assert self.sockets[name].close_code == int(code), f"was {self.sockets[name].close_code}"

    # --- around them --------------------------------------------------------------------------------------

    async def handshake(self, rest: str) -> None:
        path, protocol, status = rest.split()
        offered = {"subprotocols": None if protocol == "-" else [protocol]}
        try:
            async with dial(self.server, path, additional_headers=basic("CP16", SECRET), **offered) as socket:
                self.sockets["a"] = socket
                found = 101
                if protocol not in set(Version):
                    await socket.wait_closed()
        except websockets.InvalidStatus as refused:
            found = refused.response.status_code
        assert found == int(status), f"was {found}"

    async def pass_time(self, seconds: str) -> None:
        self.clock.advance(seconds=float(seconds))

    async def send_command(self, rest: str) -> None:
        identity, action, payload = rest.split(" ", 2)
        send = self.server.commands.send("org", identity, action, json.loads(payload))
        self.command = self.tasks.create_task(send)

    async def outcome(self, rest: str) -> None:
        state, _, told = rest.partition(" ")
        assert self.command is not None
        result = await self.command
        assert isinstance(result, CommandResult)
        assert (result.state.value, result.response or result.error) == (state, json.loads(told)), result

    async def set_badge(self, rest: str) -> None:
        token, status = rest.split()

        async def unit(tx: Tx) -> None:
            row = id_tokens.c.organisation_id == "org", id_tokens.c.token_key == token.casefold()
            await tx.execute(update(id_tokens).where(*row).values(status=status))

        await self.db.write(TESTS, unit)

    # --- what is stored -------------------------------------------------------------------------------------

    async def count(self, rest: str) -> None:
        name, number = rest.split()
        found = await self._rows(TABLES[name.removesuffix("s")])
        assert len(found) == int(number), f"was {len(found)}"

    async def _rows(self, table: Table) -> list[dict[str, Any]]:
        async with self.db.read(TESTS) as reader:
            return [dict(row) for row in await reader.all(select(table).order_by(*table.primary_key.columns))]

    async def _of(self, table: Table, key: str) -> dict[str, Any]:
        rows = await self._rows(table)
        if key.isdecimal():
            return rows[int(key)]
        identity, _, evse = key.partition("/")
        if table is charging_stations:
            return next(row for row in rows if row["identity"] == identity)
        return next(row for row in rows if (row["charging_station"], str(row["evse_id"])) == (identity, evse))

    async def compare(self, table: Table, rest: str) -> None:
        key, *pairs = rest.split(" ")
        row = await self._of(table, key)
        wanted = dict(pair.split("=", 1) for pair in pairs)
        values = {column: self._known(text) for column, text in wanted.items()}
        assert {column: _word(row[column]) for column in wanted} == values

    async def violation(self, rest: str) -> None:
        identity, name, number = rest.rsplit(" ", 2)
        counted = (await self._of(charging_stations, identity))["violations"]
        assert counted.get(name) == int(number), f"was {counted}"


def _word(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, list | dict):
        return json.dumps(value, separators=(",", ":"))
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else str(value)


_STEPS: Mapping[str, Any] = {
    "handshake": Player.handshake,
    "clock": Player.pass_time,
    "command": Player.send_command,
    "outcome": Player.outcome,
    "badge": Player.set_badge,
    "rows": Player.count,
    "violation": Player.violation,
}
_ON_SOCKETS: Mapping[str, Any] = {
    "connect": Player.connect,
    ">": Player.send,
    "<": Player.receive,
    "close": Player.close,
    "closed": Player.closed,
}


async def play(server: Server, db: Database, clock: FixedClock, script: str) -> Player:
    """Play a script to its end."""
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        player = Player(server, db, clock, stack, tasks)
        await player.play(script)
    return player
