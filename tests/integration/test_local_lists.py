"""Local authorisation lists on real sockets: who is on them, how they follow, what stations may answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from supervision.clock import FixedClock
from supervision.csms.directory import DirectoryService
from supervision.csms.local_list_sync import wanted_entries
from supervision.store.db import Database, Tx
from supervision.store.schema import commands, communities, local_lists, people
from tests import factories
from tests.factories import NOW, TESTS
from tests.integration.keepers import STAFF_BADGE, ListStation, deliver_until, list_keeper
from tests.integration.ocpp_client import V16, V201, central_system, write_stations

STATIONS = [("CP16", V16), ("CS201", V201)]


async def state(db: Database, identity: str = "CP16") -> dict[str, Any]:
    async with db.read(TESTS) as reader:
        row = await reader.first(select(local_lists).where(local_lists.c.charging_station == identity))
    return row or {"state": None, "version": None, "entries": None}


@pytest.mark.parametrize(("identity", "protocol"), STATIONS)
async def test_list_follows_the_boot_and_every_new_badge(
    db: Database, clock: FixedClock, identity: str, protocol: str
) -> None:
    await write_stations(db)
    point = ListStation(protocol)
    async with central_system(db, clock) as server:
        keeper = list_keeper(server, db, clock)
        directory = DirectoryService(db=db, registry=server.central.registry)

        async def entries(count: int) -> bool:
            row = await state(db, identity)
            return (row["state"], row["entries"]) == ("in_sync", count)

        async with server.station(identity, protocol, respond=point.respond):
            await deliver_until(db, clock, keeper.consumer(), lambda: entries(1))
            await directory.create_id_token("org", token="NEW1", token_type="Central", status="Accepted")
            await deliver_until(db, clock, keeper.consumer(), lambda: entries(2))
            await keeper.sweep()
        document = await directory.station("org", identity)
    assert point.kinds() == [("Full", 1), ("Differential", 2)]
    assert point.tokens() == [[STAFF_BADGE], ["NEW1"]]
    assert document is not None
    assert document["local_list"] == {
        "state": "in_sync",
        "version": 2,
        "entries": 2,
        "changed_at": "2026-11-21T08:00:00Z",
    }


@pytest.mark.parametrize(
    ("identity", "protocol", "limits"),
    [
        ("CP16", V16, {"LocalAuthListMaxLength": "6", "SendLocalListMaxLength": "2"}),
        ("CS201", V201, {"ItemsPerMessage": "2"}),
    ],
)
async def test_long_list_goes_in_parts(
    sqlite_db: Database, clock: FixedClock, identity: str, protocol: str, limits: dict[str, str]
) -> None:
    await write_stations(sqlite_db)

    async def six_more(tx: Tx) -> None:
        for number in range(6):
            await factories.id_token(tx, token=f"B{number}")

    await sqlite_db.write(TESTS, six_more)
    point = ListStation(protocol, limits=limits)
    async with central_system(sqlite_db, clock) as server:
        keeper = list_keeper(server, sqlite_db, clock)

        async def in_sync() -> bool:
            return bool((await state(sqlite_db, identity))["state"] == "in_sync")

        async with server.station(identity, protocol, respond=point.respond):
            await deliver_until(sqlite_db, clock, keeper.consumer(), in_sync)
    parts = [[STAFF_BADGE, "B0"], ["B1", "B2"], ["B3", "B4"]]
    last = [] if protocol == V16 else [["B5"]]  # the 1.6 station holds six
    assert point.tokens() == [*parts, *last]
    assert point.kinds()[:3] == [("Full", 1), ("Differential", 2), ("Differential", 3)]


async def test_station_without_a_list_is_left_alone_until_it_boots_again(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await write_stations(sqlite_db)
    point = ListStation(V16, "NotSupported")
    async with central_system(sqlite_db, clock) as server:
        keeper = list_keeper(server, sqlite_db, clock)

        async def is_(word: str) -> bool:
            return bool((await state(sqlite_db))["state"] == word)

        async with server.station(respond=point.respond) as station:
            await deliver_until(sqlite_db, clock, keeper.consumer(), lambda: is_("not_supported"))
            for _ in range(3):
                clock.advance(seconds=86400)
                await keeper.sweep()
            assert len(point.sent) == 1
            boot = {"chargePointVendor": "V", "chargePointModel": "M", "firmwareVersion": "2"}
            await station.answer("BootNotification", boot)
            await deliver_until(sqlite_db, clock, keeper.consumer(), lambda: is_("in_sync"))
    assert point.kinds() == [("Full", 1), ("Full", 1)]


async def test_refused_list_is_tried_again_later(sqlite_db: Database, clock: FixedClock) -> None:
    await write_stations(sqlite_db)
    point = ListStation(V16, "Failed")
    async with central_system(sqlite_db, clock) as server:
        keeper = list_keeper(server, sqlite_db, clock)

        async def is_(word: str) -> bool:
            return bool((await state(sqlite_db))["state"] == word)

        async with server.station(respond=point.respond):
            await deliver_until(sqlite_db, clock, keeper.consumer(), lambda: is_("refused"))
            await keeper.sweep()
            assert len(point.sent) == 1
            clock.advance(seconds=300)
            await keeper.sweep()
            await deliver_until(sqlite_db, clock, keeper.consumer(), lambda: is_("in_sync"))
    assert point.kinds() == [("Full", 1), ("Full", 1)]


async def test_list_sent_by_hand_is_replaced(sqlite_db: Database, clock: FixedClock) -> None:
    await write_stations(sqlite_db)
    point = ListStation(V16)
    async with central_system(sqlite_db, clock) as server:
        keeper = list_keeper(server, sqlite_db, clock)

        async def version(number: int) -> bool:
            row = await state(sqlite_db)
            return (row["state"], row["version"]) == ("in_sync", number)

        async with server.station(respond=point.respond):
            await deliver_until(sqlite_db, clock, keeper.consumer(), lambda: version(1))
            by_hand = {"listVersion": 40, "updateType": "Full"}
            await server.commands.send("org", "CP16", "SendLocalList", by_hand)
            await deliver_until(sqlite_db, clock, keeper.consumer(), lambda: version(41))
    assert point.tokens()[-1] == [STAFF_BADGE]


async def test_message_of_a_process_that_ended_is_taken_up_by_the_next(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await write_stations(sqlite_db)
    silent = ListStation(V16)

    def mute(action: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        return None if action == "SendLocalList" else silent.respond(action, payload)

    async def on_its_way() -> bool:
        return (await state(sqlite_db)).get("sent", {}) not in (None, {"ask": "limits"}, {"ask": "version"})

    async with central_system(sqlite_db, clock) as server:
        keeper = list_keeper(server, sqlite_db, clock)
        async with server.station(respond=mute):
            await deliver_until(sqlite_db, clock, keeper.consumer(), on_its_way)
    point = ListStation(V16, version=1)  # it took the list, its answer was lost
    async with central_system(sqlite_db, clock) as server:
        keeper = list_keeper(server, sqlite_db, clock)

        async def in_sync() -> bool:
            return bool((await state(sqlite_db))["state"] == "in_sync")

        async with server.station(respond=point.respond):
            clock.advance(seconds=600)
            await keeper.sweep()
            await deliver_until(sqlite_db, clock, keeper.consumer(), in_sync)
    assert point.sent == []


async def test_on_the_list_are_badges_that_need_no_booking(db: Database, clock: FixedClock) -> None:
    await write_stations(db)

    async def more(tx: Tx) -> None:
        await factories.person(tx, id="gone", disabled_at=NOW, roles=({"role": "technician"},))
        await factories.id_token(tx, token="G0NE", person_id="gone")
        await factories.id_token(tx, token="NOBODYS")

    await db.write(TESTS, more)

    async def tokens() -> list[str]:
        async with db.read("org") as reader:
            return [entry.token for entry in await wanted_entries(reader, "org", "st", clock.now())]

    assert await tokens() == [STAFF_BADGE, "NOBODYS"]

    async def anywhere(tx: Tx) -> None:
        await tx.execute(update(communities).values(rules={"driver_charge_anywhere": True}))

    await db.write(TESTS, anywhere)
    assert await tokens() == [STAFF_BADGE, "NOBODYS", "D0D0D0D0"]

    async def leave(tx: Tx) -> None:
        await tx.execute(update(people).where(people.c.id == "d1").values(disabled_at=NOW))

    await db.write(TESTS, leave)
    assert await tokens() == [STAFF_BADGE, "NOBODYS"]


async def test_commands_of_the_keeper_are_told_from_an_operators(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, clock) as server:
        keeper = list_keeper(server, sqlite_db, clock)

        async def in_sync() -> bool:
            return bool((await state(sqlite_db))["state"] == "in_sync")

        async with server.station(respond=ListStation(V16).respond):
            await deliver_until(sqlite_db, clock, keeper.consumer(), in_sync)
    async with sqlite_db.read(TESTS) as reader:
        kept = await reader.all(select(commands.c.action, commands.c.origin).order_by(commands.c.created_at))
    assert {row["origin"] for row in kept} == {"local_list"}


async def test_badge_that_expires_is_taken_off_by_the_sweep(sqlite_db: Database, clock: FixedClock) -> None:
    await write_stations(sqlite_db)
    until_noon = NOW + timedelta(hours=4)
    await sqlite_db.write(TESTS, lambda tx: factories.id_token(tx, token="GUEST", expires_at=until_noon))
    point = ListStation(V16)
    async with central_system(sqlite_db, clock) as server:
        keeper = list_keeper(server, sqlite_db, clock)

        async def version(number: int) -> bool:
            row = await state(sqlite_db)
            return (row["state"], row["version"]) == ("in_sync", number)

        async with server.station(respond=point.respond):
            await deliver_until(sqlite_db, clock, keeper.consumer(), lambda: version(1))
            await keeper.sweep()
            clock.advance(seconds=4 * 3600)
            await keeper.sweep()
            await deliver_until(sqlite_db, clock, keeper.consumer(), lambda: version(2))
    assert point.tokens() == [[STAFF_BADGE, "GUEST"], ["-GUEST"]]
    assert point.sent[0]["localAuthorizationList"][1]["idTagInfo"] == {
        "status": "Accepted",
        "expiryDate": "2026-11-21T12:00:00Z",
    }
