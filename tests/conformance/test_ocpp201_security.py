"""OCPP 2.0.1, blocks A and M: certificates, profiles and TLS, on real TLS sockets."""

from __future__ import annotations

import ssl
import warnings
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import websockets
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp

from supervision.clock import SystemClock
from supervision.csms.commands import CommandResult, CommandState
from supervision.csms.local_authority import LocalAuthority
from supervision.store.db import Database
from supervision.store.schema import station_certificates
from tests.conformance.play import ACCEPTED, Json, by_action, rows, station
from tests.integration.ocpp_client import (
    SECRET,
    V201,
    ChargePoint,
    basic,
    refused_with,
    until,
    write_stations,
)
from tests.integration.secure_central import (
    SecureServer,
    ec_key,
    hash_fields,
    request_for,
    secure_system,
    set_profile,
)

CS = "CS201"
WHO = "m1"
LIST = "GetInstalledCertificateIds"


@pytest.fixture
async def server(sqlite_db: Database, tmp_path: Path) -> AsyncIterator[SecureServer]:
    """Return a central system with both ports; CS201 is of security profile 1."""
    await write_stations(sqlite_db)
    async with secure_system(sqlite_db, tmp_path) as running:
        yield running


def sent(point: ChargePoint) -> list[list[Any]]:
    """Return action and payload of the CALLs the station got."""
    return [frame[2:] for frame in point.commands]


def with_password(server: SecureServer, **answers: Json) -> Any:
    """Connect CS201 over TLS with its password; it answers by action, else Accepted."""
    return server.over_tls(CS, V201, tls=server.trust(), secret=SECRET, respond=by_action(**answers))


# --- A: TLS -------------------------------------------------------------------------------------------


async def test_TC_A_04_server_certificate_is_shown_and_the_password_opens(
    server: SecureServer, sqlite_db: Database
) -> None:
    await set_profile(sqlite_db, CS, 2)
    async with with_password(server) as point:
        assert point.socket.transport.get_extra_info("ssl_object").version() in {"TLSv1.2", "TLSv1.3"}
        assert "currentTime" in await point.answer("Heartbeat", {})


async def test_TC_A_06_old_tls_is_not_spoken(server: SecureServer, sqlite_db: Database) -> None:
    await set_profile(sqlite_db, CS, 2)
    old = server.trust()
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that TLS 1.1 is old is the point
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(OSError):  # noqa: PT011 - an alert of TLS or, on Python 3.11, a connection cut
        async with server.over_tls(CS, V201, tls=old, secret=SECRET):
            pass
    assert not server.central.connected(CS)


async def test_TC_A_07_client_certificate_opens_without_password(
    server: SecureServer, sqlite_db: Database
) -> None:
    await set_profile(sqlite_db, CS, 3)
    async with server.over_tls(CS, V201, tls=await server.identified(CS)) as point:
        assert "currentTime" in await point.answer("Heartbeat", {})


async def test_TC_A_08_invalid_client_certificate_stays_outside(
    server: SecureServer, sqlite_db: Database, tmp_path: Path
) -> None:
    await set_profile(sqlite_db, CS, 3)
    stranger = LocalAuthority.open(tmp_path / "stranger.pem", SystemClock().now())
    with pytest.raises((OSError, websockets.InvalidMessage)):
        async with server.over_tls(CS, V201, tls=await server.identified(CS, authority=stranger)):
            pass
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with server.over_tls(CS, V201, tls=await server.identified("CP16"), secret=SECRET):
            pass
    assert refused.value.response.status_code == 401
    assert not server.central.connected(CS)


# --- A: renewal and profile -----------------------------------------------------------------------------


async def ask_and_sign(server: SecureServer, point: ChargePoint, csr: str, **more: str) -> None:
    """Trigger the renewal, send the request, wait for what comes back."""
    asked = await server.security.renew_certificate("org", CS, by_person_id=WHO)
    assert isinstance(asked, CommandResult)
    assert asked.response == ACCEPTED
    assert await point.answer("SignCertificate", {"csr": csr, **more}) == ACCEPTED
    await server.outbox.drain()
    await until(lambda: len(point.commands) == 2)


async def test_TC_A_11_certificate_is_renewed_when_the_central_system_asks(
    server: SecureServer, sqlite_db: Database
) -> None:
    key = ec_key()
    async with with_password(server) as point:
        kind = "ChargingStationCertificate"
        await ask_and_sign(server, point, request_for(CS, key), certificateType=kind)
        await server.certificate_is(CS, "installed")
    (row,) = await rows(sqlite_db, station_certificates)
    assert sent(point) == [
        ["TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"}],
        ["CertificateSigned", {"certificateChain": row["chain"], "certificateType": kind}],
    ]
    async with server.over_tls(CS, V201, tls=server.with_chain(row["chain"], key)) as again:
        assert "currentTime" in await again.answer("Heartbeat", {})


