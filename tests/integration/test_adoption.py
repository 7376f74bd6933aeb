"""Unknown charging stations: refused as ever, noted, listed to the right people, adopted by hand."""

from __future__ import annotations

import asyncio
import re
import socket
from typing import Any

import pytest
import websockets
from sqlalchemy import select
from starlette.applications import Starlette

from supervision.app import web_server
from supervision.clock import FixedClock
from supervision.csms.adoption import MOST_ROWS, Adopted, AdoptionService
from supervision.csms.directory import DirectoryService, NewEvse
from supervision.csms.registry import Registry
from supervision.kernel.errors import Refused
from supervision.store.db import Database
from supervision.store.schema import audit_entries, charging_stations, unknown_stations
from tests import factories
from tests.factories import NOW, TESTS
from tests.integration.ocpp_client import (
    V16,
    V201,
    Server,
    basic,
    central_system,
    dial,
    refused_with,
    until,
    write_stations,
)
from tests.serving import World

EVSE = NewEvse(id=1, kind="ac22", phases=(1, 2, 3), max_a=32, min_a=6)
OFFERS = {"subprotocols": [websockets.Subprotocol(name) for name in (V201, V16)]}


def adoption_of(db: Database, clock: FixedClock) -> AdoptionService:
    return AdoptionService(db=db, clock=clock, directory=DirectoryService(db=db, registry=Registry()))


async def stored(db: Database) -> list[dict[str, Any]]:
    async with db.read(TESTS) as reader:
        return await reader.all(select(unknown_stations).order_by(unknown_stations.c.identity))


async def knock(
    server: Server, identity: str, secret: str | None = "a-password-of-its-own"
) -> tuple[int, bytes]:
    headers = {} if secret is None else basic(identity, secret)
    return await refused_with(server, f"/{identity}", additional_headers=headers, **OFFERS)


async def test_stranger_is_refused_and_noted_without_its_password(db: Database, clock: FixedClock) -> None:
    await write_stations(db)
    adoption = adoption_of(db, clock)
    async with central_system(db, clock, adoption=adoption) as server:
        assert await knock(server, "NEW-1") == (401, b"Unauthorized\n")
        assert await knock(server, "NEW-2", secret=None) == (401, b"Unauthorized\n")
        assert await knock(server, "CP16", secret="wrong-wrong-wrong") == (401, b"Unauthorized\n")
        assert (await refused_with(server, "/not%20formed"))[0] == 401
    assert await adoption.write_due() == 2
    first, second = await stored(db)
    assert first == {
        "identity": "NEW-1",
        "address": "127.0.0.1",
        "first_seen_at": NOW,
        "last_seen_at": NOW,
        "attempts": 1,
        "offered": [V201, V16],
        "sent_password": True,
    }
    assert (second["identity"], second["sent_password"]) == ("NEW-2", False)
    assert "a-password-of-its-own" not in repr(await stored(db))
    async with db.read(TESTS) as reader:
        known = await reader.all(select(charging_stations.c.identity))
    assert {row["identity"] for row in known} == {"CP16", "CS201"}


async def test_storm_of_one_stranger_is_one_row_a_minute(sqlite_db: Database, clock: FixedClock) -> None:
    await write_stations(sqlite_db)
    adoption = adoption_of(sqlite_db, clock)
    async with central_system(sqlite_db, clock, adoption=adoption) as server:
        written = []
        for _ in range(4):
            for _ in range(5):
                await knock(server, "NEW-1")
            written.append(await adoption.write_due())
            clock.advance(seconds=20)
    assert written == [1, 0, 0, 1]
    (row,) = await stored(sqlite_db)
    assert (row["attempts"], row["first_seen_at"]) == (20, NOW)
    assert (row["last_seen_at"] - NOW).total_seconds() == 60


