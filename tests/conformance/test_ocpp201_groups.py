"""OCPP 2.0.1, blocks C and H: badges of one group, the master pass, a reservation for a group."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from supervision.csms.commands import CommandState
from supervision.store import schema
from supervision.store.db import Database, Tx
from tests import factories
from tests.conformance.play import ACCEPTED, Json, command, rows
from tests.conformance.test_ocpp201 import CS, EVSE, ended, event, show, tell
from tests.integration.ocpp_client import V201, ChargePoint, Server

FIRST, SECOND, LOST, MASTER = "6A0001", "6A0002", "6A0003", "3A57E4"
GROUP: Json = {"idToken": "FAMILY", "type": "Central"}
PASS: Json = {"idToken": "MASTERPASS", "type": "Central"}
IN_GROUP: Json = {"idTokenInfo": {**ACCEPTED, "groupIdToken": GROUP}}
BY_PASS: Json = {"idTokenInfo": {**ACCEPTED, "groupIdToken": PASS}}


def badge(token: str) -> Json:
    return {"idToken": token, "type": "ISO14443"}


@pytest.fixture(autouse=True)
async def groups(server: Server, sqlite_db: Database) -> None:
    """Three badges of a family, one of them blocked; d1 may start nothing here, m1 may; a master pass."""

    async def unit(tx: Tx) -> None:
        await factories.id_token(tx, token=FIRST, person_id="m1", parent="FAMILY")
        await factories.id_token(tx, token=SECOND, person_id="d1", parent="FAMILY")
        await factories.id_token(tx, token=LOST, person_id="d1", parent="FAMILY", status="Blocked")
        await factories.id_token(tx, token=MASTER, person_id="m1", parent="MASTERPASS")
        table = schema.organisations
        await tx.execute(update(table).where(table.c.id == "org").values(master_pass_group="MASTERPASS"))

    await sqlite_db.write(factories.TESTS, unit)


async def started(point: ChargePoint, number: int = 1, token: str = FIRST) -> Json:
    """Start a charge at an EVSE with a badge of the family."""
    return await event(
        point,
        "Started",
        0,
        "Authorized",
        1000,
        idToken=badge(token),
        evse={"id": number, "connectorId": 1},
        info={"transactionId": f"tx-{number}"},
    )


async def stopped(point: ChargePoint, number: int, token: str, reason: str = "Local") -> Json:
    return await event(
        point,
        "Ended",
        1,
        "StopAuthorized",
        6000,
        idToken=badge(token),
        evse={"id": number, "connectorId": 1},
        info={"transactionId": f"tx-{number}", "stoppedReason": reason},
    )


async def test_TC_C_39_another_badge_of_the_group_stops_the_charge(
    server: Server, sqlite_db: Database
) -> None:
    async with server.station(CS, V201) as point:
        assert await show(point, SECOND) == {
            "idTokenInfo": {"status": "Invalid", "groupIdToken": GROUP}
        }  # nothing to stop yet, and it may start nothing
        assert await show(point, FIRST) == IN_GROUP
        assert await started(point) == IN_GROUP
        assert await show(point, SECOND) == IN_GROUP
        assert await stopped(point, 1, SECOND) == IN_GROUP | {"totalCost": 0.0}
    await ended(sqlite_db, "Local")


async def send_list(server: Server, point: ChargePoint) -> None:
    """The operator's local list: both badges with their group."""
    entries = [
        {"idToken": badge(token), "idTokenInfo": {**ACCEPTED, "groupIdToken": GROUP}}
        for token in (FIRST, SECOND)
    ]
    wanted = {"versionNumber": 1, "updateType": "Full", "localAuthorizationList": entries}
    result = await command(server, CS, "SendLocalList", wanted)
    assert (result.state, point.commands[-1][3]) == (CommandState.ANSWERED, wanted)