async def test_TC_A_14_certificate_the_station_does_not_take_is_kept_as_rejected(
    server: SecureServer, sqlite_db: Database
) -> None:
    async with with_password(server, CertificateSigned={"status": "Rejected"}) as point:
        await ask_and_sign(server, point, request_for(CS))
        await server.certificate_is(CS, "rejected")
        event = {"type": "InvalidChargingStationCertificate", "timestamp": "2026-11-21T08:00:00Z"}
        assert await point.answer("SecurityEventNotification", event) == {}
    (row,) = await rows(sqlite_db, station_certificates)
    assert (row["reason"], row["installed_at"]) == ("rejected_by_station", None)
    document = await server.security.document("org", CS)
    assert isinstance(document, dict)
    assert [(one["state"], one["reason"]) for one in document["certificates"]] == [
        ("rejected", "rejected_by_station")
    ]


async def test_certificates_of_iso_15118_are_not_signed(server: SecureServer, sqlite_db: Database) -> None:
    async with with_password(server) as point:
        wanted = {"csr": request_for(CS), "certificateType": "V2GCertificate"}
        assert await point.answer("SignCertificate", wanted) == {"status": "Rejected"}
    assert await rows(sqlite_db, station_certificates) == []


async def test_TC_A_19_security_profile_is_raised_by_a_network_profile_and_never_lowered(
    server: SecureServer, sqlite_db: Database
) -> None:
    named = {
        "component": {"name": "OCPPCommCtrlr"},
        "variable": {"name": "NetworkConfigurationPriority"},
    }
    taken = {"setVariableResult": [{"attributeStatus": "Accepted", **named}]}
    async with server.station(CS, V201, respond=by_action(SetVariables=taken)) as point:
        result = await server.security.raise_profile("org", CS, 2, by_person_id=WHO)
        assert isinstance(result, CommandResult)
        assert result.response == ACCEPTED
    assert sent(point) == [
        [
            "SetNetworkProfile",
            {
                "configurationSlot": 2,
                "connectionData": {
                    "ocppVersion": "OCPP20",
                    "ocppTransport": "JSON",
                    "ocppCsmsUrl": "wss://csms.example.org/ocpp",
                    "messageTimeout": 30,
                    "securityProfile": 2,
                    "ocppInterface": "Wired0",
                },
            },
        ],
        ["SetVariables", {"setVariableData": [{**named, "attributeValue": "2,1"}]}],
        ["Reset", {"type": "OnIdle"}],
    ]
    assert (await station(sqlite_db, CS))["security_profile"] == 1
    async with with_password(server):
        pass
    kept = await station(sqlite_db, CS)
    assert (kept["security_profile"], kept["wanted_profile"]) == (2, None)
    protocols = [websockets.Subprotocol(V201)]
    refused = await refused_with(
        server, f"/{CS}", subprotocols=protocols, additional_headers=basic(CS, SECRET)
    )
    assert refused[0] == 401


async def test_network_profile_refused_ends_the_order(server: SecureServer, sqlite_db: Database) -> None:
    async with server.station(CS, V201, respond=lambda *_: {"status": "Rejected"}) as point:
        await server.security.raise_profile("org", CS, 2, by_person_id=WHO)
    assert [action for action, _ in sent(point)] == ["SetNetworkProfile"]
    assert (await station(sqlite_db, CS))["wanted_profile"] is None


# --- M: root certificates -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("CSMSRootCertificate", id="TC_M_01"),
        pytest.param("ManufacturerRootCertificate", id="TC_M_02"),
    ],
)
async def test_root_certificate_is_installed_and_seen_in_the_list(
    server: SecureServer, sqlite_db: Database, kind: str
) -> None:
    told = hash_fields(server.authority.root)
    listed = {
        "status": "Accepted",
        "certificateHashDataChain": [{"certificateType": kind, "certificateHashData": told}],
    }
    async with with_password(server, **{LIST: listed}) as point:
        result = await server.security.install_root("org", CS, kind=kind, pem=None, by_person_id=WHO)
    assert isinstance(result, CommandResult)
    assert (result.state, result.response) == (CommandState.ANSWERED, ACCEPTED)
    assert sent(point) == [
        ["InstallCertificate", {"certificateType": kind, "certificate": server.authority.root}],
        [LIST, {}],
    ]
    assert await installed(sqlite_db) == [{"kind": kind, **told}]


async def installed(db: Database) -> list[Json]:
    """Return what is known to be installed."""
    items: list[Json] = (await station(db, CS))["installed_certificates"]["items"]
    return items