async def test_oldest_rows_make_room(db: Database, clock: FixedClock) -> None:
    adoption = adoption_of(db, clock)
    for minute in range(MOST_ROWS // 20 + 1):
        for number in range(20):
            adoption.note(f"N{minute:03}-{number:02}", "192.0.2.1", [], sent_password=False)
        assert await adoption.write_due() == 20
        clock.advance(seconds=60)
    rows = await stored(db)
    assert len(rows) == MOST_ROWS
    assert min(row["identity"] for row in rows) == "N001-00"


async def test_adopted_station_connects_with_the_password_told_once(db: Database, clock: FixedClock) -> None:
    await write_stations(db)
    adoption = adoption_of(db, clock)
    async with central_system(db, clock, adoption=adoption) as server:
        await knock(server, "NEW-1")
        await adoption.write_due()
        made = await adoption.adopt("org", "NEW-1", station_id="st", new_evses=[EVSE], by_person_id="m1")
        assert isinstance(made, Adopted)
        assert re.fullmatch("[0-9a-f]{32}", made.password or "")
        async with dial(server, "/NEW-1", additional_headers=basic("NEW-1", made.password or "")):
            assert made.document["identity"] == "NEW-1"
        assert (await knock(server, "NEW-1"))[0] == 401
        assert await adoption.write_due() == 0
    assert await stored(db) == []
    async with db.read(TESTS) as reader:
        (entry,) = await reader.all(select(audit_entries))
    assert (entry["action"], entry["subject"], entry["person_id"]) == (
        "charging_station_adopted",
        "NEW-1",
        "m1",
    )
    assert str(made.password) not in repr(entry)


async def test_only_who_knocked_is_adopted(sqlite_db: Database, clock: FixedClock) -> None:
    await write_stations(sqlite_db)
    adoption = adoption_of(sqlite_db, clock)
    for identity in ("NEVER-SEEN", "CP16"):
        made = await adoption.adopt("org", identity, station_id="st", new_evses=[EVSE])
        assert made == Refused("unknown_stranger", {"charging_station": identity})


async def test_whole_list_is_for_who_administers_every_organisation(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await write_stations(sqlite_db)
    adoption = adoption_of(sqlite_db, clock)
    adoption.note("NEW-1", "192.0.2.1", [V16], sent_password=True)
    adoption.note("NEW-2", "192.0.2.2", [V16], sent_password=True)
    await adoption.write_due()

    async def seen(*administered: str, **options: Any) -> list[tuple[str, str | None]]:
        page = await adoption.strangers(administered, **options)
        return [(item["identity"], item["address"]) for item in page.items]

    both = [("NEW-1", "192.0.2.1"), ("NEW-2", "192.0.2.2")]
    assert await seen("org") == both
    await sqlite_db.write(TESTS, lambda tx: factories.organisation(tx, id="other"))
    assert await seen("org", "other") == both
    assert await seen("org") == []
    assert await seen("org", identity="NEW-2") == [("NEW-2", None)]
    assert await seen(identity="NEW-2") == []
    page = await adoption.strangers(["org", "other"], limit=1)
    assert ([item["identity"] for item in page.items], page.next) == (["NEW-1"], "NEW-1")
    assert await seen("org", "other", after="NEW-1") == both[1:]


async def test_page_lists_to_the_right_people_and_adopts_with_one_click(world: World) -> None:
    hidden = await world.visit("manager", "/unknown-charging-stations")
    assert (hidden.status, "NEW-9" in hidden.text) == (200, False)
    found = await world.visit("manager", "/unknown-charging-stations?identity=NEW-9")
    assert "NEW-9" in found.text
    assert "198.51.100.9" not in found.text
    whole = await world.visit("operator", "/unknown-charging-stations")
    assert all(word in whole.text for word in ("NEW-7", "NEW-8", "NEW-9", "198.51.100.9"))
    assert (await world.visit("technician", "/unknown-charging-stations")).status == 403
    form = {"station": "st", "kind": "ac22", "points": "2"}
    page = await world.submit("manager", "/unknown-charging-stations/NEW-9/adopt", form)
    (password,) = re.findall("<b>([0-9a-f]{32})</b>", page.text)
    assert (page.status, page.headers["cache-control"]) == (200, "no-store")
    status, made = await world.api("manager").get("/charging-stations/NEW-9")
    assert (status, [evse["id"] for evse in made["evses"]], made["station"]) == (200, [1, 2], "st")
    again = await world.visit("manager", "/unknown-charging-stations?identity=NEW-9")
    assert password not in again.text
    assert (await world.submit("manager", "/unknown-charging-stations/NEW-9/adopt", form)).status == 404


async def test_api_adopts_as_the_page_does(world: World) -> None:
    api = world.api("manager")
    assert await api.get("/unknown-charging-stations") == (200, {"items": [], "next": None})
    _, page = await api.get("/unknown-charging-stations", identity="NEW-9")
    assert [(item["identity"], item["address"], item["attempts"]) for item in page["items"]] == [
        ("NEW-9", None, 12)
    ]
    body = {"station": "st", "evses": [{"id": 1, "kind": "ac22"}]}
    status, made = await api.post("/unknown-charging-stations/NEW-9/adopt", body)
    assert (status, made["charging_station"]["identity"], len(made["password"])) == (201, "NEW-9", 32)
    status, refused = await api.post("/unknown-charging-stations/NEW-9/adopt", body)
    assert (status, refused["code"]) == (404, "unknown_stranger")
    two = body | {"evses": [*body["evses"], *body["evses"]]}
    assert (await api.post("/unknown-charging-stations/NEW-9/adopt", two))[0] == 422


@pytest.mark.parametrize("form", [{}, {"kind": "ac99"}, {"points": "0"}, {"points": "9"}, {"station": "zz"}])
async def test_impossible_adoption_is_refused(world: World, form: dict[str, str]) -> None:
    good = {"station": "st", "kind": "ac22", "points": "1"}
    page = await world.submit(
        "manager", "/unknown-charging-stations/NEW-9/adopt", {**good, **form} if form else {}
    )
    assert page.status in {404, 422}
    assert (await world.api("manager").get("/charging-stations/NEW-9"))[0] == 404


async def test_stranger_on_the_web_port_is_noted_alike(sqlite_db: Database, clock: FixedClock) -> None:
    await write_stations(sqlite_db)
    adoption = adoption_of(sqlite_db, clock)
    async with central_system(sqlite_db, clock, adoption=adoption) as beside:
        web = web_server(Starlette(routes=[beside.central.route()]))
        bound = socket.create_server(("127.0.0.1", 0))
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(web.serve(sockets=[bound]))
            await until(lambda: web.started)
            server = Server(beside.central, f"ws://127.0.0.1:{bound.getsockname()[1]}/ocpp")
            assert (await knock(server, "NEW-1"))[0] == 401
            web.should_exit = True
            await serving
    assert await adoption.write_due() == 1
    (row,) = await stored(sqlite_db)
    assert (row["identity"], row["offered"], row["sent_password"]) == ("NEW-1", [V201, V16], True)
