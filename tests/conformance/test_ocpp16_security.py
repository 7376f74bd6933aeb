"""OCPP 1.6, security extension: certificates, profiles and TLS, on real TLS sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509

from supervision.csms.commands import CommandResult, CommandState
from supervision.kernel.errors import Refused
from supervision.store.db import Database
from supervision.store.schema import station_certificates
from tests.conformance.play import ACCEPTED, Json, by_action, rows, station
from tests.integration.ocpp_client import SECRET, ChargePoint, basic, refused_with, until, write_stations
from tests.integration.secure_central import (
    SecureServer,
    ec_key,
    hash_fields,
    request_for,
    secure_system,
    set_profile,
)

CP = "CP16"
WHO = "m1"


@pytest.fixture
async def server(sqlite_db: Database, tmp_path: Path) -> AsyncIterator[SecureServer]:
    """Return a central system with both ports; CP16 is of security profile 1."""
    await write_stations(sqlite_db)
    async with secure_system(sqlite_db, tmp_path) as running:
        yield running


def sent(point: ChargePoint) -> list[list[object]]:
    """Return action and payload of the CALLs the station got."""
    return [frame[2:] for frame in point.commands]


async def test_TC_074_certificate_is_renewed_when_the_central_system_asks(
    server: SecureServer, sqlite_db: Database
) -> None:
    key = ec_key()
    async with server.over_tls(CP, tls=server.trust(), secret=SECRET) as point:
        asked = await server.security.renew_certificate("org", CP, by_person_id=WHO)
        assert isinstance(asked, CommandResult)
        assert asked.response == ACCEPTED
        assert await point.answer("SignCertificate", {"csr": request_for(CP, key)}) == ACCEPTED
        await server.outbox.drain()
        await until(lambda: len(point.commands) == 2)
        await server.certificate_is(CP, "installed")
    trigger, signed = sent(point)
    assert trigger == ["ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}]
    assert signed[0] == "CertificateSigned"
    (row,) = await rows(sqlite_db, station_certificates)
    assert signed[1] == {"certificateChain": row["chain"]}
    assert (row["state"], row["reason"], row["charging_station"]) == ("installed", None, CP)
    leaf = x509.load_pem_x509_certificate(row["chain"].encode())
    assert leaf.subject.rfc4514_string() == f"CN={CP}"
    assert leaf.public_key() == key.public_key()
    async with server.over_tls(CP, tls=server.with_chain(row["chain"], key)) as again:
        assert "currentTime" in await again.answer("Heartbeat", {})


@pytest.mark.parametrize(
    ("kind", "spelt"),
    [
        pytest.param("ManufacturerRootCertificate", "ManufacturerRootCertificate", id="TC_075_1"),
        pytest.param("CSMSRootCertificate", "CentralSystemRootCertificate", id="TC_075_2"),
    ],
)
async def test_root_certificate_is_installed_and_seen_in_the_list(
    server: SecureServer, sqlite_db: Database, kind: str, spelt: str
) -> None:
    root = server.authority.root
    told = hash_fields(root)

    def respond(action: str, payload: Json) -> Json:
        if action == "GetInstalledCertificateIds" and payload["certificateType"] == spelt:
            return {"status": "Accepted", "certificateHashData": [told]}
        return ACCEPTED if action == "InstallCertificate" else {"status": "NotFound"}

    async with server.over_tls(CP, tls=server.trust(), secret=SECRET, respond=respond) as point:
        result = await server.security.install_root("org", CP, kind=kind, pem=root, by_person_id=WHO)
    assert isinstance(result, CommandResult)
    assert (result.state, result.response) == (CommandState.ANSWERED, ACCEPTED)
    assert sent(point) == [
        ["InstallCertificate", {"certificateType": spelt, "certificate": root}],
        ["GetInstalledCertificateIds", {"certificateType": "CentralSystemRootCertificate"}],
        ["GetInstalledCertificateIds", {"certificateType": "ManufacturerRootCertificate"}],
    ]
    assert (await station(sqlite_db, CP))["installed_certificates"]["items"] == [{"kind": kind, **told}]


async def test_TC_076_a_specific_certificate_is_deleted(server: SecureServer, sqlite_db: Database) -> None:
    told = hash_fields(server.authority.root)
    listed = {"status": "Accepted", "certificateHashData": [told]}
    nothing = {"status": "NotFound"}
    async with server.over_tls(
        CP, tls=server.trust(), secret=SECRET, respond=by_action(GetInstalledCertificateIds=listed)
    ) as point:
        await server.security.ask_installed("org", CP, kinds=["CSMSRootCertificate"], by_person_id=WHO)
    assert len((await station(sqlite_db, CP))["installed_certificates"]["items"]) == 1
    async with server.over_tls(
        CP, tls=server.trust(), secret=SECRET, respond=by_action(GetInstalledCertificateIds=nothing)
    ) as point:
        result = await server.security.delete_root("org", CP, hash_data=told, by_person_id=WHO)
    assert isinstance(result, CommandResult)
    assert result.response == ACCEPTED
    assert sent(point)[0] == ["DeleteCertificate", {"certificateHashData": told}]
    assert (await station(sqlite_db, CP))["installed_certificates"]["items"] == []


async def test_TC_083_security_profile_is_raised_and_never_lowered(
    server: SecureServer, sqlite_db: Database
) -> None:
    async with server.station(CP) as point:
        result = await server.security.raise_profile("org", CP, 2, by_person_id=WHO)
        assert isinstance(result, CommandResult)
        assert result.response == ACCEPTED
    assert sent(point) == [["ChangeConfiguration", {"key": "SecurityProfile", "value": "2"}]]
    kept = await station(sqlite_db, CP)
    assert (kept["security_profile"], kept["wanted_profile"]) == (1, 2)
    async with server.station(CP):  # it could not connect in the new way yet: the old one still opens
        pass
    async with server.over_tls(CP, tls=server.trust(), secret=SECRET):
        pass
    kept = await station(sqlite_db, CP)
    assert (kept["security_profile"], kept["wanted_profile"]) == (2, None)
    assert (await refused_with(server, f"/{CP}", additional_headers=basic(CP, SECRET)))[0] == 401
    assert await server.security.raise_profile("org", CP, 1, by_person_id=WHO) == Refused(
        "profile_not_higher", {"profile": 2}
    )


async def test_profile_refused_by_the_station_is_no_longer_wanted(
    server: SecureServer, sqlite_db: Database
) -> None:
    rejected = {"status": "Rejected"}
    async with server.station(CP, respond=lambda *_: rejected):
        result = await server.security.raise_profile("org", CP, 2, by_person_id=WHO)
    assert isinstance(result, CommandResult)
    assert result.response == rejected
    kept = await station(sqlite_db, CP)
    assert (kept["security_profile"], kept["wanted_profile"]) == (1, None)


async def test_TC_086_server_certificate_is_shown_and_the_password_opens(
    server: SecureServer, sqlite_db: Database
) -> None:
    await set_profile(sqlite_db, CP, 2)
    async with server.over_tls(CP, tls=server.trust(), secret=SECRET) as point:
        shown = point.socket.transport.get_extra_info("peercert")
        assert ("DNS", "localhost") in shown["subjectAltName"]
        assert "currentTime" in await point.answer("Heartbeat", {})


async def test_TC_087_client_certificate_opens_without_password(
    server: SecureServer, sqlite_db: Database
) -> None:
    await set_profile(sqlite_db, CP, 3)
    async with server.over_tls(CP, tls=await server.identified(CP)) as point:
        assert "currentTime" in await point.answer("Heartbeat", {})
