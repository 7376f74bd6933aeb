"""OCPP 2.0.1: what a station says of a charge, and that its account is not complete while messages wait."""

from __future__ import annotations

import pytest

from supervision.csms.judgement import Awaits, Verdict, VerdictKind
from supervision.store.db import Database
from tests.conformance.play import BADGE, MORNING, NOON, Json, charge, command, no_charge
from tests.integration.ocpp_client import V201, ChargePoint, Server

CS = "CS201"
COMPLETE = Verdict(kind=VerdictKind.DONE)
INCOMPLETE = Verdict(kind=VerdictKind.PENDING, awaits=Awaits.QUEUED_MESSAGES)


async def event(point: ChargePoint, kind: str, seq: int, wh: int, **more: object) -> None:
    """Tell of charge tx-1."""
    at = NOON if kind == "Ended" else MORNING
    payload = {
        "eventType": kind,
        "timestamp": at,
        "triggerReason": {"Started": "Authorized", "Updated": "MeterValuePeriodic"}.get(
            kind, "StopAuthorized"
        ),
        "seqNo": seq,
        "transactionInfo": {"transactionId": "tx-1"},
        "evse": {"id": 1, "connectorId": 1},
        "meterValue": [{"timestamp": at, "sampledValue": [{"value": wh}]}],
        **more,
    }
    await point.answer("TransactionEvent", payload)


@pytest.mark.parametrize(
    ("ongoing", "in_queue", "verdict"),
    [
        pytest.param(True, True, INCOMPLETE, id="TC_E_29"),
        pytest.param(True, False, COMPLETE, id="TC_E_30"),
        pytest.param(False, True, INCOMPLETE, id="TC_E_31"),
    ],
)
async def test_a_charge_is_asked_about(
    server: Server, sqlite_db: Database, ongoing: bool, in_queue: bool, verdict: Verdict
) -> None:
    """What waited at the station comes afterwards and completes the charge."""
    answer = {"ongoingIndicator": ongoing, "messagesInQueue": in_queue}
    async with server.station(CS, V201, respond=lambda _action, _payload: answer) as point:
        await event(point, "Started", 0, 1000, idToken={"idToken": BADGE, "type": "ISO14443"})
        result = await command(server, CS, "GetTransactionStatus", {"transactionId": "tx-1"})
        if in_queue:
            await event(point, "Updated" if ongoing else "Ended", 1, 4000, offline=True)
    assert [call[2:] for call in point.commands] == [["GetTransactionStatus", {"transactionId": "tx-1"}]]
    assert (result.response, result.verdict) == (answer, verdict)
    row = await charge(sqlite_db)
    assert (row["state"], row["meter_last_wh"]) == (
        "open" if ongoing else "ended",
        4000 if in_queue else 1000,
    )


@pytest.mark.parametrize(
    ("in_queue", "verdict"),
    [pytest.param(True, INCOMPLETE, id="TC_E_33"), pytest.param(False, COMPLETE, id="TC_E_34")],
)
async def test_all_charges_are_asked_about(
    server: Server, sqlite_db: Database, in_queue: bool, verdict: Verdict
) -> None:
    answer: Json = {"messagesInQueue": in_queue}
    async with server.station(CS, V201, respond=lambda _action, _payload: answer) as point:
        result = await command(server, CS, "GetTransactionStatus", {})
    assert [call[2:] for call in point.commands] == [["GetTransactionStatus", {}]]
    assert (result.response, result.verdict) == (answer, verdict)
    await no_charge(sqlite_db)
