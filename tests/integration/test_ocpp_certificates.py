"""The way of a station's certificate when things happen twice, get lost, or are wrong."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import websockets

from supervision.clock import SystemClock
from supervision.csms.certificate_store import MOST_AN_HOUR
from supervision.csms.commands import CommandResult, CommandState
from supervision.csms.resetting import reset_security
from supervision.kernel.events import CertificateRequested
from supervision.store.db import Database, Tx
from supervision.store.schema import commands, frames, outbox_events, station_certificates
from tests.conformance.play import ACCEPTED, Json, rows, station
from tests.integration.ocpp_client import SECRET, V201, until, write_stations
from tests.integration.secure_central import SecureServer, ec_key, request_for, secure_system, set_profile

CP = "CP16"
REJECTED = {"status": "Rejected"}


@pytest.fixture
async def server(sqlite_db: Database, tmp_path: Path) -> AsyncIterator[SecureServer]:
    await write_stations(sqlite_db)
    async with secure_system(sqlite_db, tmp_path) as running:
        yield running


def silent(_action: str, _payload: Json) -> None:
    """Answer nothing."""


async def only(db: Database) -> Any:
    """Return the only certificate."""
    (row,) = await rows(db, station_certificates)
    return row


async def test_event_seen_twice_signs_and_sends_once(server: SecureServer, sqlite_db: Database) -> None:
    async with server.over_tls(CP, tls=server.trust(), secret=SECRET, respond=silent) as point:
        await point.answer("SignCertificate", {"csr": request_for(CP)})
        await server.outbox.drain()
        signed = await only(sqlite_db)
        again = CertificateRequested(
            organisation_id="org", charging_station=CP, station_id="st", certificate_id=signed["id"]
        )

        async def emit(tx: Tx) -> None:
            tx.emit(again)

        await sqlite_db.write("org", emit)
        await server.outbox.drain()
        assert await only(sqlite_db) == signed
        assert [row["action"] for row in await rows(sqlite_db, commands)] == ["CertificateSigned"]


async def test_whole_way_on_both_databases(db: Database, tmp_path: Path) -> None:
    """Password to certificate, certificate to profile 3, and no way back."""
    await write_stations(db)
    key = ec_key()
    async with secure_system(db, tmp_path) as server:
        async with server.over_tls(CP, tls=server.trust(), secret=SECRET) as point:
            await server.security.rotate_password("org", CP, by_person_id="m1")
            await point.answer("SignCertificate", {"csr": request_for(CP, key)})
            await server.certificate_is(CP, "installed")
            await server.security.raise_profile("org", CP, 3, by_person_id="m1")
        password, signed, profile = (frame[3] for frame in point.commands)
        assert profile == {"key": "SecurityProfile", "value": "3"}
        own = server.with_chain(signed["certificateChain"], key)
        async with server.over_tls(CP, tls=own):
            pass
        kept = await station(db, CP)
        assert (kept["security_profile"], kept["wanted_profile"]) == (3, None)
        with pytest.raises(websockets.InvalidStatus):
            async with server.over_tls(CP, tls=server.trust(), secret=password["value"]):
                pass
        (row,) = await rows(db, station_certificates)
        await server.certificates.revoke("org", CP, row["id"])
        with pytest.raises(websockets.InvalidStatus):
            async with server.over_tls(CP, tls=own):
                pass


async def test_repeated_request_is_one_certificate(server: SecureServer, sqlite_db: Database) -> None:
    csr = request_for(CP)
    async with server.over_tls(CP, tls=server.trust(), secret=SECRET) as point:
        for _ in range(3):
            assert await point.answer("SignCertificate", {"csr": csr}) == ACCEPTED
        await server.outbox.drain()
        await server.certificate_is(CP, "installed")
    assert len(point.commands) == 1
    assert (await only(sqlite_db))["csr"] == csr


async def test_certificate_that_got_lost_is_offered_again(server: SecureServer, sqlite_db: Database) -> None:
    async with server.over_tls(CP, tls=server.trust(), secret=SECRET, respond=silent) as point:
        await point.answer("SignCertificate", {"csr": request_for(CP)})
        await server.outbox.drain()
        await until(lambda: bool(point.commands))
    await server.outbox.drain()
    lost = await only(sqlite_db)
    assert (lost["state"], lost["reason"]) == ("issued", None)
    async with server.over_tls(CP, tls=server.trust(), secret=SECRET) as again:
        await server.certificate_is(CP, "installed")
    assert again.commands[0][3] == point.commands[0][3] == {"certificateChain": lost["chain"]}


async def test_certificate_that_opens_is_installed_although_the_answer_was_lost(
    server: SecureServer, sqlite_db: Database
) -> None:
    key = ec_key()
    async with server.over_tls(CP, tls=server.trust(), secret=SECRET, respond=silent) as point:
        await point.answer("SignCertificate", {"csr": request_for(CP, key)})
        await server.outbox.drain()
        await until(lambda: bool(point.commands))
    own = server.with_chain(point.commands[0][3]["certificateChain"], key)
    async with server.over_tls(CP, tls=own) as again:
        await server.outbox.drain()
        assert again.commands == []
    row = await only(sqlite_db)
    assert row["state"] == "installed"
    assert row["used_at"] is not None


async def test_call_error_to_a_certificate_is_a_rejection(server: SecureServer, sqlite_db: Database) -> None:
    async with server.over_tls(CP, tls=server.trust(), secret=SECRET, respond=silent) as point:
        await point.answer("SignCertificate", {"csr": request_for(CP)})
        await server.outbox.drain()
        await until(lambda: bool(point.commands))
        await point.socket.send(json.dumps([4, point.commands[0][1], "NotSupported", "", {}]))
        await server.certificate_is(CP, "rejected")
    assert (await only(sqlite_db))["reason"] == "NotSupported"


@pytest.mark.parametrize(("csr", "reason"), [("no PEM", "csr_unreadable"), (request_for("X"), "csr_name")])
async def test_request_that_cannot_be_signed_is_kept_and_told(
    server: SecureServer, sqlite_db: Database, csr: str, reason: str
) -> None:
    async with server.over_tls(CP, tls=server.trust(), secret=SECRET) as point:
        assert await point.answer("SignCertificate", {"csr": csr}) == REJECTED
        await server.outbox.drain()
    row = await only(sqlite_db)
    assert (row["state"], row["reason"], row["chain"]) == ("refused", reason, None)
    told = [
        event["payload"]
        for event in await rows(sqlite_db, outbox_events)
        if event["name"] == "CertificateRefused"
    ]
    assert [(event["certificate_id"], event["reason"]) for event in told] == [(row["id"], reason)]
    assert point.commands == []


async def test_station_that_asks_without_end_is_refused(server: SecureServer, sqlite_db: Database) -> None:
    async with server.over_tls(CP, tls=server.trust(), secret=SECRET) as point:
        words = [
            (await point.answer("SignCertificate", {"csr": f"nonsense {number}"}))["status"]
            for number in range(MOST_AN_HOUR + 1)
        ]
        assert await point.answer("SignCertificate", {"csr": request_for(CP)}) == REJECTED
    assert set(words) == {"Rejected"}
    assert len(await rows(sqlite_db, station_certificates)) == MOST_AN_HOUR


@pytest.mark.parametrize(
    ("identity", "protocol", "field"), [(CP, "ocpp1.6", "value"), ("CS201", V201, "attributeValue")]
)
async def test_new_password_opens_and_stands_nowhere(
    server: SecureServer,
    sqlite_db: Database,
    caplog: pytest.LogCaptureFixture,
    identity: str,
    protocol: str,
    field: str,
) -> None:
    caplog.set_level(logging.DEBUG, logger="supervision")  # the rest is kept from it by log.configure

    def respond(action: str, payload: Json) -> Json:
        if action == "ChangeConfiguration":
            return ACCEPTED
        named = {name: payload["setVariableData"][0][name] for name in ("component", "variable")}
        return {"setVariableResult": [{"attributeStatus": "Accepted", **named}]}

    async with server.over_tls(
        identity, protocol, tls=server.trust(), secret=SECRET, respond=respond
    ) as point:
        result = await server.security.rotate_password("org", identity, by_person_id="m1")
    assert isinstance(result, CommandResult)
    assert result.state is CommandState.ANSWERED
    payload = point.commands[0][3]
    secret = str((payload.get("setVariableData") or [payload])[0][field])
    assert len(secret) == 40
    async with server.over_tls(identity, protocol, tls=server.trust(), secret=secret):
        pass
    assert (await station(sqlite_db, identity))["next_password_hash"] is None
    kept = [*await rows(sqlite_db, frames), *await rows(sqlite_db, commands)]
    assert len(kept) > 4
    assert secret not in "".join(map(str, kept)) + caplog.text


async def test_private_keys_stand_nowhere(
    server: SecureServer, sqlite_db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="supervision")  # the rest is kept from it by log.configure
    async with server.over_tls(CP, tls=server.trust(), secret=SECRET) as point:
        await point.answer("SignCertificate", {"csr": request_for(CP)})
        await server.certificate_is(CP, "installed")
        await server.security.install_root("org", CP, kind="CSMSRootCertificate", pem=None, by_person_id="m1")
    tables = (frames, commands, station_certificates, outbox_events)
    kept = "".join([str(await rows(sqlite_db, table)) for table in tables])
    assert "BEGIN CERTIFICATE" in kept
    assert "PRIVATE KEY" not in kept + caplog.text


async def test_password_for_after_the_next_start_waits_for_it(
    server: SecureServer, sqlite_db: Database
) -> None:
    later = {"status": "RebootRequired"}
    async with server.over_tls(CP, tls=server.trust(), secret=SECRET, respond=lambda *_: later) as point:
        await server.security.rotate_password("org", CP, by_person_id="m1")
    async with server.over_tls(CP, tls=server.trust(), secret=SECRET):  # not restarted yet
        pass
    async with server.over_tls(CP, tls=server.trust(), secret=point.commands[0][3]["value"]):
        pass
    kept = await station(sqlite_db, CP)
    assert (kept["next_password_hash"], kept["next_password_after_reboot"]) == (None, None)


async def test_profile_that_nobody_ordered_is_not_raised(server: SecureServer, sqlite_db: Database) -> None:
    async with server.over_tls(CP, tls=server.trust(), secret=SECRET):
        pass
    assert (await station(sqlite_db, CP))["security_profile"] == 1
    async with server.station(CP):
        pass


async def test_exchanged_station_starts_anew(server: SecureServer, sqlite_db: Database) -> None:
    key, new = ec_key(), "a-new-password-00"
    async with server.over_tls(CP, tls=server.trust(), secret=SECRET) as point:
        await point.answer("SignCertificate", {"csr": request_for(CP, key)})
        await server.certificate_is(CP, "installed")
    await set_profile(sqlite_db, CP, 3)
    now = SystemClock().now()
    assert await reset_security(sqlite_db, CP, profile=1, password=new, now=now) is None
    async with server.station(CP, secret=new):
        pass
    own = server.with_chain(point.commands[0][3]["certificateChain"], key)
    with pytest.raises(websockets.InvalidStatus):
        async with server.over_tls(CP, tls=own):
            pass
    assert (await only(sqlite_db))["state"] == "revoked"


async def test_order_to_a_station_that_is_away_is_none(server: SecureServer, sqlite_db: Database) -> None:
    await set_profile(sqlite_db, CP, 1)
    result = await server.security.raise_profile("org", CP, 2, by_person_id="m1")
    assert isinstance(result, CommandResult)
    assert result.state is CommandState.OFFLINE
    assert (await station(sqlite_db, CP))["wanted_profile"] is None