async def test_TC_C_40_the_group_is_known_from_the_local_list(server: Server, sqlite_db: Database) -> None:
    async with server.station(CS, V201) as point:
        await send_list(server, point)
        assert await started(point) == IN_GROUP
        assert await stopped(point, 1, SECOND) == IN_GROUP | {"totalCost": 0.0}
    await ended(sqlite_db, "Local")


async def test_TC_C_43_a_blocked_badge_of_the_group_stops_nothing(
    server: Server, sqlite_db: Database
) -> None:
    async with server.station(CS, V201) as point:
        await send_list(server, point)
        assert await started(point) == IN_GROUP
        assert await show(point, LOST) == {"idTokenInfo": {"status": "Blocked", "groupIdToken": GROUP}}
        assert await event(point, "Updated", 1, "MeterValuePeriodic", 3000) == {}
    (row,) = await rows(sqlite_db, schema.charging_transactions)
    assert (row["state"], row["meter_last_wh"]) == ("open", 3000)


async def run_two(point: ChargePoint) -> None:
    for number in (1, 2):
        assert await started(point, number) == IN_GROUP
    assert await show(point, MASTER) == BY_PASS


async def states(db: Database) -> list[tuple[str, str | None]]:
    return [(row["state"], row["stop_reason"]) for row in await rows(db, schema.charging_transactions)]


async def test_TC_C_47_master_pass_stops_all_charges(server: Server, sqlite_db: Database) -> None:
    async with server.station(CS, V201) as point:
        await run_two(point)
        for number in (1, 2):
            assert await stopped(point, number, MASTER, "MasterPass") == BY_PASS | {"totalCost": 0.0}
    assert await states(sqlite_db) == [("ended", "MasterPass"), ("ended", "MasterPass")]


async def test_TC_C_48_master_pass_stops_the_charge_that_was_chosen(
    server: Server, sqlite_db: Database
) -> None:
    async with server.station(CS, V201) as point:
        await run_two(point)
        assert await stopped(point, 2, MASTER, "MasterPass") == BY_PASS | {"totalCost": 0.0}
    assert await states(sqlite_db) == [("open", None), ("ended", "MasterPass")]


async def test_TC_C_49_master_pass_stops_without_a_screen_and_starts_nothing(
    server: Server, sqlite_db: Database
) -> None:
    async with server.station(CS, V201) as point:
        assert await started(point) == IN_GROUP
        assert await show(point, MASTER) == BY_PASS
        assert await stopped(point, 1, MASTER, "MasterPass") == BY_PASS | {"totalCost": 0.0}
        refused = {"idTokenInfo": {"status": "Invalid", "groupIdToken": PASS}}
        assert await started(point, 2, MASTER) == refused
    found = await rows(sqlite_db, schema.charging_transactions)
    assert [(row["state"], row["review"]) for row in found] == [("ended", None), ("open", "unknown_token")]


async def test_TC_H_19_an_evse_reserved_for_a_group_is_used_by_another_badge_of_it(
    server: Server, sqlite_db: Database
) -> None:
    wanted = {
        "id": 7,
        "expiryDateTime": "2026-11-21T20:00:00Z",
        "idToken": badge(SECOND),
        "groupIdToken": GROUP,
        "evseId": 1,
    }
    async with server.station(CS, V201) as point:
        result = await command(server, CS, "ReserveNow", wanted)
        assert (result.response, point.commands[-1][3]) == (ACCEPTED, wanted)
        await tell(point, "Reserved")
        assert await show(point, FIRST) == IN_GROUP
        answer = await event(
            point, "Started", 0, "Authorized", 1000, idToken=badge(FIRST), evse=EVSE, reservationId=7
        )
        assert answer == IN_GROUP
        await tell(point, "Occupied", "2026-11-21T07:05:00Z")
    (row,) = await rows(sqlite_db, schema.charging_transactions)
    assert (row["state"], row["parent"], row["authorisation"]) == ("open", "FAMILY", "Accepted")
