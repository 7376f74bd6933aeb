"""OCPP 2.0.1: the local authorisation list, kept in sync by itself."""

from __future__ import annotations

from supervision.clock import FixedClock
from supervision.csms.commands import CommandState
from supervision.store.db import Database
from supervision.store.schema import local_lists
from tests import factories
from tests.conformance.play import command, rows
from tests.factories import TESTS
from tests.integration.keepers import STAFF_BADGE, ListStation, deliver_until, list_keeper
from tests.integration.ocpp_client import V201, Server


async def test_TC_N_46_cleared_customer_leaves_the_list(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    await sqlite_db.write(TESTS, lambda tx: factories.id_token(tx, token="C0FFEE"))
    point = ListStation(V201)
    keeper = list_keeper(server, sqlite_db, clock)
    customer = {"idToken": "C0FFEE", "type": "ISO14443"}

    async def in_sync(version: int) -> bool:
        kept = await rows(sqlite_db, local_lists)
        return [(row["state"], row["version"]) for row in kept] == [("in_sync", version)]

    async with server.station("CS201", V201, respond=point.respond) as station:
        await deliver_until(sqlite_db, clock, keeper.consumer(), lambda: in_sync(1))
        ask = {"requestId": 1, "report": False, "clear": True, "idToken": customer}
        result = await command(server, "CS201", "CustomerInformation", ask)
        assert (result.state, result.response) == (CommandState.ANSWERED, {"status": "Accepted"})
        told = {"data": "", "tbc": False, "seqNo": 0, "generatedAt": "2026-11-21T08:00:00Z", "requestId": 1}
        assert await station.answer("NotifyCustomerInformation", told) == {}
        await deliver_until(sqlite_db, clock, keeper.consumer(), lambda: in_sync(2))
    assert point.tokens() == [[STAFF_BADGE, "C0FFEE"], ["-C0FFEE"]]
    assert point.sent[1] == {
        "versionNumber": 2,
        "updateType": "Differential",
        "localAuthorizationList": [{"idToken": customer}],
    }
