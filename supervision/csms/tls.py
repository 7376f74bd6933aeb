"""TLS for charging stations: the four suites of OCPP, two server certificates, client certificates asked.

Files are looked at whenever a station knocks: a renewed certificate serves the next handshake, while open
sockets stay. A file that cannot be used is logged and the last good one goes on.
"""

from __future__ import annotations

import asyncio.sslproto
import hashlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509

from supervision.csms import metrics
from supervision.csms.admission import PLAIN, Channel, ClientCertificate
from supervision.kernel.errors import FieldError
from supervision.log import Log

log = Log("supervision.csms.tls")

# Security whitepaper A00.FR.317, 2.0.1 A00.FR.318 and 421. Two of them have no forward secrecy: they are for
# this port alone. TLS 1.3 has suites of its own.
SUITES = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:AES128-GCM-SHA256:AES256-GCM-SHA384"

# asyncio takes 256 KiB for each TLS connection, whatever it receives; frames are far below this.
asyncio.sslproto.SSLProtocol.max_size = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCertificate:
    """Files of one server certificate: the chain in PEM, and the key, which may stand in the same file."""

    chain: Path
    key: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that is read."""
        return (self.chain,) if self.key is None else (self.chain, self.key)


def server_certificate(name: str, text: str) -> ServerCertificate | None:
    """Read a setting `CHAIN[,KEY]`; None when it is empty."""
    if not text:
        return None
    chain, _, key = text.partition(",")
    if "," in key or not chain.strip():
        raise FieldError(name, "expected CHAIN.pem or CHAIN.pem,KEY.pem")
    return ServerCertificate(chain=Path(chain.strip()), key=Path(key.strip()) if key.strip() else None)


_UNFINISHED = (ssl.SSLWantReadError, ssl.SSLWantWriteError, ssl.SSLEOFError)


class _Counting(ssl.SSLObject):
    """Counts the handshakes that TLS itself refuses: nobody else hears of them."""

    def do_handshake(self) -> None:
        """Go on with the handshake."""
        try:
            super().do_handshake()
        except _UNFINISHED:  # more is to come, or the other end went away
            raise
        except ssl.SSLError as error:
            by_certificate = isinstance(error, ssl.SSLCertVerificationError)
            metrics.HANDSHAKES.labels("tls-certificate" if by_certificate else "tls").inc()
            raise


class StationTls(ssl.SSLContext):
    """A context that is made anew when its files have changed; asyncio takes it as any other.

    `authorities` are PEM bundles of those who may sign client certificates.
    """

    _certificates: tuple[ServerCertificate, ...]
    _authorities: tuple[Path, ...]
    _seen: tuple[object, ...]
    _current: ssl.SSLContext

    @classmethod
    def load(cls, certificates: Sequence[ServerCertificate], authorities: Sequence[Path]) -> StationTls:
        """Read the files; FieldError when one cannot be used."""
        made = cls(ssl.PROTOCOL_TLS_SERVER)
        made._certificates, made._authorities = tuple(certificates), tuple(authorities)
        made._seen = made._look()
        try:
            made._use(_context(made._certificates, made._authorities))
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            raise FieldError("ocpp_tls", f"certificates cannot be used: {error}") from None
        return made

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        """Begin a handshake with what the files hold now."""
        self.refresh()
        return self._current.wrap_bio(*args, **options)

    def refresh(self) -> bool:
        """Read the files again if they have changed; tell whether new ones are in use."""
        seen = self._look()
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            self._use(_context(self._certificates, self._authorities))
        except (OSError, ValueError) as error:
            log.error("ocpp.tls_files_cannot_be_used", error=str(error))
            return False
        log.info("ocpp.tls_files_read_again")
        return True

    def _use(self, context: ssl.SSLContext) -> None:
        """Take a context, and tell whoever watches when its certificates end."""
        self._current = context
        for certificate in self._certificates:
            leaf = x509.load_pem_x509_certificate(certificate.chain.read_bytes())
            metrics.TLS_ENDS.labels(certificate.chain.name).set(leaf.not_valid_after_utc.timestamp())

    def _look(self) -> tuple[object, ...]:
        paths = [path for certificate in self._certificates for path in certificate.files]
        return tuple(_stamp(path) for path in [*paths, *self._authorities])


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _context(certificates: Sequence[ServerCertificate], authorities: Sequence[Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslobject_class = _Counting
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(SUITES)
    for certificate in certificates:
        context.load_cert_chain(certificate.chain, certificate.key, password=_no_password)
    for bundle in authorities:
        context.load_verify_locations(bundle)
    # Profiles 2 and 3 share the port: whether a certificate is needed is decided once the identity is known.
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _no_password() -> str:
    """OpenSSL would ask at the terminal for the password of an encrypted key."""
    return ""


def channel_of(tls: ssl.SSLObject | None) -> Channel:
    """Say what a connection's TLS object shows; None: no TLS."""
    if tls is None:
        return PLAIN
    der = tls.getpeercert(binary_form=True)
    return Channel(encrypted=True, certificate=_client_certificate(der, tls.getpeercert()) if der else None)


def _client_certificate(der: bytes, decoded: Any) -> ClientCertificate:
    parts = [part for relative in (decoded or {}).get("subject", ()) for part in relative]
    return ClientCertificate(
        common_names=tuple(value for name, value in parts if name == "commonName"),
        organisations=tuple(value for name, value in parts if name == "organizationName"),
        fingerprint=hashlib.sha256(der).hexdigest(),
    )
