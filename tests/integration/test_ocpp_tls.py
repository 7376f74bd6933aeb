"""Security profiles on real sockets: what TLS itself refuses, who is let in, certificates that change."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import websockets
from cryptography import x509
from prometheus_client import REGISTRY
from websockets.asyncio.client import ClientConnection

from supervision.clock import SystemClock
from supervision.csms.commands import CommandState
from supervision.csms.local_authority import LocalAuthority
from supervision.csms.tls import ServerCertificate, StationTls, server_certificate
from supervision.kernel.errors import FieldError
from supervision.store.db import Database
from supervision.store.schema import station_certificates
from tests.conformance.play import command, rows, station
from tests.integration.ocpp_client import SECRET, basic, dial, refused_with, until, write_stations
from tests.integration.secure_central import (
    SecureServer,
    ec_key,
    request_for,
    secure_system,
    set_profile,
    write_server_files,
)

MANDATORY = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
)
OTHERS = ("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "AES128-SHA", "DHE-RSA-AES128-GCM-SHA256")


@pytest.fixture
async def server(sqlite_db: Database, tmp_path: Path) -> AsyncIterator[SecureServer]:
    await write_stations(sqlite_db)
    async with secure_system(sqlite_db, tmp_path) as running:
        yield running


async def refused_over_tls(server: SecureServer, identity: str, tls: ssl.SSLContext, secret: str) -> int:
    """Return the status that refuses a handshake on the port with TLS."""
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with server.over_tls(identity, tls=tls, secret=secret):
            pass
    return refused.value.response.status_code


@pytest.mark.parametrize("suite", MANDATORY)
async def test_each_mandatory_suite_is_spoken(server: SecureServer, suite: str) -> None:
    tls = server.trust(maximum_version=ssl.TLSVersion.TLSv1_2)
    tls.set_ciphers(suite)
    async with server.over_tls("CP16", tls=tls, secret=SECRET) as point:
        agreed = point.socket.transport.get_extra_info("cipher")
    assert agreed[:2] == (suite, "TLSv1.2")


@pytest.mark.parametrize("suite", OTHERS)
async def test_no_other_suite_is_spoken(server: SecureServer, suite: str) -> None:
    tls = server.trust(maximum_version=ssl.TLSVersion.TLSv1_2)
    tls.set_ciphers(suite)
    before = handshakes("tls")
    with pytest.raises(OSError):  # noqa: PT011 - an alert of TLS or, on Python 3.11, a connection cut
        async with server.over_tls("CP16", tls=tls, secret=SECRET):
            pass
    assert handshakes("tls") == before + 1


def handshakes(outcome: str) -> float:
    """Return how many ended so until now."""
    return REGISTRY.get_sample_value("ocpp_handshakes_total", {"outcome": outcome}) or 0.0


async def test_tls_1_3_is_spoken(server: SecureServer) -> None:
    async with server.over_tls("CP16", tls=server.trust(), secret=SECRET) as point:
        assert point.socket.transport.get_extra_info("ssl_object").version() == "TLSv1.3"


@pytest.mark.parametrize("profile", [2, 3])
async def test_station_of_a_profile_with_tls_stays_outside_without(
    server: SecureServer, sqlite_db: Database, profile: int
) -> None:
    await set_profile(sqlite_db, "CP16", profile)
    answer = await refused_with(server, "/CP16", additional_headers=basic("CP16", SECRET))
    unknown = await refused_with(server, "/NOBODY", additional_headers=basic("NOBODY", SECRET))
    assert answer == unknown == (401, b"Unauthorized\n")


async def test_no_certificate_or_anothers_opens_no_station_of_profile_3(
    server: SecureServer, sqlite_db: Database
) -> None:
    await set_profile(sqlite_db, "CP16", 3)
    assert await refused_over_tls(server, "CP16", server.trust(), SECRET) == 401
    assert await refused_over_tls(server, "CP16", await server.identified("CS201"), SECRET) == 401
    async with server.over_tls("CP16", tls=await server.identified("CP16")) as point:
        assert "currentTime" in await point.answer("Heartbeat", {})


async def test_certificate_of_a_stranger_ends_in_tls(
    server: SecureServer, sqlite_db: Database, tmp_path: Path
) -> None:
    await set_profile(sqlite_db, "CP16", 3)
    stranger = LocalAuthority.open(tmp_path / "stranger.pem", SystemClock().now())
    tls = await server.identified("CP16", authority=stranger)
    before = handshakes("tls-certificate")
    with pytest.raises((OSError, websockets.InvalidMessage)):
        async with server.over_tls("CP16", tls=tls):
            pass
    assert not server.central.connected("CP16")
    assert handshakes("tls-certificate") == before + 1


async def renewed(server: SecureServer, identity: str, tls: ssl.SSLContext) -> ssl.SSLContext:
    """Ask for a certificate, take it, and return what connects with it."""
    key = ec_key()
    async with server.over_tls(identity, tls=tls, secret=SECRET) as point:
        answer = await point.answer("SignCertificate", {"csr": request_for(identity, key)})
        assert answer == {"status": "Accepted"}
        await server.outbox.drain()
        await until(lambda: bool(point.commands))
        await server.certificate_is(identity, "installed")
    return server.with_chain(point.commands[0][3]["certificateChain"], key)


async def test_revoked_certificate_opens_nothing(server: SecureServer, sqlite_db: Database) -> None:
    own = await renewed(server, "CP16", server.trust())
    await set_profile(sqlite_db, "CP16", 3)
    async with server.over_tls("CP16", tls=own):
        pass
    (certificate,) = await rows(sqlite_db, station_certificates)
    assert certificate["state"] == "installed"
    assert certificate["used_at"] is not None
    await server.certificates.revoke("org", "CP16", certificate["id"])
    assert await refused_over_tls(server, "CP16", own, SECRET) == 401


async def test_configured_organisation_must_stand_in_the_certificate(
    sqlite_db: Database, tmp_path: Path
) -> None:
    await write_stations(sqlite_db)
    await set_profile(sqlite_db, "CP16", 3)
    async with secure_system(sqlite_db, tmp_path, organisation="Mairie") as server:
        nameless = LocalAuthority.open(tmp_path / "station-ca.pem", SystemClock().now())
        async with server.over_tls("CP16", tls=await server.identified("CP16")):
            pass
        elsewhere = await server.identified("CP16", authority=nameless)
        assert await refused_over_tls(server, "CP16", elsewhere, SECRET) == 401


async def test_the_proxy_of_the_house_may_end_tls_and_nobody_else(
    sqlite_db: Database, tmp_path: Path
) -> None:
    await write_stations(sqlite_db)
    await set_profile(sqlite_db, "CP16", 2)
    forwarded = basic("CP16", SECRET) | {"X-Forwarded-Proto": "https"}
    async with (
        secure_system(sqlite_db, tmp_path, trusted_proxy="127.0.0.1") as server,
        dial(server, "/CP16", additional_headers=forwarded),
    ):
        pass
    async with secure_system(sqlite_db, tmp_path, trusted_proxy="192.0.2.1") as server:
        assert (await refused_with(server, "/CP16", additional_headers=forwarded))[0] == 401


async def test_new_server_certificate_serves_the_next_handshake_and_closes_nothing(
    server: SecureServer, tmp_path: Path
) -> None:
    async with server.over_tls("CP16", tls=server.trust(), secret=SECRET) as open_before:
        before = served(open_before.socket)
        write_server_files(server.authority, tmp_path)
        async with server.over_tls("CS201", "ocpp2.0.1", tls=server.trust(), secret=SECRET) as point:
            after = served(point.socket)
        assert after != before
        ends = x509.load_der_x509_certificate(after).not_valid_after_utc.timestamp()
        assert REGISTRY.get_sample_value("ocpp_tls_certificate_end_seconds", {"file": "ecdsa.pem"}) == ends
        assert "currentTime" in await open_before.answer("Heartbeat", {})


def served(socket: ClientConnection) -> bytes:
    """Return the certificate the server has shown."""
    found: bytes = socket.transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return found


async def test_unusable_server_certificate_leaves_the_last_good_one(
    server: SecureServer, tmp_path: Path
) -> None:
    (tmp_path / "ecdsa.pem").write_text("not a certificate")
    async with server.over_tls("CP16", tls=server.trust(), secret=SECRET) as point:
        assert "currentTime" in await point.answer("Heartbeat", {})


def test_what_cannot_be_loaded_at_the_start_is_told(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match="ocpp_tls: certificates cannot be used"):
        StationTls.load([ServerCertificate(chain=tmp_path / "none.pem")], [])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", None),
        ("a.pem", ServerCertificate(chain=Path("a.pem"))),
        ("a.pem, b.pem", ServerCertificate(chain=Path("a.pem"), key=Path("b.pem"))),
    ],
)
def test_setting_of_a_certificate(text: str, wanted: ServerCertificate | None) -> None:
    assert server_certificate("ocpp_tls_rsa", text) == wanted


@pytest.mark.parametrize("text", ["a,b,c", ",b"])
def test_setting_of_a_certificate_that_cannot_be_read(text: str) -> None:
    with pytest.raises(FieldError, match="ocpp_tls_rsa"):
        server_certificate("ocpp_tls_rsa", text)


# --- a password whose answer is lost ------------------------------------------------------------------


NEW = "66656463626139383736353433323130"  # 16 bytes in hex


async def lose_the_answer(server: SecureServer) -> None:
    """Send a new password to a station that drops the connection instead of answering."""
    order = {"key": "AuthorizationKey", "value": NEW}
    async with (
        server.over_tls("CP16", tls=server.trust(), secret=SECRET, respond=lambda *_: None) as point,
        asyncio.TaskGroup() as tasks,
    ):
        sending = tasks.create_task(command(server, "CP16", "ChangeConfiguration", order))
        await until(lambda: bool(point.commands))
        await point.socket.close()
    assert sending.result().state is CommandState.OFFLINE


@pytest.mark.parametrize("used", [SECRET, bytes.fromhex(NEW).decode()], ids=["old", "new"])
async def test_both_passwords_open_until_one_is_used(
    server: SecureServer, sqlite_db: Database, used: str
) -> None:
    await lose_the_answer(server)
    kept = await station(sqlite_db, "CP16")
    assert kept["next_password_hash"] not in {None, kept["password_hash"]}
    async with server.over_tls("CP16", tls=server.trust(), secret=used):
        pass
    assert (await station(sqlite_db, "CP16"))["next_password_hash"] is None
    other = SECRET if used != SECRET else bytes.fromhex(NEW).decode()
    assert await refused_over_tls(server, "CP16", server.trust(), other) == 401
    async with server.over_tls("CP16", tls=server.trust(), secret=used):
        pass
