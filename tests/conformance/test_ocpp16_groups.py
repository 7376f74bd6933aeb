"""OCPP 1.6: badges that share a parent."""

from __future__ import annotations

from supervision.store.db import Database, Tx
from tests import factories
from tests.conformance.play import Json, charge, command, status
from tests.conformance.test_ocpp16 import CP, GOOD, begin, end, ended, tell
from tests.integration.ocpp_client import Server

FIRST, SECOND, PARENT = "6A0001", "6A0002", "FAMILY"
IN_GROUP: Json = {"idTagInfo": {**GOOD, "parentIdTag": PARENT}}


async def test_TC_053_reserved_connector_is_used_by_another_badge_of_the_same_parent(
    server: Server, sqlite_db: Database
) -> None:
    async def unit(tx: Tx) -> None:
        await factories.id_token(tx, token=FIRST, person_id="m1", parent=PARENT)
        await factories.id_token(tx, token=SECOND, person_id="d1", parent=PARENT)

    await sqlite_db.write(factories.TESTS, unit)
    wanted = {
        "connectorId": 1,
        "expiryDate": "2026-11-21T20:00:00Z",
        "idTag": SECOND,
        "parentIdTag": PARENT,
        "reservationId": 7,
    }
    async with server.station(CP) as point:
        result = await command(server, CP, "ReserveNow", wanted)
        assert (result.response, point.commands[-1][3]) == (GOOD, wanted)
        await tell(point, "Reserved")
        assert await status(sqlite_db, CP) == ("Reserved", None)
        assert await point.answer("Authorize", {"idTag": FIRST}) == IN_GROUP
        assert await begin(point, FIRST, reservationId=7) == {"transactionId": 1, **IN_GROUP}
        await tell(point, "Charging", "2026-11-21T07:05:00Z")
        assert await end(point, 1, idTag=SECOND) == IN_GROUP
    await ended(sqlite_db, "Local")
    assert (await charge(sqlite_db))["parent"] == PARENT
