from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import insert, select

from supervision.clock import FixedClock
from supervision.csms.catalogue import TO_STATION
from supervision.csms.commands import CommandResult, CommandState
from supervision.csms.directory import DirectoryService, NewEvse
from supervision.csms.frame import Version
from supervision.kernel.errors import Refused
from supervision.store.db import Database, Tx
from supervision.store.schema import commands, frames, outbox_events
from tests import factories
from tests.integration.ocpp_client import (
    SECRET,
    V16,
    V201,
    ChargePoint,
    Server,
    basic,
    central_system,
    until,
    write_stations,
)


@pytest.fixture
async def server(sqlite_db: Database, clock: FixedClock) -> AsyncIterator[Server]:
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, clock) as running:
        yield running


def silent(_action: str, _payload: dict[str, Any]) -> None:
    return None


async def send(server: Server, action: str, payload: dict[str, Any], **options: Any) -> CommandResult:
    result = await server.commands.send("org", "CP16", action, payload, **options)
    assert isinstance(result, CommandResult)
    return result


async def wait_for_command(point: ChargePoint, count: int = 1) -> None:
    await until(lambda: len(point.commands) >= count)


async def stored(db: Database) -> list[dict[str, Any]]:
    async with db.read(factories.TESTS) as reader:
        return [dict(row) for row in await reader.all(select(commands).order_by(commands.c.created_at))]


async def count_is(db: Database, count: int) -> bool:
    return len(await stored(db)) == count


async def first_is(db: Database, state: str) -> bool:
    return bool((await stored(db))[0]["state"] == state)


async def test_a_command_is_answered_and_kept(server: Server, sqlite_db: Database) -> None:
    async with server.station() as point:
        result = await send(server, "Reset", {"type": "Soft"})
    assert (result.state, result.response) == (CommandState.ANSWERED, {"status": "Accepted"})
    assert point.commands == [[2, result.id, "Reset", {"type": "Soft"}]]
    (row,) = await stored(sqlite_db)
    assert (row["id"], row["state"], row["response"]) == (result.id, "answered", {"status": "Accepted"})


async def test_a_refusal_of_the_station_is_an_error(server: Server) -> None:
    async with server.station(respond=silent) as point, asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(send(server, "ClearCache", {}))
        await wait_for_command(point)
        await point.socket.send(json.dumps([4, point.commands[0][1], "NotSupported", "no", {}]))
        result = await sending
    assert result.state is CommandState.ERROR
    assert result.error == {"code": "NotSupported", "description": "no", "details": {}}


async def test_a_silent_station_times_out_and_the_next_command_goes_on(server: Server) -> None:
    async with server.station(respond=silent) as point:
        assert (await send(server, "ClearCache", {}, timeout_s=0.1)).state is CommandState.TIMEOUT
        assert (await send(server, "Reset", {"type": "Soft"}, timeout_s=0.1)).state is CommandState.TIMEOUT
        assert [call[2] for call in point.commands] == ["ClearCache", "Reset"]


async def test_a_late_answer_is_kept_on_its_command(server: Server, sqlite_db: Database) -> None:
    async with server.station(respond=silent) as point:
        result = await send(server, "ClearCache", {}, timeout_s=0.1)
        await point.socket.send(json.dumps([3, result.id, {"status": "Accepted"}]))
        await point.answer("Heartbeat", {})
    (row,) = await stored(sqlite_db)
    assert (row["state"], row["response"]) == ("timeout", {"status": "Accepted"})


async def test_a_command_whose_socket_closes_ends_at_once(server: Server, sqlite_db: Database) -> None:
    async with asyncio.TaskGroup() as tasks:
        async with server.station(respond=silent) as point:
            sending = tasks.create_task(send(server, "ClearCache", {}, timeout_s=60))
            waiting = tasks.create_task(send(server, "Reset", {"type": "Soft"}, timeout_s=60))
            await wait_for_command(point)
        async with asyncio.timeout(5):
            assert (await sending).state is CommandState.OFFLINE
            assert (await waiting).state is CommandState.OFFLINE
    assert [row["state"] for row in await stored(sqlite_db)] == ["offline", "offline"]


async def test_an_absent_station_is_offline_at_once(server: Server) -> None:
    async with server.station():
        pass
    assert (await send(server, "ClearCache", {})).state is CommandState.OFFLINE


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("Reset", {"type": "Sideways"}, "invalid_payload"),
        ("Reset", {}, "invalid_payload"),
        ("Dance", {}, "unknown_action"),
        ("BootNotification", {}, "unknown_action"),
        ("GetVariables", {}, "unknown_action"),
    ],
)
async def test_a_wrong_command_is_refused_before_sending(
    server: Server, action: str, payload: dict[str, Any], code: str
) -> None:
    async with server.station() as point:
        result = await send(server, action, payload)
        assert result.state is CommandState.REFUSED
        assert result.error is not None
        assert result.error["code"] == code
        assert point.commands == []


