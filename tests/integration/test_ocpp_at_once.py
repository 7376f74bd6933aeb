"""Messages that are taken where they arrive: same order, same commit, same faults as those of the task."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import select, text

from supervision.clock import FixedClock
from supervision.store.db import Database, Job, StoreUnavailableError, Tx
from supervision.store.schema import charging_stations, frames, meter_values
from tests import factories
from tests.integration.ocpp_client import (
    SECRET,
    Server,
    basic,
    boot_payload,
    central_system,
    dial,
    until,
    write_stations,
)

STAMP = "2026-11-21T18:00:00Z"


@pytest.fixture
async def server(sqlite_db: Database, clock: FixedClock) -> AsyncIterator[Server]:
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, clock) as running:
        yield running


def call(message_id: str, action: str, payload: dict[str, Any]) -> str:
    return json.dumps([2, message_id, action, payload])


def readings(wh: int) -> dict[str, Any]:
    return {"connectorId": 1, "meterValue": [{"timestamp": STAMP, "sampledValue": [{"value": str(wh)}]}]}


async def rows(db: Database, statement: Any) -> list[dict[str, Any]]:
    async with db.read(factories.TESTS) as reader:
        return await reader.all(statement)


async def journal(db: Database) -> list[tuple[str, Any]]:
    """Direction and message id of every frame kept, oldest first."""
    found = await rows(db, select(frames).order_by(frames.c.id))
    return [(row["direction"], json.loads(row["frame"])[1]) for row in found]


async def test_messages_sent_without_waiting_are_answered_in_their_order(
    server: Server, sqlite_db: Database
) -> None:
    """Those that need rows only and those that need more, mixed: no answer overtakes another."""
    sent: list[tuple[str, dict[str, Any]]] = [
        ("Heartbeat", {}),
        ("BootNotification", boot_payload("ocpp1.6")),
        ("Heartbeat", {}),
        ("MeterValues", readings(1)),
        ("Authorize", {"idTag": "04A1B2C3"}),
        ("MeterValues", readings(2)),
        ("NoSuchAction", {}),
        ("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"}),
    ]
    async with dial(server, "/CP16", additional_headers=basic("CP16", SECRET)) as socket:
        for number, (action, payload) in enumerate(sent):
            await socket.send(call(f"m{number}", action, payload))
        answers = [json.loads(await socket.recv()) for _ in sent]
    assert [(answer[0], answer[1]) for answer in answers] == [
        (4 if action == "NoSuchAction" else 3, f"m{number}") for number, (action, _) in enumerate(sent)
    ]
    kept = await journal(sqlite_db)
    assert sorted(kept) == sorted((way, f"m{number}") for number in range(len(sent)) for way in ("in", "out"))


async def test_a_text_in_fragments_is_read_whole(server: Server) -> None:
    whole = call("f", "MeterValues", readings(7))
    async with dial(server, "/CP16", additional_headers=basic("CP16", SECRET)) as socket:
        await socket.send([whole[:20], whole[20:60], whole[60:]])
        await socket.send(call("after", "Heartbeat", {}))
        answers = [json.loads(await socket.recv()) for _ in range(2)]
    assert answers[0] == [3, "f", {}]
    assert answers[1][:2] == [3, "after"]


async def test_bytes_that_are_no_text_close_the_socket(server: Server) -> None:
    async with server.station() as point:
        await point.socket.send(b"[2,\xff]", text=True)
        await point.socket.wait_closed()
        assert point.socket.close_code == 1007


async def test_violations_of_a_message_taken_at_once_are_counted(server: Server, sqlite_db: Database) -> None:
    async with server.station() as point:
        assert await point.answer("MeterValues", {**readings(5), "vendorField": 1}) == {}
    of_station = select(charging_stations).where(charging_stations.c.identity == "CP16")

    async def left() -> bool:
        return (await rows(sqlite_db, of_station))[0]["disconnected_at"] is not None

    await until(left)
    (found,) = await rows(sqlite_db, of_station)
    assert found["violations"] == {"MeterValues.(payload).additionalProperties": 1}


async def test_a_reading_that_cannot_be_committed_is_not_answered(
    server: Server, sqlite_db: Database
) -> None:
    async def set_read_only(tx: Tx) -> None:
        await tx.execute(text("PRAGMA query_only=ON"))

    async with server.station() as point:
        await sqlite_db.write(factories.TESTS, set_read_only)
        await point.socket.send(call("lost", "MeterValues", readings(9)))
        await point.socket.wait_closed()
        assert point.socket.close_code == 1011
    assert ("in", "lost") not in await journal(sqlite_db)


async def test_a_reading_whose_rows_are_refused_is_kept_as_a_frame_and_answered(
    server: Server, sqlite_db: Database
) -> None:
    async def refuse_readings(tx: Tx) -> None:
        refusal = "BEFORE INSERT ON meter_values BEGIN SELECT RAISE(ABORT, 'refused'); END"
        await tx.execute(text(f"CREATE TRIGGER refuse_readings {refusal}"))

    await sqlite_db.write(factories.TESTS, refuse_readings)
    async with server.station() as point:
        assert await point.answer("MeterValues", readings(3)) == {}
        assert "currentTime" in await point.answer("Heartbeat", {})
    assert await rows(sqlite_db, select(meter_values.c.id)) == []
    problems = await rows(sqlite_db, select(frames.c.problem).where(frames.c.problem.is_not(None)))
    assert [row["problem"] for row in problems] == ["IntegrityError"]


async def test_a_station_that_goes_away_before_its_answer_disturbs_nobody(
    server: Server, sqlite_db: Database
) -> None:
    async with server.station("CS201", "ocpp2.0.1") as other:
        for number in range(20):
            async with dial(server, "/CP16", additional_headers=basic("CP16", SECRET)) as socket:
                await socket.send(call(f"gone{number}", "MeterValues", readings(number)))
                socket.transport.abort()
        assert "currentTime" in await other.answer("Heartbeat", {})


# --- the writer ---------------------------------------------------------------------------------------


async def test_jobs_are_settled_in_order_and_a_faulty_receiver_stops_no_other(sqlite_db: Database) -> None:
    told: list[tuple[int, BaseException | None]] = []

    def settle(number: int) -> Callable[[Any, BaseException | None], None]:
        def tell(_result: Any, error: BaseException | None) -> None:
            told.append((number, error))
            if number == 1:
                raise KeyError(number)

        return tell

    for number in range(3):
        sqlite_db.append_soon(Job(), settle(number))
    await sqlite_db.append(Job())
    assert told == [(0, None), (1, None), (2, None)]


async def test_a_closed_database_takes_no_job(database_url: str, clock: FixedClock) -> None:
    async with Database.open(database_url, clock=clock) as db:
        pass
    with pytest.raises(StoreUnavailableError):
        db.append_soon(Job(), lambda _result, _error: None)
