"""Commands through the API, answered by stations on real sockets: verdicts, keys, cancelling, batches."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import pytest
from sqlalchemy import insert, update

from supervision.clock import FixedClock
from supervision.csms.commands import CommandService
from supervision.store.db import Tx
from supervision.store.schema import charging_stations
from tests.factories import TESTS
from tests.integration.ocpp_client import V201, ChargePoint, Responder, Server, central_system, until
from tests.serving import World

CP16 = "/charging-stations/CP16/commands"
RESET = {"action": "Reset", "payload": {"type": "Soft"}}
ACCEPTED = {"status": "Accepted"}


def answers(word: str) -> Responder:
    return lambda *_: {"status": word}


WHOLE_DONE: dict[str, Any] = {"kind": "done", "word": "Accepted", "awaits": None, "reason": None, "items": []}


@pytest.fixture
async def server(world: World, clock: FixedClock) -> AsyncIterator[Server]:
    services = world.services
    async with central_system(
        services.db, clock, registry=services.registry, commands=services.commands
    ) as running:
        yield running


def silent(_action: str, _payload: dict[str, Any]) -> None:
    return None


async def test_the_answer_comes_with_what_it_means(world: World, server: Server) -> None:
    api = world.api("manager")
    async with server.station("CP16"):
        status, answer = await api.post(CP16, RESET)
    verdict: dict[str, Any] = {
        "kind": "pending",
        "word": "Accepted",
        "awaits": "restart",
        "reason": None,
        "items": [],
    }
    assert (status, answer) == (
        200,
        {"id": answer["id"], "state": "answered", "response": ACCEPTED, "error": None, "verdict": verdict},
    )
    assert await api.get(f"{CP16}/{answer['id']}") == (
        200,
        {
            "id": answer["id"],
            "charging_station": "CP16",
            "action": "Reset",
            "payload": {"type": "Soft"},
            "state": "answered",
            "response": ACCEPTED,
            "error": None,
            "verdict": verdict,
            "late": False,
            "tries": 1,
            "origin": "api",
            "batch": None,
            "created_at": "2026-11-21T08:00:00Z",
            "due_at": None,
            "expires_at": "2026-11-21T08:00:30Z",
            "sent_at": "2026-11-21T08:00:00Z",
            "finished_at": "2026-11-21T08:00:00Z",
        },
    )


async def test_a_late_answer_shows_as_late(world: World, server: Server) -> None:
    async with server.station("CP16", respond=silent) as point:
        _, answer = await world.api("manager").post(CP16, {"action": "ClearCache", "timeout_s": 0.1})
        assert (answer["state"], answer["verdict"]) == ("timeout", None)
        await point.socket.send(json.dumps([3, answer["id"], ACCEPTED]))
        await point.answer("Heartbeat", {})
    _, found = await world.api("manager").get(f"{CP16}/{answer['id']}")
    assert (found["state"], found["late"], found["verdict"]) == ("timeout", True, WHOLE_DONE)


async def test_a_key_makes_one_command_of_two_requests(world: World, server: Server) -> None:
    api = world.api("manager")

    async def post(body: dict[str, Any], key: str) -> tuple[int, Any]:
        answer = await api.call("POST", CP16, json=body, headers={"idempotency-key": key})
        return answer.status_code, answer.json()

    async with server.station("CP16") as point:
        first = await post(RESET, "k1")
        assert await post(RESET, "k1") == first
        status, refused = await post({"action": "Reset", "payload": {"type": "Hard"}}, "k1")
        assert (status, refused["code"], refused["details"]) == (409, "conflict", {"idempotency_key": "k1"})
    assert [call[1] for call in point.commands] == [first[1]["id"]]


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "\tx"])
async def test_a_key_that_is_none_is_refused(world: World, key: str) -> None:
    answer = await world.api("manager").call("POST", CP16, json=RESET, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["details"]) == (422, {"field": "Idempotency-Key"})


async def test_a_command_left_in_the_queue_is_cancelled_once_and_not_after_it_was_sent(
    world: World, server: Server
) -> None:
    api = world.api("manager")
    status, queued = await api.post(CP16, {**RESET, "wait": False, "expires_s": 3600})
    assert (status, queued["state"]) == (200, "queued")
    status, cancelled = await api.post(f"{CP16}/{queued['id']}/cancel")
    assert (status, cancelled["state"]) == (200, "cancelled")
    async with server.station("CP16") as point:
        _, answered = await api.post(CP16, RESET)
        status, refused = await api.post(f"{CP16}/{answered['id']}/cancel")
        assert (status, refused["code"]) == (409, "already_ended")
    assert [call[1] for call in point.commands if call[1] == queued["id"]] == []


async def test_what_was_sent_cannot_be_called_off(world: World, server: Server) -> None:
    async with server.station("CP16", respond=silent) as point:
        await world.api("manager").post(CP16, {**RESET, "wait": False})
        await until(lambda: len(point.commands) == 1)
        status, refused = await world.api("manager").post(f"{CP16}/{point.commands[0][1]}/cancel")
    assert (status, refused["code"]) == (409, "already_sent")


async def test_only_a_command_left_in_the_queue_has_an_expiry(world: World) -> None:
    status, refused = await world.api("manager").post(CP16, {**RESET, "expires_s": 60})
    assert (status, refused["details"]) == (422, {"field": "expires_s"})


async def test_a_secret_that_waits_is_not_shown(world: World) -> None:
    body = {"action": "ChangeConfiguration", "payload": {"key": "AuthorizationKey", "value": "abcdef"}}
    _, queued = await world.api("manager").post(CP16, {**body, "wait": False})
    _, found = await world.api("manager").get(f"{CP16}/{queued['id']}")
    assert found["payload"] == {"key": "AuthorizationKey", "value": "***"}


# --- batches --------------------------------------------------------------------------------------------


async def ended(world: World, batch: str) -> Any:
    """Wait until every command of the batch has ended; return the batch."""
    found: dict[str, Any] = {}

    async def over() -> bool:
        nonlocal found
        _, found = await world.api("manager").get(f"/command-batches/{batch}")
        return not {"queued", "sent"} & set(found["states"])

    await until(over)
    return found


async def test_a_batch_has_a_result_for_each_station(world: World, server: Server) -> None:
    """One accepts, one refuses, one speaks another version and is never asked."""
    async with AsyncExitStack() as stack:
        points = {
            identity: await stack.enter_async_context(
                server.station(identity, protocol, respond=answers(word))
            )
            for identity, protocol, word in (
                ("CP16", "ocpp1.6", "Accepted"),
                ("CP17", "ocpp1.6", "Rejected"),
                ("CP18", V201, "Accepted"),
            )
        }
        await until(lambda: all(server.central.connected(identity) for identity in points))
        body = {"action": "ChangeConfiguration", "payload": {"key": "A", "value": "1"}, "station": "st"}
        status, made = await world.api("manager").post("/command-batches", body)
        assert (status, made["total"], made["action"]) == (201, 3, "ChangeConfiguration")
        batch = await ended(world, made["id"])
    assert batch["states"] == {"answered": 2, "refused": 1}
    assert [
        (one["charging_station"], one["state"], one["verdict"] and one["verdict"]["kind"], one["batch"])
        for one in batch["commands"]
    ] == [
        ("CP16", "answered", "done", made["id"]),
        ("CP17", "answered", "refused", made["id"]),
        ("CP18", "refused", None, made["id"]),
    ]
    assert [len(points[name].commands) for name in ("CP16", "CP17", "CP18")] == [1, 1, 0]


async def test_a_batch_waits_for_a_station_that_is_away(world: World, server: Server) -> None:
    api = world.api("manager")
    _, made = await api.post("/command-batches", {"action": "ClearCache", "charging_stations": ["CP17"]})
    assert made["states"] == {"queued": 1}
    async with server.station("CP17"):
        batch = await ended(world, made["id"])
    assert [one["verdict"] for one in batch["commands"]] == [WHOLE_DONE]


async def test_what_was_not_sent_of_a_batch_is_called_off(world: World, server: Server) -> None:
    api = world.api("manager")
    body = {"action": "ClearCache", "charging_stations": ["CP17", "CP18", "CP17"]}
    _, made = await api.post("/command-batches", body)
    assert made["total"] == 2
    status, batch = await api.post(f"/command-batches/{made['id']}/cancel")
    assert (status, batch["states"]) == (200, {"cancelled": 2})
    async with server.station("CP17") as point:
        await point.answer("Heartbeat", {})
    assert point.commands == []


async def test_a_batch_goes_to_stations_by_what_they_told_at_boot(world: World) -> None:
    api = world.api("manager")

    async def unit(tx: Tx) -> None:
        for identity, firmware in (("CP16", "1"), ("CP17", "2"), ("R-CP16", "2")):
            boot = {"vendor": "V", "model": "M", "firmware": firmware}
            table = charging_stations
            await tx.execute(update(table).where(table.c.identity == identity).values(boot=boot))

    await world.services.db.write(TESTS, unit)
    criteria: list[tuple[dict[str, Any], list[str]]] = [
        ({"vendor": "V"}, ["CP16", "CP17"]),
        ({"model": "M", "firmware": "2"}, ["CP17"]),
        ({"firmware": "2", "charging_stations": ["CP17", "CP18"]}, ["CP17"]),
        ({"station": "st"}, ["CP16", "CP17", "CP18"]),
    ]
    for criterion, identities in criteria:
        _, made = await api.post("/command-batches", {"action": "ClearCache", **criterion})
        assert [one["charging_station"] for one in made["commands"]] == identities


@pytest.mark.parametrize(
    ("criterion", "status", "code"),
    [
        ({}, 422, "invalid_field"),
        ({"vendor": "Nobody"}, 422, "no_charging_station"),
        ({"station": "nowhere"}, 404, "unknown_station"),
        ({"charging_stations": ["CP16", "NO-1"]}, 404, "unknown_charging_station"),
        ({"charging_stations": ["R-CP16"]}, 404, "unknown_charging_station"),
        ({"charging_stations": []}, 422, "invalid_field"),
    ],
)
async def test_a_batch_without_a_target_is_refused(
    world: World, criterion: dict[str, Any], status: int, code: str
) -> None:
    answer = await world.api("manager").post("/command-batches", {"action": "ClearCache", **criterion})
    assert (answer[0], answer[1]["code"]) == (status, code)


async def test_a_key_makes_one_batch_of_two_requests(world: World) -> None:
    api = world.api("manager")

    async def post(action: str) -> tuple[int, Any]:
        body = {"action": action, "station": "st"}
        answer = await api.call("POST", "/command-batches", json=body, headers={"Idempotency-Key": "k1"})
        return answer.status_code, answer.json()

    first = await post("ClearCache")
    assert await post("ClearCache") == first
    status, refused = await post("GetConfiguration")
    assert (status, refused["code"]) == (409, "conflict")
    _, page = await api.get("/command-batches")
    assert len(page["items"]) == 4  # three were there


async def test_a_batch_never_has_more_than_its_share_on_the_way(world: World, clock: FixedClock) -> None:
    """Of twelve stations three are asked at once; each answer lets the next one go."""
    services = world.services
    names = [f"B{n}" for n in range(12)]

    async def unit(tx: Tx) -> None:
        for name in names:
            row = {"identity": name, "organisation_id": "org", "station_id": "st", "security_profile": 0}
            await tx.execute(insert(charging_stations).values(**row))

    await services.db.write(TESTS, unit)
    commands = CommandService(db=services.db, clock=clock, registry=services.registry, max_bulk=3)
    async with (
        central_system(services.db, clock, registry=services.registry, commands=commands) as server,
        AsyncExitStack() as stack,
    ):
        points = [await stack.enter_async_context(server.station(n, respond=silent)) for n in names]
        assert await _asked_in_turn(world, commands, points) == [3] * 10 + [2, 1]


def _asked(points: list[ChargePoint], count: int) -> bool:
    return sum(len(point.commands) for point in points) == count


async def _asked_in_turn(world: World, commands: CommandService, points: list[ChargePoint]) -> list[int]:
    """Answer one station after another; return how many were being asked before each answer."""
    body = {"action": "ClearCache", "charging_stations": [f"B{n}" for n in range(12)]}
    await world.api("manager").post("/command-batches", body)
    seen: list[int] = []
    answered: set[str] = set()
    for count in range(12):
        expected = min(count + 3, 12)
        await commands.sweep()
        await until(partial(_asked, points, expected))
        open_calls = [point for point in points for call in point.commands if call[1] not in answered]
        seen.append(len(open_calls))
        message_id = open_calls[0].commands[0][1]
        answered.add(message_id)
        await open_calls[0].socket.send(json.dumps([3, message_id, ACCEPTED]))
    return seen