async def test_a_station_of_another_organisation_is_unknown(server: Server, sqlite_db: Database) -> None:
    async def unit(tx: Tx) -> None:
        await factories.organisation(tx, id="other", name="Other")

    await sqlite_db.write(factories.TESTS, unit)
    answer = await server.commands.send("other", "CP16", "ClearCache", {})
    assert answer == Refused("unknown_charging_station", {"charging_station": "CP16"})


async def test_no_command_leaves_before_the_first_boot(server: Server) -> None:
    async with server.station(boot=False) as point:
        result = await send(server, "ClearCache", {}, timeout_s=0.2)
        assert (result.state, point.commands) == (CommandState.TIMEOUT, [])


async def test_a_station_known_from_before_needs_no_second_boot(server: Server) -> None:
    async with server.station():
        pass
    async with server.station(boot=False):
        assert (await send(server, "ClearCache", {})).state is CommandState.ANSWERED


async def test_one_call_at_a_time_and_the_urgent_ones_first(server: Server, sqlite_db: Database) -> None:
    wanted: list[tuple[str, dict[str, Any]]] = [
        ("GetConfiguration", {}),
        ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"}),
        ("RemoteStartTransaction", {"idTag": "04A1B2C3"}),
        ("RemoteStopTransaction", {"transactionId": 1}),
    ]
    async with server.station(respond=silent) as point, asyncio.TaskGroup() as tasks:
        tasks.create_task(send(server, "ClearCache", {}))
        await wait_for_command(point)
        for action, payload in wanted:
            tasks.create_task(send(server, action, payload))
            await point.answer("Heartbeat", {})
        await until(lambda: count_is(sqlite_db, 5))
        for count in range(1, 6):
            await wait_for_command(point, count)
            assert len(point.commands) == count
            await point.socket.send(json.dumps([3, point.commands[-1][1], {"status": "Accepted"}]))
    assert [call[2] for call in point.commands] == [
        "ClearCache",
        "RemoteStopTransaction",
        "RemoteStartTransaction",
        "ChangeConfiguration",
        "GetConfiguration",
    ]


async def test_calls_of_both_sides_may_cross(server: Server) -> None:
    async with server.station(respond=silent) as point, asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(send(server, "ClearCache", {}))
        await wait_for_command(point)
        assert "currentTime" in await point.answer("Heartbeat", {})
        await point.socket.send(json.dumps([3, point.commands[0][1], {"status": "Accepted"}]))
        assert (await sending).state is CommandState.ANSWERED


async def test_a_queued_command_waits_for_the_station_and_its_end_is_told(
    server: Server, sqlite_db: Database
) -> None:
    async with server.station():
        pass
    queued = await server.commands.enqueue("org", "CP16", "ClearCache", {}, expires_s=60)
    assert isinstance(queued, CommandResult)
    assert queued.state is CommandState.QUEUED
    async with server.station() as point:
        await wait_for_command(point)
        await until(lambda: first_is(sqlite_db, "answered"))
    async with sqlite_db.read(factories.TESTS) as reader:
        events = await reader.all(select(outbox_events).where(outbox_events.c.name == "CommandFinished"))
    assert [(row["payload"]["command_id"], row["payload"]["state"]) for row in events] == [
        (queued.id, "answered")
    ]


async def test_an_expired_command_is_never_sent(server: Server, clock: FixedClock) -> None:
    async with server.station():
        pass
    await server.commands.enqueue("org", "CP16", "ClearCache", {}, expires_s=60)
    clock.advance(minutes=2)
    async with server.station() as point:
        await point.answer("Heartbeat", {})
        assert (await send(server, "Reset", {"type": "Soft"})).state is CommandState.ANSWERED
    assert [call[2] for call in point.commands] == ["Reset"]


async def test_after_a_restart_a_sent_command_is_not_repeated(sqlite_db: Database, clock: FixedClock) -> None:
    await write_stations(sqlite_db)

    async def unit(tx: Tx) -> None:
        row = {
            "id": "c1",
            "organisation_id": "org",
            "charging_station": "CP16",
            "action": "RemoteStartTransaction",
            "payload": {"idTag": "04A1B2C3"},
            "priority": 1,
            "state": "sent",
            "created_at": factories.NOW,
            "expires_at": factories.NOW.replace(year=2027),
            "origin": "api",
        }
        await tx.execute(insert(commands).values(**row))

    await sqlite_db.write(factories.TESTS, unit)
    async with central_system(sqlite_db, clock) as server, server.station() as point:
        await point.answer("Heartbeat", {})
        assert point.commands == []
    assert [row["state"] for row in await stored(sqlite_db)] == ["timeout"]


async def test_an_unsolicited_answer_is_dropped_and_twenty_one_close(server: Server) -> None:
    async with server.station() as point:
        await point.socket.send('[3,"nobody",{}]')
        assert (await send(server, "ClearCache", {})).state is CommandState.ANSWERED
        for _ in range(20):
            await point.socket.send('[3,"nobody",{}]')
        await point.socket.wait_closed()
        assert point.socket.close_code == 1008


