"""Who signs the certificates of charging stations: a small protocol, so that another CA can stand in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from supervision.kernel.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A signed certificate. `chain` is PEM, the station's first; `serial` upper-case hex."""

    chain: str
    serial: str
    fingerprint: str
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HashData:
    """How OCPP names a certificate: hashes of its issuer and its serial number, in hex (RFC 6960)."""

    algorithm: str  # SHA256 | SHA384 | SHA512
    issuer_name: str
    issuer_key: str
    serial: str


class CertificateAuthority(Protocol):
    """Signs requests of stations and tells the state of what it has signed."""

    async def sign(self, csr: str, identity: str, now: datetime) -> Issued | Refused:
        """Sign a PEM request for a station; Refused says why not."""
        ...

    def issued(self, asked: HashData) -> bool:
        """Tell whether a certificate so named would be one of this authority."""
        ...

    async def ocsp(self, asked: HashData, revoked_at: datetime | None, now: datetime) -> bytes:
        """Return a DER OCSP response about a certificate of this authority: good, or revoked since."""
        ...

    @property
    def root(self) -> str:
        """The PEM certificate to trust."""
        ...