async def test_TC_M_05_failed_installation_is_told_and_nothing_kept(
    server: SecureServer, sqlite_db: Database
) -> None:
    failed = {"status": "Failed"}
    async with with_password(server, InstallCertificate=failed) as point:
        result = await server.security.install_root(
            "org", CS, kind="CSMSRootCertificate", pem=None, by_person_id=WHO
        )
    assert isinstance(result, CommandResult)
    assert result.response == failed
    assert [action for action, _ in sent(point)] == ["InstallCertificate"]
    assert (await station(sqlite_db, CS))["installed_certificates"] is None


CSMS, MAKER = "CSMSRootCertificate", "ManufacturerRootCertificate"


@pytest.mark.parametrize(
    ("kinds", "asked"),
    [
        pytest.param([CSMS], {"certificateType": [CSMS]}, id="TC_M_12"),
        pytest.param([MAKER], {"certificateType": [MAKER]}, id="TC_M_13"),
        pytest.param([CSMS, MAKER], {"certificateType": [CSMS, MAKER]}, id="TC_M_17"),
        pytest.param([], {}, id="TC_M_18"),
    ],
)
async def test_installed_certificates_are_asked_for_and_kept(
    server: SecureServer, sqlite_db: Database, kinds: list[str], asked: Json
) -> None:
    told = hash_fields(server.authority.root)
    chains = [{"certificateType": kind, "certificateHashData": told} for kind in kinds or [CSMS, MAKER]]
    listed = {"status": "Accepted", "certificateHashDataChain": chains}
    async with with_password(server, **{LIST: listed}) as point:
        result = await server.security.ask_installed("org", CS, kinds=kinds, by_person_id=WHO)
    assert isinstance(result, CommandResult)
    assert result.response == listed
    assert sent(point) == [[LIST, asked]]
    assert await installed(sqlite_db) == [{"kind": kind, **told} for kind in kinds or [CSMS, MAKER]]


async def test_TC_M_19_no_matching_certificate_leaves_an_empty_list(
    server: SecureServer, sqlite_db: Database
) -> None:
    async with with_password(server, **{LIST: {"status": "NotFound"}}):
        result = await server.security.ask_installed("org", CS, kinds=[CSMS], by_person_id=WHO)
    assert isinstance(result, CommandResult)
    assert result.response == {"status": "NotFound"}
    assert await installed(sqlite_db) == []


@pytest.mark.parametrize(
    ("word", "asked_again"),
    [
        pytest.param("Accepted", True, id="TC_M_20"),
        pytest.param("Failed", False, id="TC_M_21"),
    ],
)
async def test_certificate_is_deleted_as_the_station_named_it(
    server: SecureServer, sqlite_db: Database, word: str, asked_again: bool
) -> None:
    told = hash_fields(server.authority.root)
    answers = {"DeleteCertificate": {"status": word}, LIST: {"status": "NotFound"}}
    async with with_password(server, **answers) as point:
        result = await server.security.delete_root("org", CS, hash_data=told, by_person_id=WHO)
    assert isinstance(result, CommandResult)
    assert result.response == {"status": word}
    assert sent(point)[0] == ["DeleteCertificate", {"certificateHashData": told}]
    assert sent(point)[1:] == ([[LIST, {}]] if asked_again else [])


async def test_TC_M_24_status_of_a_certificate_of_ours_is_answered_with_ocsp(
    server: SecureServer, sqlite_db: Database
) -> None:
    async with with_password(server) as point:
        await ask_and_sign(server, point, request_for(CS))
        await server.certificate_is(CS, "installed")
        (row,) = await rows(sqlite_db, station_certificates)
        asked = {**hash_fields(row["chain"], issuer=server.authority.root), "responderURL": "http://none"}
        good = await point.answer("GetCertificateStatus", {"ocspRequestData": asked})
        await server.certificates.revoke("org", CS, row["id"])
        revoked = await point.answer("GetCertificateStatus", {"ocspRequestData": asked})
        foreign = {**asked, "issuerKeyHash": "00" * 32}
        unknown = await point.answer("GetCertificateStatus", {"ocspRequestData": foreign})
    assert [answer["status"] for answer in (good, revoked, unknown)] == ["Accepted", "Accepted", "Failed"]
    root = x509.load_pem_x509_certificate(server.authority.root.encode())
    for answer, status in ((good, ocsp.OCSPCertStatus.GOOD), (revoked, ocsp.OCSPCertStatus.REVOKED)):
        response = ocsp.load_der_ocsp_response(b64decode(answer["ocspResult"]))
        assert (response.certificate_status, f"{response.serial_number:X}") == (status, row["serial"])
        key = root.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(hashes.SHA256()))
