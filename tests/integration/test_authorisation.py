"""Every badge gets the word the standard has for it, and every attempt is kept with that word."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select, update

from supervision.clock import FixedClock
from supervision.csms.authorising import TokenRequest
from supervision.csms.model import IdTokenDecision, IdTokenStatus
from supervision.store import schema
from supervision.store.db import Database, Reader, Tx
from tests import factories
from tests.integration.ocpp_client import V201, ChargePoint, central_system, write_stations

STAMP = "2026-11-21T08:00:00Z"


async def prepare(db: Database) -> None:
    await write_stations(db)

    async def unit(tx: Tx) -> None:
        await factories.id_token(tx, token="FREE01", person_id=None, parent="family")
        await factories.id_token(tx, token="FREE02", person_id="d1", parent="FAMILY")
        await factories.id_token(tx, token="FREE03", person_id="d1", parent="OTHERS")
        await factories.id_token(
            tx, token="FREE04", person_id="d1", parent="FAMILY", expires_at=factories.NOW
        )
        await factories.id_token(tx, token="MASTER", person_id="m1", parent="Chiefs")
        table = schema.organisations
        await tx.execute(update(table).where(table.c.id == "org").values(master_pass_group="CHIEFS"))

    await db.write(factories.TESTS, unit)


async def show(point: ChargePoint, badge: str) -> dict[str, Any]:
    info: dict[str, Any] = (await point.answer("Authorize", {"idTag": badge}))["idTagInfo"]
    return info


async def start(point: ChargePoint, badge: str, connector: int = 1) -> dict[str, Any]:
    told = {"connectorId": connector, "idTag": badge, "meterStart": 0, "timestamp": STAMP}
    return await point.answer("StartTransaction", told)


async def attempts(db: Database) -> list[tuple[str | None, str, str]]:
    table = schema.authorisation_attempts
    async with db.read(factories.TESTS) as reader:
        rows = await reader.all(select(table).order_by(table.c.id))
    return [(row["purpose"], row["token_hint"], row["status"]) for row in rows]


async def block(db: Database, token: str) -> None:
    table = schema.id_tokens

    async def unit(tx: Tx) -> None:
        await tx.execute(update(table).where(table.c.token == token).values(status="Blocked"))

    await db.write(factories.TESTS, unit)


@pytest.mark.parametrize(
    ("badge", "info"),
    [
        ("04a1b2c3", {"status": "Accepted"}),
        ("NOBODY", {"status": "Invalid"}),
        ("B10C", {"status": "Blocked"}),
        ("0LD", {"status": "Expired", "expiryDate": "2026-11-21T08:00:00Z"}),
        ("FREE01", {"status": "Accepted", "parentIdTag": "family"}),
        ("FREE02", {"status": "Invalid", "parentIdTag": "FAMILY"}),
        ("MASTER", {"status": "Invalid", "parentIdTag": "Chiefs"}),
    ],
)
async def test_a_badge_gets_its_word(
    sqlite_db: Database, clock: FixedClock, badge: str, info: dict[str, Any]
) -> None:
    await prepare(sqlite_db)
    async with central_system(sqlite_db, clock) as server, server.station() as point:
        assert await show(point, badge) == info
    assert await attempts(sqlite_db) == [("show", badge[-4:], info["status"])]


class OneCarEach:
    """Accepts every badge for one car at a time."""

    async def decide(self, _reader: Reader, _request: TokenRequest, _now: datetime) -> IdTokenDecision:
        return IdTokenDecision(status=IdTokenStatus.ACCEPTED)


async def test_concurrent_tx_is_said_to_a_start_only_and_kept_as_such(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await prepare(sqlite_db)
    async with (
        central_system(sqlite_db, clock, authoriser=OneCarEach()) as server,
        server.station() as point,
    ):
        assert (await start(point, "FREE03", 2))["idTagInfo"] == {"status": "Accepted"}
        assert await show(point, "FREE03") == {"status": "Accepted"}
        assert (await start(point, "FREE03"))["idTagInfo"] == {"status": "ConcurrentTx"}
    assert await attempts(sqlite_db) == [
        ("start", "EE03", "Accepted"),
        ("show", "EE03", "Accepted"),
        ("start", "EE03", "ConcurrentTx"),
    ]


async def test_the_starter_stops_whatever_became_of_the_badge(sqlite_db: Database, clock: FixedClock) -> None:
    await prepare(sqlite_db)
    async with central_system(sqlite_db, clock) as server, server.station() as point:
        number = (await start(point, "FREE01"))["transactionId"]
        await block(sqlite_db, "FREE01")
        accepted = {"status": "Accepted", "parentIdTag": "family"}
        assert await show(point, "FREE01") == accepted
        stop = {"transactionId": number, "meterStop": 10, "timestamp": STAMP, "idTag": "FREE01"}
        assert await point.answer("StopTransaction", stop) == {"idTagInfo": accepted}
        assert (await show(point, "FREE01"))["status"] == "Blocked"
    assert await attempts(sqlite_db) == [
        ("start", "EE01", "Accepted"),
        ("show", "EE01", "Accepted"),
        ("stop", "EE01", "Accepted"),
        ("show", "EE01", "Blocked"),
    ]


async def test_a_good_badge_of_the_same_parent_stops_and_no_other_does(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await prepare(sqlite_db)
    async with central_system(sqlite_db, clock) as server, server.station() as point:
        await start(point, "FREE01")
        words = [(await show(point, badge))["status"] for badge in ("FREE02", "FREE03", "FREE04", "B10C")]
        assert words == ["Accepted", "Invalid", "Expired", "Blocked"]
        assert (await start(point, "FREE02", 2))["idTagInfo"]["status"] == "Invalid"


async def test_a_master_pass_is_accepted_where_the_standard_knows_it_and_starts_nothing(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await prepare(sqlite_db)
    master = {"idToken": "MASTER", "type": "ISO14443"}
    group = {"idToken": "Chiefs", "type": "Central"}
    async with central_system(sqlite_db, clock) as server, server.station("CS201", V201) as point:
        shown = await point.answer("Authorize", {"idToken": master})
        assert shown == {"idTokenInfo": {"status": "Accepted", "groupIdToken": group}}
        event = {
            "eventType": "Started",
            "timestamp": STAMP,
            "triggerReason": "Authorized",
            "seqNo": 0,
            "transactionInfo": {"transactionId": "tx-1"},
            "evse": {"id": 1},
            "idToken": master,
        }
        answer = await point.answer("TransactionEvent", event)
        assert answer == {"idTokenInfo": {"status": "Invalid", "groupIdToken": group}}
    assert await attempts(sqlite_db) == [("show", "STER", "Accepted"), ("start", "STER", "Invalid")]
