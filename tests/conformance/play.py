"""What scenarios are written with: commands of the operator, rows that they leave, answers by action."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table, select

from supervision.clock import Clock
from supervision.csms.commands import CommandResult, CommandState
from supervision.csms.devices.service import DeviceService
from supervision.notify.alerts import AlertService
from supervision.store.db import Database
from supervision.store.outbox import Outbox
from supervision.store.schema import (
    alerts,
    charging_stations,
    charging_transactions,
    device_notices,
    errands,
    evses,
)
from tests.factories import TESTS
from tests.integration.ocpp_client import Responder, Server

MORNING, NOON, EVENING = "2026-11-21T07:00:00Z", "2026-11-21T07:30:00Z", "2026-11-21T07:55:00Z"
BADGE, BLOCKED, EXPIRED, UNKNOWN = "04A1B2C3", "B10C", "0LD", "FFFF"
ACCEPTED = {"status": "Accepted"}

Json = dict[str, Any]


def by_action(**answers: Json) -> Responder:
    """Answer each CALL by its action, what is not named with Accepted."""
    return lambda action, _payload: answers.get(action, ACCEPTED)


async def command(server: Server, identity: str, action: str, payload: Json) -> CommandResult:
    """Send a CALL as an operator does; return what became of it."""
    result = await server.commands.send("org", identity, action, payload)
    assert isinstance(result, CommandResult), result
    return result


async def kept_as_given(
    server: Server, identity: str, protocol: str, action: str, payload: Json, answer: Json
) -> None:
    """A command reaches the station as given, its answer is kept, and the session goes on."""
    async with server.station(identity, protocol, respond=lambda _action, _payload: answer) as point:
        result = await command(server, identity, action, payload)
        assert await point.answer("Heartbeat", {}) == {"currentTime": "2026-11-21T08:00:00Z"}
    assert (result.state, result.response) == (CommandState.ANSWERED, answer)
    assert [frame[2:] for frame in point.commands] == [[action, payload]]


async def rows(db: Database, table: Table) -> list[Mapping[str, Any]]:
    """Read a whole table, oldest first."""
    async with db.read(TESTS) as reader:
        return [dict(row) for row in await reader.all(select(table).order_by(*table.primary_key.columns))]


async def charge(db: Database) -> Mapping[str, Any]:
    """Return the only charging transaction."""
    (row,) = await rows(db, charging_transactions)
    return row


async def no_charge(db: Database) -> None:
    """No charging transaction was stored."""
    assert await rows(db, charging_transactions) == []


async def status(db: Database, identity: str, evse_id: int = 1) -> tuple[str, str | None]:
    """Return the status and the error code of an EVSE."""
    found = {(row["charging_station"], row["evse_id"]): row for row in await rows(db, evses)}
    row = found[identity, evse_id]
    return row["status"], row["error_code"]


async def station(db: Database, identity: str) -> Mapping[str, Any]:
    """Return the row of a charging station."""
    return next(row for row in await rows(db, charging_stations) if row["identity"] == identity)


async def settle(db: Database, clock: Clock) -> None:
    """Let the consequences of what was committed happen."""
    devices, alerting = DeviceService(db, clock), AlertService(db, clock)
    await Outbox(db, clock, [devices.consumer(), alerting.consumer()]).drain()


async def errand(db: Database, kind: str) -> tuple[str, str]:
    """State and last word of the newest errand of a kind."""
    found = [row for row in await rows(db, errands) if row["kind"] == kind]
    return found[-1]["state"], found[-1]["word"]


async def report(db: Database, clock: Clock, identity: str) -> list[Json]:
    """Return the pages of the newest errand of a station, in order."""
    devices = DeviceService(db, clock)
    newest = (await devices.errands("org", identity, limit=1))[0]
    whole = await devices.errand("org", identity, newest["id"])
    assert whole is not None
    pages: list[Json] = whole["pages"]
    return pages


async def notices(db: Database) -> list[tuple[str, str, bool]]:
    """Kind, name and whether it alarms, of every notice, oldest first."""
    return [(row["kind"], row["name"], row["alarming"]) for row in await rows(db, device_notices)]


async def open_alerts(db: Database) -> list[tuple[str, str]]:
    """Kind and cause of the open alerts."""
    return [(row["kind"], row["cause"]) for row in await rows(db, alerts) if row["closed_at"] is None]
