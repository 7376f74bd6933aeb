"""The persistent queue of commands: repeats, keys, cancelling, parts, and the end of a process."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import select, update

from supervision.clock import FixedClock
from supervision.csms.batches import BatchService, Targets
from supervision.csms.commands import CommandResult, CommandState
from supervision.csms.directory import DirectoryService
from supervision.csms.holding import BootPolicy
from supervision.csms.judgement import VerdictKind
from supervision.kernel.errors import Refused
from supervision.store.db import Database, Tx
from supervision.store.schema import charging_stations, commands, outbox_events
from tests import factories
from tests.factories import TESTS
from tests.integration.ocpp_client import (
    V16,
    V201,
    ChargePoint,
    Server,
    boot_payload,
    central_system,
    until,
    write_stations,
)

ACCEPTED = {"status": "Accepted"}
ASK: dict[str, Any] = {"key": ["HeartbeatInterval"]}
TOLD = {"configurationKey": [{"key": "HeartbeatInterval", "readonly": False, "value": "60"}]}


@pytest.fixture
async def server(sqlite_db: Database, clock: FixedClock) -> AsyncIterator[Server]:
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, clock) as running:
        yield running


def silent(_action: str, _payload: dict[str, Any]) -> None:
    return None


async def rows(db: Database) -> Sequence[Mapping[str, Any]]:
    async with db.read(TESTS) as reader:
        return await reader.all(select(commands).order_by(commands.c.created_at, commands.c.id))


async def row(db: Database) -> Mapping[str, Any]:
    (only,) = await rows(db)
    return only


async def ends(db: Database) -> list[str]:
    async with db.read(TESTS) as reader:
        events = await reader.all(select(outbox_events).where(outbox_events.c.name == "CommandFinished"))
    return [event["payload"]["state"] for event in events]


async def becomes(db: Database, *states: str) -> None:
    async def reached() -> bool:
        return [one["state"] for one in await rows(db)] == list(states)

    await until(reached)


async def queued(server: Server, action: str, payload: dict[str, Any], **options: Any) -> CommandResult:
    result = await server.commands.enqueue("org", options.pop("identity", "CP16"), action, payload, **options)
    assert isinstance(result, CommandResult)
    return result


async def sent(server: Server, action: str, payload: dict[str, Any], **options: Any) -> CommandResult:
    result = await server.commands.send("org", options.pop("identity", "CP16"), action, payload, **options)
    assert isinstance(result, CommandResult)
    return result


async def received(point: ChargePoint, count: int) -> None:
    await until(lambda: len(point.commands) >= count)


async def seen_before(server: Server, identity: str = "CP16", protocol: str = "ocpp1.6") -> None:
    """Let the station be known, and away."""
    async with server.station(identity, protocol):
        pass
    await until(lambda: not server.central.connected(identity))


async def error(point: ChargePoint, number: int, code: str) -> None:
    await point.socket.send(json.dumps([4, point.commands[number][1], code, "", {}]))


async def result(point: ChargePoint, number: int, payload: dict[str, Any]) -> None:
    await point.socket.send(json.dumps([3, point.commands[number][1], payload]))


# --- tried again ----------------------------------------------------------------------------------------


async def test_a_question_is_asked_again_after_its_pauses_under_ids_of_their_own(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    async with server.station(respond=silent) as point:
        command = await queued(server, "GetConfiguration", ASK)
        for number, pause_s in enumerate((30, 120, 600)):
            await received(point, number + 1)
            await error(point, number, "InternalError")
            await becomes(sqlite_db, "queued")
            assert (await row(sqlite_db))["tries"] == number + 1
            clock.advance(seconds=pause_s - 1)
            await server.commands.sweep()
            assert len(point.commands) == number + 1
            clock.advance(seconds=1)
            await server.commands.sweep()
        await received(point, 4)
        await error(point, 3, "InternalError")
        await becomes(sqlite_db, "error")
    assert [call[1] for call in point.commands] == [command.id, *(f"{command.id}.{n}.0" for n in (2, 3, 4))]
    assert [call[2:] for call in point.commands] == [["GetConfiguration", ASK]] * 4
    assert await ends(sqlite_db) == ["error"]


async def test_a_start_is_never_repeated(server: Server, sqlite_db: Database, clock: FixedClock) -> None:
    async with server.station(respond=silent) as point:
        await queued(server, "RemoteStartTransaction", {"idTag": "04A1B2C3"})
        await received(point, 1)
        await error(point, 0, "InternalError")
        await becomes(sqlite_db, "error")
        clock.advance(seconds=3600)
        await server.commands.sweep()
    assert len(point.commands) == 1


async def test_what_somebody_waits_for_is_sent_once(server: Server, sqlite_db: Database) -> None:
    async with server.station(respond=silent) as point, asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(sent(server, "GetConfiguration", ASK))
        await received(point, 1)
        await error(point, 0, "InternalError")
        assert (await sending).state is CommandState.ERROR
    assert (await row(sqlite_db))["tries_allowed"] == 1


async def test_a_refusal_is_not_asked_again(server: Server, sqlite_db: Database) -> None:
    async with server.station(respond=silent) as point:
        await queued(server, "GetConfiguration", ASK)
        await received(point, 1)
        await error(point, 0, "NotSupported")
        await becomes(sqlite_db, "error")


async def test_a_secret_is_sent_once_because_nothing_is_left_to_send_again(
    server: Server, sqlite_db: Database
) -> None:
    secret = {"key": "AuthorizationKey", "value": b"a-new-password-00".hex()}
    async with server.station(respond=silent) as point:
        await queued(server, "ChangeConfiguration", secret)
        await received(point, 1)
        await error(point, 0, "InternalError")
        await becomes(sqlite_db, "error")
    assert (await row(sqlite_db))["payload"] == {"key": "AuthorizationKey", "value": "***"}


async def test_a_question_whose_socket_broke_is_asked_on_the_next_one(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    async with server.station(respond=silent) as point:
        await queued(server, "GetConfiguration", ASK)
        await received(point, 1)
    await becomes(sqlite_db, "queued")
    async with server.station(respond=lambda *_: TOLD) as point:
        assert point.commands == []
        clock.advance(seconds=30)
        await server.commands.sweep()
        await becomes(sqlite_db, "answered")
    assert len(point.commands) == 1


async def test_a_command_left_unsent_by_its_socket_goes_through_the_one_that_replaced_it(
    server: Server, sqlite_db: Database
) -> None:
    async with server.station(respond=silent) as old:
        await queued(server, "GetConfiguration", ASK)
        await received(old, 1)
        await queued(server, "Reset", {"type": "Soft"})  # waits behind the unanswered one
        async with server.station() as new:
            await received(new, 1)
            assert [call[2] for call in new.commands] == ["Reset"]
    assert [call[2] for call in old.commands] == ["GetConfiguration"]


async def test_a_late_answer_spares_the_next_try(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    async with server.station(respond=silent) as point:
        await queued(server, "GetConfiguration", ASK)
        await received(point, 1)
    await becomes(sqlite_db, "queued")
    async with server.station(respond=silent) as again:
        await again.socket.send(json.dumps([3, point.commands[0][1], TOLD]))
        await becomes(sqlite_db, "answered")
        clock.advance(seconds=3600)
        await server.commands.sweep()
    assert again.commands == []
    assert (await row(sqlite_db))["response"] == TOLD
    assert await ends(sqlite_db) == ["answered"]


async def test_a_late_refusal_is_judged_too(server: Server, sqlite_db: Database) -> None:
    async with server.station(respond=silent) as point:
        late = await sent(server, "ClearCache", {}, timeout_s=0.1)
        assert (late.state, late.verdict) == (CommandState.TIMEOUT, None)
        await error(point, 0, "NotSupported")
        await point.answer("Heartbeat", {})
    kept = await server.commands.result("org", late.id)
    assert kept is not None
    assert kept.verdict is not None
    assert (kept.state, kept.verdict.kind) == (CommandState.TIMEOUT, VerdictKind.REFUSED)


# --- the end of a process -------------------------------------------------------------------------------


async def cut_off(db: Database, command_id: str) -> None:
    """Put a command where a killed process leaves it: sent, and nobody knows more."""

    async def unit(tx: Tx) -> None:
        values = {"state": "sent", "tries": 1, "finished_at": None, "due_at": None}
        await tx.execute(update(commands).where(commands.c.id == command_id).values(**values))

    await db.write(TESTS, unit)


@pytest.mark.parametrize(
    ("action", "payload", "states", "calls"),
    [
        ("GetConfiguration", ASK, ["queued", "answered"], 1),
        ("RemoteStartTransaction", {"idTag": "04A1B2C3"}, ["timeout", "timeout"], 0),
        ("RemoteStopTransaction", {"transactionId": 1}, ["timeout", "timeout"], 0),
        ("UnlockConnector", {"connectorId": 1}, ["timeout", "timeout"], 0),
    ],
)
async def test_after_the_end_of_the_process_only_what_may_be_repeated_is(
    sqlite_db: Database,
    clock: FixedClock,
    action: str,
    payload: dict[str, Any],
    states: list[str],
    calls: int,
) -> None:
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, clock) as server:
        await seen_before(server)
        command = await queued(server, action, payload, expires_s=3600)
    await cut_off(sqlite_db, command.id)
    async with central_system(sqlite_db, clock) as server, server.station(respond=lambda *_: TOLD) as point:
        assert (await row(sqlite_db))["state"] == states[0]
        clock.advance(seconds=30)
        await server.commands.sweep()
        await becomes(sqlite_db, states[1])
        assert len(point.commands) == calls


async def test_what_was_not_sent_is_after_the_end_of_the_process(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, clock) as server:
        await seen_before(server)
        await queued(server, "RemoteStopTransaction", {"transactionId": 7}, expires_s=3600)
    async with central_system(sqlite_db, clock) as server, server.station() as point:
        await becomes(sqlite_db, "answered")
    assert [call[2:] for call in point.commands] == [["RemoteStopTransaction", {"transactionId": 7}]]


async def test_a_command_for_another_version_than_the_station_turns_out_to_speak_is_refused(
    server: Server, sqlite_db: Database
) -> None:
    command = await queued(server, "GetVariables", {"getVariableData": []})
    assert command.state is CommandState.QUEUED
    async with server.station() as point:
        await becomes(sqlite_db, "refused")
    assert point.commands == []
    kept = await server.commands.result("org", command.id)
    assert kept is not None
    assert kept.error is not None
    assert (kept.error["code"], kept.verdict) == ("unknown_action", None)


# --- keys -----------------------------------------------------------------------------------------------


async def test_the_same_key_is_the_same_command(server: Server, sqlite_db: Database) -> None:
    async with server.station() as point:
        first = await sent(server, "Reset", {"type": "Soft"}, idempotency_key="k1")
        again = await sent(server, "Reset", {"type": "Soft"}, idempotency_key="k1")
        other = await sent(server, "Reset", {"type": "Soft"}, idempotency_key="k2")
    assert first == again
    assert first.id != other.id
    assert len(point.commands) == len(await rows(sqlite_db)) == 2


async def test_a_key_belongs_to_one_payload(server: Server) -> None:
    async with server.station() as point:
        await sent(server, "Reset", {"type": "Soft"}, idempotency_key="k1")
        answer = await server.commands.send("org", "CP16", "Reset", {"type": "Hard"}, idempotency_key="k1")
    assert answer == Refused("conflict", {"idempotency_key": "k1"})
    assert len(point.commands) == 1


async def test_a_key_is_of_one_station(server: Server, sqlite_db: Database) -> None:
    for identity in ("CP16", "CS201"):
        await queued(server, "ClearCache", {}, idempotency_key="k1", identity=identity)
    assert sorted(one["charging_station"] for one in await rows(sqlite_db)) == ["CP16", "CS201"]


async def test_a_repeated_request_waits_for_the_command_on_its_way(server: Server) -> None:
    async with server.station(respond=silent) as point, asyncio.TaskGroup() as tasks:
        both = [
            tasks.create_task(sent(server, "Reset", {"type": "Soft"}, idempotency_key="k1")) for _ in range(2)
        ]
        await received(point, 1)
        await point.answer("Heartbeat", {})
        await result(point, 0, {"status": "Accepted"})
        first, second = [await one for one in both]
    assert first == second
    assert first.state is CommandState.ANSWERED
    assert len(point.commands) == 1


async def test_a_repeated_queued_command_is_answered_as_it_stands(
    server: Server, sqlite_db: Database
) -> None:
    await seen_before(server)
    first = await queued(server, "ClearCache", {}, idempotency_key="k1")
    assert await queued(server, "ClearCache", {}, idempotency_key="k1") == first
    assert len(await rows(sqlite_db)) == 1


async def test_a_refused_command_keeps_its_key(server: Server) -> None:
    first = await sent(server, "Dance", {}, idempotency_key="k1")
    assert first.state is CommandState.REFUSED
    assert (await sent(server, "Dance", {}, idempotency_key="k1")).id == first.id


async def test_twenty_requests_at_once_with_one_key_are_one_command(db: Database, clock: FixedClock) -> None:
    await write_stations(db)
    async with central_system(db, clock) as server, server.station() as point:
        requests = (sent(server, "Reset", {"type": "Soft"}, idempotency_key="k1") for _ in range(20))
        results = await asyncio.gather(*requests)
        assert {one.id for one in results} == {(await row(db))["id"]}
    assert len(point.commands) == 1


# --- cancelling -----------------------------------------------------------------------------------------


async def test_a_waiting_command_is_cancelled_and_never_sent(server: Server, sqlite_db: Database) -> None:
    await seen_before(server)
    command = await queued(server, "ClearCache", {}, expires_s=3600)
    for _ in range(2):  # the second time changes nothing
        cancelled = await server.commands.cancel("org", "CP16", command.id)
        assert cancelled == CommandResult(id=command.id, state=CommandState.CANCELLED)
    async with server.station() as point:
        await point.answer("Heartbeat", {})
    assert point.commands == []
    assert await ends(sqlite_db) == ["cancelled"]


async def test_a_command_behind_another_is_cancelled_and_its_caller_learns_of_it(
    server: Server, sqlite_db: Database
) -> None:
    async with server.station(respond=silent) as point, asyncio.TaskGroup() as tasks:
        first = tasks.create_task(sent(server, "ClearCache", {}))
        await received(point, 1)
        second = tasks.create_task(sent(server, "Reset", {"type": "Soft"}))

        async def both_are_there() -> bool:
            return len(await rows(sqlite_db)) == 2

        await until(both_are_there)
        waiting = next(one["id"] for one in await rows(sqlite_db) if one["action"] == "Reset")
        await server.commands.cancel("org", "CP16", waiting)
        assert (await second).state is CommandState.CANCELLED
        await result(point, 0, {"status": "Accepted"})
        assert (await first).state is CommandState.ANSWERED
    assert [call[2] for call in point.commands] == ["ClearCache"]


async def test_what_was_sent_or_has_ended_cannot_be_cancelled(server: Server) -> None:
    async with server.station(respond=silent) as point, asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(sent(server, "ClearCache", {}))
        await received(point, 1)
        command_id = point.commands[0][1]
        refused = await server.commands.cancel("org", "CP16", command_id)
        assert refused == Refused("already_sent", {"command": command_id})
        await result(point, 0, {"status": "Accepted"})
        await sending
        refused = await server.commands.cancel("org", "CP16", command_id)
        assert refused == Refused("already_ended", {"command": command_id, "state": "answered"})


async def test_a_command_of_another_station_or_organisation_is_unknown(server: Server) -> None:
    command = await queued(server, "ClearCache", {})
    unknown = Refused("unknown_command", {"command": command.id})
    assert await server.commands.cancel("org", "CS201", command.id) == unknown
    assert await server.commands.cancel("other", "CP16", command.id) == unknown


# --- parts ----------------------------------------------------------------------------------------------


def variables(count: int) -> list[dict[str, Any]]:
    return [{"component": {"name": "C"}, "variable": {"name": f"V{n}"}} for n in range(count)]


def read(_action: str, payload: dict[str, Any]) -> dict[str, Any]:
    results = [
        {**one, "attributeStatus": "Accepted", "attributeValue": "1"} for one in payload["getVariableData"]
    ]
    return {"getVariableResult": results}


async def teach(db: Database, capabilities: dict[str, Any]) -> None:
    async def unit(tx: Tx) -> None:
        table = charging_stations
        await tx.execute(update(table).where(table.c.identity == "CS201").values(capabilities=capabilities))

    await db.write(TESTS, unit)


async def test_a_list_that_broke_off_keeps_the_answers_it_got(server: Server, sqlite_db: Database) -> None:
    await teach(sqlite_db, {"items_per_message": {"GetVariables": 2}})

    def first_only(action: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        return read(action, payload) if payload["getVariableData"][0] == variables(1)[0] else None

    async with server.station("CS201", V201, respond=first_only) as point:
        wanted = {"getVariableData": variables(3)}
        ended = await sent(server, "GetVariables", wanted, identity="CS201", timeout_s=0.5)
        assert ended.state is CommandState.TIMEOUT
        assert ended.response == read("", {"getVariableData": variables(2)})
        assert ended.verdict is not None
        assert [(item.subject, item.word) for item in ended.verdict.items] == [("C.V2", "NoAnswer")]
        await result(point, 1, read("", {"getVariableData": variables(3)[2:]}))
        await point.answer("Heartbeat", {})
    late = await server.commands.result("org", ended.id)
    assert late is not None
    assert late.verdict is not None
    assert (late.response, late.verdict.kind) == (read("", wanted), VerdictKind.DONE)
    assert [call[1] for call in point.commands] == [ended.id, f"{ended.id}.1.1"]


async def test_a_limit_that_was_reported_is_kept(server: Server) -> None:
    """Each message has its limit: they are instances of one variable, and are not mixed up."""
    limits = {"GetVariables": "2", "GetReport": "1", "SetVariables": "9"}
    data = [
        {
            "component": {"name": "DeviceDataCtrlr"},
            "variable": {"name": "ItemsPerMessage", "instance": name},
            "variableAttribute": [{"value": value}],
        }
        for name, value in limits.items()
    ]
    report = {"requestId": 1, "generatedAt": "2026-11-21T08:00:00Z", "seqNo": 0, "reportData": data}
    async with server.station("CS201", V201, respond=read) as point:
        assert await point.answer("NotifyReport", report) == {}
        ended = await sent(server, "GetVariables", {"getVariableData": variables(3)}, identity="CS201")
    assert [len(call[3]["getVariableData"]) for call in point.commands] == [2, 1]
    assert ended.response == read("", {"getVariableData": variables(3)})


async def test_an_urgent_command_goes_between_two_parts(server: Server, sqlite_db: Database) -> None:
    await teach(sqlite_db, {"variables": {"DeviceDataCtrlr.ItemsPerMessage[GetVariables]": "1"}})
    async with server.station("CS201", V201, respond=silent) as point, asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(
            sent(server, "GetVariables", {"getVariableData": variables(2)}, identity="CS201")
        )
        await received(point, 1)
        stopping = tasks.create_task(
            sent(server, "RequestStopTransaction", {"transactionId": "t"}, identity="CS201")
        )

        async def both_are_there() -> bool:
            return len(await rows(sqlite_db)) == 2

        await until(both_are_there)
        await result(point, 0, read("", point.commands[0][3]))
        await received(point, 2)
        await result(point, 1, {"status": "Accepted"})
        await received(point, 3)
        await result(point, 2, read("", point.commands[2][3]))
        assert (await asking).state is (await stopping).state is CommandState.ANSWERED
    assert [call[2] for call in point.commands] == ["GetVariables", "RequestStopTransaction", "GetVariables"]


# --- both databases ---------------------------------------------------------------------------------------


async def test_a_batch_lives_its_life_on_both_databases(db: Database, clock: FixedClock) -> None:
    """One station answers at the second try, one is away until the batch has expired, one is called off."""
    await write_stations(db)

    async def unit(tx: Tx) -> None:
        await factories.charging_station(tx, identity="CP99")

    await db.write(TESTS, unit)
    async with central_system(db, clock) as server, server.station(respond=silent) as point:
        batches = BatchService(db=db, clock=clock, commands=server.commands)
        made = await batches.create(
            "org", Targets(station_id="st"), lambda _: ("GetConfiguration", ASK), expires_s=3600
        )
        assert not isinstance(made, Refused)
        await server.commands.sweep()
        await received(point, 1)
        await error(point, 0, "InternalError")

        async def waits_again() -> bool:
            return any(one["tries"] == 1 and one["state"] == "queued" for one in await rows(db))

        await until(waits_again)
        away = next(one["id"] for one in made["commands"] if one["charging_station"] == "CP99")
        await server.commands.cancel("org", "CP99", away)
        clock.advance(seconds=30)
        await server.commands.sweep()
        await received(point, 2)
        await result(point, 1, TOLD)
        clock.advance(seconds=3600)
        await server.commands.sweep()

        async def over() -> bool:
            return not {"queued", "sent"} & {one["state"] for one in await rows(db)}

        await until(over)
        told = await batches.batch("org", made["id"])
        assert told is not None
        assert [(one["charging_station"], one["state"], one["tries"]) for one in told["commands"]] == [
            ("CP16", "answered", 2),
            ("CP99", "cancelled", 0),
            ("CS201", "offline", 0),
        ]
        page = await batches.batches("org", limit=1)
        assert [one["states"] for one in page.items] == [{"answered": 1, "cancelled": 1, "offline": 1}]
        assert page.next is None


# --- boots that are not accepted any more ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "refused"),
    [
        (BootPolicy.REJECT, {"RemoteStartTransaction", "GetConfiguration"}),
        (BootPolicy.PENDING, {"RemoteStartTransaction"}),
    ],
)
async def test_what_waited_behind_a_call_is_not_sent_to_a_station_held_since(
    server: Server, sqlite_db: Database, policy: BootPolicy, refused: set[str]
) -> None:
    """A start and a question wait for their turn while the station boots anew and is not let in."""

    async def ended() -> bool:
        return {one["state"] for one in await rows(sqlite_db)} <= {"answered", "refused"}

    async with server.station(respond=silent) as point:
        await queued(server, "UnlockConnector", {"connectorId": 1})
        await received(point, 1)
        await queued(server, "RemoteStartTransaction", {"idTag": "04A1B2C3"})
        await queued(server, "GetConfiguration", ASK)
        directory = DirectoryService(db=sqlite_db, registry=server.central.registry)
        await directory.set_boot_policy("org", "CP16", policy)
        await point.answer("BootNotification", boot_payload(V16))
        await result(point, 0, {"status": "Unlocked"})
        if policy is BootPolicy.PENDING:
            await received(point, 2)
            await result(point, 1, TOLD)
        await until(ended)
    assert "RemoteStartTransaction" not in [call[2] for call in point.commands]
    kept = [one for one in await rows(sqlite_db) if one["state"] != "answered"]
    assert {one["action"] for one in kept} == refused
    assert {(one["state"], one["error"]["code"]) for one in kept} == {("refused", "boot_not_accepted")}


# --- one outstanding CALL each way ------------------------------------------------------------------------


async def test_calls_of_a_station_that_cross_ours_change_nothing(server: Server, sqlite_db: Database) -> None:
    """Before each answer the station calls us twice, once under the id of our own CALL."""
    crossing: list[str] = []
    async with server.station(respond=silent) as point, asyncio.TaskGroup() as tasks:
        sending = [
            tasks.create_task(sent(server, action, payload))
            for action, payload in (
                ("ClearCache", {}),
                ("Reset", {"type": "Soft"}),
                ("GetConfiguration", ASK),
            )
        ]
        for number in range(3):
            await received(point, number + 1)
            own = point.commands[number][1]
            for message_id in (own, f"x{number}"):
                answer = await point.exchange(message_id, json.dumps([2, message_id, "Heartbeat", {}]))
                crossing.append(answer[1])
                assert len(point.commands) == number + 1
            await result(point, number, TOLD if point.commands[number][2] == "GetConfiguration" else ACCEPTED)
        results = [await one for one in sending]
    assert crossing == [name for n in range(3) for name in (point.commands[n][1], f"x{n}")]
    assert [one.state for one in results] == [CommandState.ANSWERED] * 3
    assert {one["state"] for one in await rows(sqlite_db)} == {"answered"}


@pytest.mark.parametrize("seed", range(4))
async def test_one_call_is_outstanding_each_way_in_any_order(server: Server, seed: int) -> None:
    """Commands, answers, wrong answers and the station's own CALLs fall as they may."""
    chance = random.Random(seed)
    unanswered: list[list[Any]] = []
    most = 0

    def keep(action: str, payload: dict[str, Any]) -> None:
        nonlocal most
        unanswered.append([action, payload])
        most = max(most, len(unanswered))

    async with server.station(respond=keep) as point, asyncio.TaskGroup() as tasks:
        sending: list[asyncio.Task[CommandResult]] = []
        while len(sending) < 12 or unanswered or not all(task.done() for task in sending):
            step = chance.choice(("command", "answer", "wrong answer", "crossing CALL"))
            if step == "command" and len(sending) < 12:
                action, payload = chance.choice((("ClearCache", {}), ("Reset", {"type": "Soft"})))
                sending.append(tasks.create_task(sent(server, action, payload)))
            elif step == "answer" and unanswered:
                unanswered.clear()
                await result(point, -1, ACCEPTED)
            elif step == "wrong answer" and chance.random() < 0.2:
                await point.socket.send(json.dumps([4, "nobody", "InternalError", "", {}]))
            else:
                assert "currentTime" in await point.answer("Heartbeat", {})
    assert most == 1
    assert [task.result().state for task in sending] == [CommandState.ANSWERED] * 12
    assert len({call[1] for call in point.commands}) == len(point.commands) == 12
