"""A central system with both ports, its own certificate authority, and charging stations that speak TLS.

Certificates are checked against the clock of the machine, so this one runs by it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import websockets
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from sqlalchemy import update
from websockets.asyncio.client import connect

from supervision.clock import SystemClock
from supervision.csms.authorising import BadgeAuthoriser
from supervision.csms.certificates import CertificateService
from supervision.csms.commands import CommandService
from supervision.csms.local_authority import LocalAuthority, PrivateKey, hash_data, private_pem
from supervision.csms.registry import Registry
from supervision.csms.security import SecurityService, TlsOffer
from supervision.csms.service import CentralService
from supervision.csms.tls import ServerCertificate, StationTls
from supervision.ocpp_cs import CentralSystem, SecurePort
from supervision.store.db import Database, Tx
from supervision.store.outbox import Outbox
from supervision.store.schema import charging_stations
from tests.factories import TESTS
from tests.integration.ocpp_client import (
    V16,
    ChargePoint,
    Responder,
    Server,
    accept,
    basic,
    boot_payload,
    until,
)

CPO = "Mairie de Privas"


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    """One for all tests: making it takes long."""
    return rsa.generate_private_key(65537, 2048)


def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def request_for(identity: str, key: PrivateKey | None = None) -> str:
    """Write a certificate request as a station does."""
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, identity),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, CPO),
        ]
    )
    request = (
        x509.CertificateSigningRequestBuilder().subject_name(name).sign(key or ec_key(), hashes.SHA256())
    )
    return request.public_bytes(serialization.Encoding.PEM).decode()


def hash_fields(pem: str, *, issuer: str | None = None) -> dict[str, str]:
    """Name a certificate as a station does; without `issuer` it is its own."""
    certificate, signer = (x509.load_pem_x509_certificate(text.encode()) for text in (pem, issuer or pem))
    named = hash_data(certificate, signer)
    return {
        "hashAlgorithm": named.algorithm,
        "issuerNameHash": named.issuer_name,
        "issuerKeyHash": named.issuer_key,
        "serialNumber": named.serial,
    }


class SecureServer(Server):
    """`tls_url` beside `url`; `outbox.drain()` lets what was committed have its consequences."""

    def __init__(
        self, central: CentralSystem, url: str, tls_url: str, folder: Path, authority: LocalAuthority
    ) -> None:
        super().__init__(central, url)
        self.tls_url = tls_url
        self.folder = folder
        self.authority = authority
        self.certificates: CertificateService
        self.security: SecurityService
        self.outbox: Outbox

    async def certificate_is(self, identity: str, state: str) -> None:
        """Let events have their consequences until the newest certificate is in a state."""

        async def holds() -> bool:
            await self.outbox.drain()
            document = await self.security.document("org", identity)
            assert isinstance(document, dict)
            return bool(document["certificates"][0]["state"] == state)

        await until(holds)

    def trust(self, **versions: ssl.TLSVersion) -> ssl.SSLContext:
        """Return what a station without certificate connects with."""
        context = ssl.create_default_context(cadata=self.authority.root)
        for name, version in versions.items():
            setattr(context, name, version)
        return context

    async def identified(
        self, identity: str, *, authority: LocalAuthority | None = None, key: PrivateKey | None = None
    ) -> ssl.SSLContext:
        """Return what a station connects with that has a certificate of an authority, else ours."""
        key = key or ec_key()
        issued = await (authority or self.authority).sign(
            request_for(identity, key), identity, SystemClock().now()
        )
        assert not hasattr(issued, "code"), issued
        return self.with_chain(issued.chain, key)

    def with_chain(self, chain: str, key: PrivateKey) -> ssl.SSLContext:
        context = self.trust()
        file = self.folder / "station.pem"
        file.write_text(private_pem(key) + chain)
        context.load_cert_chain(file)
        file.unlink()
        return context

    @asynccontextmanager
    async def over_tls(
        self,
        identity: str,
        protocol: str = V16,
        *,
        tls: ssl.SSLContext,
        secret: str | None = None,
        respond: Responder = accept,
        boot: bool = True,
    ) -> AsyncIterator[ChargePoint]:
        """Connect to the port with TLS, with a password or without."""
        async with connect(
            f"{self.tls_url}/{identity}",
            subprotocols=[websockets.Subprotocol(protocol)],
            additional_headers={} if secret is None else basic(identity, secret),
            proxy=None,
            ssl=tls,
        ) as opened:
            point = ChargePoint(opened, respond)
            async with asyncio.TaskGroup() as tasks:
                reader = tasks.create_task(point.read())
                await point.answer(
                    *(("BootNotification", boot_payload(protocol)) if boot else ("Heartbeat", {}))
                )
                yield point
                reader.cancel()


async def set_profile(db: Database, identity: str, profile: int, **values: object) -> None:
    """Register the station with another security profile."""

    async def unit(tx: Tx) -> None:
        await tx.execute(
            update(charging_stations)
            .where(charging_stations.c.identity == identity)
            .values(security_profile=profile, **values)
        )

    await db.write(TESTS, unit)


def write_server_files(authority: LocalAuthority, folder: Path) -> list[ServerCertificate]:
    """Sign and write one certificate of each kind: chain and key in one file, and in two."""
    now = SystemClock().now()
    first, second = ec_key(), rsa_key()
    together, chain, key = (folder / name for name in ("ecdsa.pem", "rsa-chain.pem", "rsa-key.pem"))
    together.write_text(authority.sign_server(first, ["localhost", "127.0.0.1"], now) + private_pem(first))
    chain.write_text(authority.sign_server(second, ["localhost", "127.0.0.1"], now))
    key.write_text(private_pem(second))
    return [ServerCertificate(chain=together), ServerCertificate(chain=chain, key=key)]


@asynccontextmanager
async def secure_system(
    db: Database, folder: Path, *, organisation: str = "", trusted_proxy: str = ""
) -> AsyncIterator[SecureServer]:
    clock = SystemClock()
    ca_file = folder / "station-ca.pem"
    authority = LocalAuthority.open(ca_file, clock.now(), organisation)
    registry = Registry()
    commands = CommandService(db=db, clock=clock, registry=registry)
    certificates = CertificateService(db=db, clock=clock, commands=commands, authority=authority)
    service = CentralService(
        db=db,
        clock=clock,
        authoriser=BadgeAuthoriser(),
        registry=registry,
        commands=commands,
        boot_interval_s=300,
        authority=authority,
        organisation=organisation,
    )
    central = CentralSystem(service, settle_s=0.0, trusted_proxy=trusted_proxy)
    tls = StationTls.load(write_server_files(authority, folder), [ca_file])
    plain, secure = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    port, tls_port = (bound.getsockname()[1] for bound in (plain, secure))
    server = SecureServer(
        central, f"ws://127.0.0.1:{port}/ocpp", f"wss://127.0.0.1:{tls_port}/ocpp", folder, authority
    )
    server.certificates = certificates
    server.security = SecurityService(
        db=db,
        clock=clock,
        commands=commands,
        certificates=certificates,
        tls=TlsOffer(listens=True, url="wss://csms.example.org/ocpp"),
    )
    server.outbox = Outbox(db, clock, [certificates.consumer()])
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(
            central.serve(plain, ready=ready.set, secure=SecurePort(bound=secure, tls=tls))
        )
        await ready.wait()
        yield server
        serving.cancel()