@pytest.mark.parametrize(
    ("identity", "protocol", "action", "payload", "answer"),
    [
        (
            "CP16",
            V16,
            "ChangeConfiguration",
            {"key": "AuthorizationKey", "value": b"a-new-password-00".hex()},
            {"status": "Accepted"},
        ),
        (
            "CS201",
            V201,
            "SetVariables",
            {
                "setVariableData": [
                    {
                        "attributeValue": "a-new-password-00",
                        "component": {"name": "SecurityCtrlr"},
                        "variable": {"name": "BasicAuthPassword"},
                    }
                ]
            },
            {
                "setVariableResult": [
                    {
                        "attributeStatus": "Accepted",
                        "component": {"name": "SecurityCtrlr"},
                        "variable": {"name": "BasicAuthPassword"},
                    }
                ]
            },
        ),
    ],
)
async def test_an_accepted_new_password_replaces_the_old_and_leaves_no_trace(
    server: Server,
    sqlite_db: Database,
    identity: str,
    protocol: str,
    action: str,
    payload: dict[str, Any],
    answer: dict[str, Any],
) -> None:
    async with server.station(identity, protocol, respond=lambda *_: answer):
        result = await server.commands.send("org", identity, action, payload)
        assert isinstance(result, CommandResult)
        assert result.state is CommandState.ANSWERED
    authenticate = server.central.service.authenticate
    assert await authenticate(identity, SECRET.encode()) is None
    assert await authenticate(identity, b"a-new-password-00") is not None
    async with sqlite_db.read(factories.TESTS) as reader:
        kept = [row["frame"] for row in await reader.all(select(frames.c.frame))]
        kept += [json.dumps(row["payload"]) for row in await reader.all(select(commands.c.payload))]
    assert "a-new-password-00" not in "".join(kept)
    assert b"a-new-password-00".hex() not in "".join(kept)


def test_every_call_of_both_versions_can_be_asked_for() -> None:
    assert (len(TO_STATION[Version.V16]), len(TO_STATION[Version.V201])) == (26, 40)


# --- the directory ------------------------------------------------------------------------------------


@pytest.fixture
def directory(server: Server, sqlite_db: Database) -> DirectoryService:
    return DirectoryService(db=sqlite_db, registry=server.central.registry)


async def test_a_station_reads_with_its_live_charge(server: Server, directory: DirectoryService) -> None:
    async with server.station() as point:
        start = {"connectorId": 1, "idTag": "04A1B2C3", "meterStart": 5, "timestamp": "2026-11-21T08:00:00Z"}
        number = (await point.answer("StartTransaction", start))["transactionId"]
        seen = await directory.station("org", "CP16")
    assert seen is not None
    assert (seen["connected"], seen["ocpp"], seen["boot"]) == (True, "1.6", {"vendor": "V", "model": "M"})
    assert [place["charging_transaction"] for place in seen["evses"]] == [number, None]
    page = await directory.charging_transactions("org", identity="CP16", is_open=True)
    assert [item["id"] for item in page.items] == [number]
    assert (await directory.charging_transactions("org", is_open=False)).items == []


async def test_stations_of_another_organisation_are_invisible(directory: DirectoryService) -> None:
    assert (await directory.stations("other")).items == []
    assert await directory.station("other", "CP16") is None


async def test_a_registered_station_can_connect(server: Server, directory: DirectoryService) -> None:
    evse = NewEvse(id=1, kind="ac22", phases=(1, 2, 3), max_a=32, min_a=6)
    new: dict[str, Any] = {"identity": "NEW", "station_id": "st", "new_evses": [evse], "security_profile": 1}
    made = await directory.register("org", **new, password=SECRET)
    assert not isinstance(made, Refused)
    assert [place["id"] for place in made["evses"]] == [1]
    assert await directory.register("org", **new, password=SECRET) == Refused(
        "conflict", {"charging_station": "NEW"}
    )
    assert await directory.register("org", **{**new, "station_id": "x"}, password=SECRET) == Refused(
        "unknown_station", {"station": "x"}
    )
    weak = await directory.register("org", **{**new, "identity": "W"}, password="short")
    assert isinstance(weak, Refused)
    assert basic("NEW", SECRET)
    async with server.station("NEW"):
        assert server.central.connected("NEW")


async def test_a_badge_is_created_once_whatever_its_case(directory: DirectoryService) -> None:
    new: dict[str, Any] = {"token_type": "ISO14443", "status": "Accepted"}
    assert await directory.create_id_token("org", token="AABB", **new) == {
        "token": "AABB",
        "type": "ISO14443",
        "status": "Accepted",
        "person": None,
        "parent": None,
        "expires_at": None,
    }
    assert await directory.create_id_token("org", token="aabb", **new) == Refused(
        "conflict", {"token": "aabb"}
    )
    assert [item["token"] for item in (await directory.id_tokens("org")).items] == [
        "04A1B2C3",
        "0LD",
        "AABB",
        "B10C",
        "D0D0D0D0",
    ]
