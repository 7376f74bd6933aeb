"""OCPP 2.0.1: boots that are not accepted at once."""

from __future__ import annotations

from typing import Any

import pytest

from supervision.clock import FixedClock
from supervision.csms.commands import CommandState
from supervision.csms.configuration import ConfigurationService
from supervision.csms.desired import Wish
from supervision.csms.directory import DirectoryService
from supervision.csms.holding import BootPolicy
from supervision.store.db import Database
from supervision.store.schema import charging_transactions
from tests.conformance.play import command, rows, station
from tests.integration.ocpp_client import V201, Server, boot_payload, until
from tests.integration.test_configuration import SettingStation

CS = "CS201"
NOW = "2026-11-21T08:00:00Z"
BOOT = boot_payload(V201)
STATUS = {"timestamp": NOW, "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
HELD = {"currentTime": NOW, "interval": 60}
ACCEPTED = {"currentTime": NOW, "interval": 300, "status": "Accepted"}


async def hold(server: Server, db: Database, policy: BootPolicy) -> None:
    directory = DirectoryService(db=db, registry=server.central.registry)
    document = await directory.set_boot_policy("org", CS, policy)
    assert isinstance(document, dict)
    assert document["boot_policy"] == policy.value


def settings_of(server: Server, db: Database, clock: FixedClock) -> ConfigurationService:
    return ConfigurationService(
        db=db, clock=clock, commands=server.commands, registry=server.central.registry
    )


def security_error(frame: list[Any]) -> bool:
    return (frame[0], frame[2]) == (4, "SecurityError")


async def test_TC_B_02_pending_until_its_settings_are_as_wished_for(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    settings = settings_of(server, sqlite_db, clock)
    await settings.wish("org", Wish(ocpp="2.0.1", name="X.A", value="60"))
    point = SettingStation({"X.A": "300"})
    await hold(server, sqlite_db, BootPolicy.PENDING)
    async with server.station(CS, V201, respond=point.respond, boot=False) as cs:
        assert await cs.answer("BootNotification", BOOT) == {**HELD, "status": "Pending"}
        assert await cs.answer("BootNotification", BOOT) == {**HELD, "status": "Pending"}
        report = {"requestId": 1, "reportBase": "ConfigurationInventory"}
        result = await command(server, CS, "GetBaseReport", report)
        assert (result.state, result.response) == (CommandState.ANSWERED, {"status": "Accepted"})
        part = {"requestId": 1, "generatedAt": NOW, "seqNo": 0, "tbc": False}
        assert await cs.answer("NotifyReport", part) == {}
        start = {"remoteStartId": 1, "idToken": {"idToken": "04A1B2C3", "type": "ISO14443"}}
        refused = await command(server, CS, "RequestStartTransaction", start)
        assert refused.state is CommandState.REFUSED
        await settings.serve_due()
        assert point.values == {"X.A": "60"}
        await until(
            lambda: cs.commands[-1][2:] == ["TriggerMessage", {"requestedMessage": "BootNotification"}]
        )
        assert await cs.answer("BootNotification", BOOT) == ACCEPTED
        assert await cs.answer("StatusNotification", STATUS) == {}
        assert (await command(server, CS, "RequestStartTransaction", start)).state is CommandState.ANSWERED
    row = await station(sqlite_db, CS)
    assert (row["registration"], row["held_at"], row["booted_at"] is None) == ("Accepted", None, False)


@pytest.mark.parametrize("policy", [BootPolicy.PENDING, BootPolicy.REJECT], ids=["pending", "rejected"])
async def test_TC_B_30_other_messages_are_a_security_error(
    server: Server, sqlite_db: Database, policy: BootPolicy
) -> None:
    await hold(server, sqlite_db, policy)
    word = {BootPolicy.PENDING: "Pending", BootPolicy.REJECT: "Rejected"}[policy]
    async with server.station(CS, V201, boot=False) as cs:
        assert await cs.answer("BootNotification", BOOT) == {**HELD, "status": word}
        token = {"idToken": "04A1B2C3", "type": "ISO14443"}
        assert security_error(await cs.call("StatusNotification", STATUS))
        assert security_error(await cs.call("Authorize", {"idToken": token}))
        assert security_error(await cs.call("Heartbeat", {}))
        event = {
            "eventType": "Started",
            "timestamp": NOW,
            "triggerReason": "Authorized",
            "seqNo": 0,
            "transactionInfo": {"transactionId": "T1"},
            "evse": {"id": 1, "connectorId": 1},
            "idToken": token,
        }
        assert (await cs.answer("TransactionEvent", event))["idTokenInfo"]["status"] == "Accepted"
        ask = await command(server, CS, "GetLocalListVersion", {})
        assert ask.state is (CommandState.ANSWERED if word == "Pending" else CommandState.REFUSED)
    (charge,) = await rows(sqlite_db, charging_transactions)
    assert (charge["ocpp_transaction_id"], charge["state"]) == ("T1", "open")
    async with server.station(CS, V201, boot=None) as again:
        assert security_error(await again.call("Heartbeat", {}))
        await hold(server, sqlite_db, BootPolicy.ACCEPT)
        assert await again.answer("BootNotification", BOOT) == ACCEPTED
        assert await again.answer("Heartbeat", {}) == {"currentTime": NOW}


async def test_TC_B_31_what_was_asked_for_is_heard_once(server: Server, sqlite_db: Database) -> None:
    await hold(server, sqlite_db, BootPolicy.PENDING)
    async with server.station(CS, V201, boot=False) as cs:
        assert (await cs.answer("BootNotification", BOOT))["status"] == "Pending"
        asked = {"requestedMessage": "StatusNotification", "evse": {"id": 1, "connectorId": 1}}
        assert (await command(server, CS, "TriggerMessage", asked)).response == {"status": "Accepted"}
        assert await cs.answer("StatusNotification", STATUS) == {}
        assert security_error(await cs.call("StatusNotification", STATUS))
        await command(server, CS, "TriggerMessage", {"requestedMessage": "StatusNotification"})
        for evse_id in (1, 2):
            assert await cs.answer("StatusNotification", {**STATUS, "evseId": evse_id}) == {}
        assert security_error(await cs.call("StatusNotification", STATUS))
