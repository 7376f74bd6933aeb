"""The journal alone decides: rebuilt from its frames, every charging transaction is the live row."""

from __future__ import annotations

import random
from typing import Any

import pytest

from supervision.clock import FixedClock
from supervision.csms.frame import Version
from supervision.store.db import Database
from tests.integration.ocpp_client import V16, V201, ChargePoint, central_system, write_stations
from tests.integration.rebuilt import live_and_rebuilt


def stamp(minute: int) -> str:
    return f"2026-11-21T{5 + minute // 60:02d}:{minute % 60:02d}:00Z"


async def charge_16(point: ChargePoint, draw: random.Random, clock: FixedClock, n: int) -> None:
    """One charge with lost, repeated and late messages."""
    start = {"connectorId": 1, "idTag": "04A1B2C3", "meterStart": 1000 * n, "timestamp": stamp(10 * n)}
    number = draw.choice([0, -1, 999])
    if draw.random() < 0.9:
        for _ in range(draw.choice([1, 1, 2])):
            number = (await point.answer("StartTransaction", start))["transactionId"]
    stop = {"transactionId": number, "meterStop": 1000 * n + 900, "timestamp": stamp(10 * n + 9)}
    later: list[tuple[str, dict[str, Any]]] = [("StopTransaction", stop)] * draw.choice([0, 1, 1, 2])
    for minute in range(1, 5):
        value = {
            "timestamp": stamp(10 * n + minute),
            "sampledValue": [{"value": str(1000 * n + 100 * minute)}],
        }
        values = {"connectorId": 1, "transactionId": number, "meterValue": [value]}
        later.append(("MeterValues", values))
    if draw.random() < 0.5:
        draw.shuffle(later)
    for action, payload in later:
        clock.advance(seconds=draw.randrange(60))
        await point.answer(action, payload)


async def charge_201(point: ChargePoint, draw: random.Random, clock: FixedClock, n: int) -> None:
    def event(kind: str, seq: int, wh: int | None) -> dict[str, Any]:
        values = (
            {}
            if wh is None
            else {"meterValue": [{"timestamp": stamp(10 * n + seq), "sampledValue": [{"value": wh}]}]}
        )
        return {
            "eventType": kind,
            "timestamp": stamp(10 * n + seq),
            "triggerReason": "Trigger",
            "seqNo": seq,
            "transactionInfo": {"transactionId": f"tx-{n}"},
            "evse": {"id": 1 + n % 2},
            "idToken": {"idToken": "04A1B2C3", "type": "ISO14443"},
            "offline": draw.random() < 0.5,
            **values,
        }

    events = [event("Started", 0, draw.choice([None, 1000]))]
    events += [event("Updated", seq, draw.choice([None, 1000 + 100 * seq])) for seq in range(1, 5)]
    events.append(event("Ended", 5, draw.choice([None, 1900])))
    events = [one for one in events if draw.random() < 0.85]
    events += draw.sample(events, k=min(2, len(events)))
    if draw.random() < 0.5:
        draw.shuffle(events)
    for one in events:
        clock.advance(seconds=draw.randrange(60))
        await point.answer("TransactionEvent", one)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("identity", "protocol"), [("CP16", V16), ("CS201", V201)])
async def test_charging_transactions_rebuilt_from_the_journal_are_the_live_rows(
    sqlite_db: Database, clock: FixedClock, identity: str, protocol: str, seed: int
) -> None:
    draw = random.Random(seed)
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, clock) as server:
        charge = charge_16 if protocol == V16 else charge_201
        for n in range(12):
            async with server.station(identity, protocol, boot=n == 0) as point:
                await charge(point, draw, clock, n)
    live, rebuilt = await live_and_rebuilt(sqlite_db, identity, Version(protocol))
    assert live == rebuilt
