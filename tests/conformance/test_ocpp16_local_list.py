"""OCPP 1.6: the local authorisation list, kept in sync by itself."""

from __future__ import annotations

from supervision.clock import FixedClock
from supervision.store.db import Database
from supervision.store.schema import local_lists
from tests import factories
from tests.conformance.play import rows
from tests.factories import TESTS
from tests.integration.keepers import STAFF_BADGE, ListStation, deliver_until, list_keeper
from tests.integration.ocpp_client import V16, Server

ENTRY = {"idTag": STAFF_BADGE, "idTagInfo": {"status": "Accepted"}}
NEW_ENTRY = {"idTag": "NEW1", "idTagInfo": {"status": "Accepted"}}


async def test_TC_043_3_failed_list_is_sent_again_in_full(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    point = ListStation(V16, "Accepted", "Failed", "Accepted")
    keeper = list_keeper(server, sqlite_db, clock)

    async def in_sync(version: int) -> bool:
        kept = await rows(sqlite_db, local_lists)
        return [(row["state"], row["version"]) for row in kept] == [("in_sync", version)]

    async with server.station("CP16", respond=point.respond):
        await deliver_until(sqlite_db, clock, keeper.consumer(), lambda: in_sync(1))
        await sqlite_db.write(TESTS, lambda tx: factories.id_token(tx, token="NEW1"))
        await keeper.sweep()
        await deliver_until(sqlite_db, clock, keeper.consumer(), lambda: in_sync(2))
    assert point.sent == [
        {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [ENTRY]},
        {"listVersion": 2, "updateType": "Differential", "localAuthorizationList": [NEW_ENTRY]},
        {"listVersion": 2, "updateType": "Full", "localAuthorizationList": [ENTRY, NEW_ENTRY]},
    ]
