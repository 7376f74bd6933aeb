"""The certificate authority in the house: one P-256 key in a file of its own, for those who have no other.

The file holds key and certificate in PEM and is readable by the service alone. An office with a CA of its own
puts an intermediate (key, certificate, then its chain) in the same place.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from supervision.csms.authority import HashData, Issued
from supervision.csms.requests import read_request
from supervision.kernel.errors import FieldError, Refused

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

FILE: Final = "station-ca.pem"
ROOT_DAYS: Final = 7300
STATION_DAYS: Final = 730
SERVER_DAYS: Final = 397
_SERVER_RSA_BITS: Final = 2048  # the smallest OCPP allows: a handshake of every station costs one signature
_BEFORE: Final = timedelta(hours=1)  # a station whose clock is behind must not find it not yet valid
_OCSP_DAYS: Final = 7
_HASHES: Final[dict[str, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]]] = {
    "SHA256": hashes.SHA256,
    "SHA384": hashes.SHA384,
    "SHA512": hashes.SHA512,
}
_ROOT_NAME: Final = "Autopartage Supervision station CA"


class LocalAuthority:
    """Signs with the key of a file. `organisation` becomes O in the certificates unless it is empty."""

    def __init__(self, key: PrivateKey, chain: Sequence[x509.Certificate], organisation: str) -> None:
        self._key = key
        self._chain = tuple(chain)
        self._organisation = organisation

    @classmethod
    def open(cls, path: Path, now: datetime, organisation: str = "") -> LocalAuthority:
        """Read the file, made at first use; FieldError when it cannot be used."""
        if not path.exists():
            create(path, now)
        try:
            pem = path.read_bytes()
            key = serialization.load_pem_private_key(pem, password=None)
            chain = x509.load_pem_x509_certificates(pem)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
            raise FieldError(str(path), "a private key and its certificate in PEM are wanted") from None
        if not isinstance(key, PrivateKey) or key.public_key() != chain[0].public_key():
            raise FieldError(str(path), "the first certificate is not that of the private key")
        return cls(key, chain, organisation)

    @property
    def root(self) -> str:
        """The certificate to trust."""
        return _pem(self._chain[-1])

    async def sign(self, csr: str, identity: str, now: datetime) -> Issued | Refused:
        """Sign; only the key of the request is used."""
        request = read_request(csr, identity)
        if isinstance(request, Refused):
            return request
        key = request.public_key()
        if not isinstance(key, PublicKey):
            return Refused("csr_key")
        return await asyncio.to_thread(self._sign_station, key, identity, now)

    def _sign_station(self, key: PublicKey, identity: str, now: datetime) -> Issued:
        certificate = self._signed(
            key, self._subject(identity), now, STATION_DAYS, ExtendedKeyUsageOID.CLIENT_AUTH, ()
        )
        return Issued(
            chain="".join(_pem(part) for part in (certificate, *self._chain[:-1])),
            serial=f"{certificate.serial_number:X}",
            fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
        )

    def sign_server(self, key: PrivateKey, hosts: Sequence[str], now: datetime) -> str:
        """Return the PEM chain of a server certificate for these names or addresses."""
        names: list[x509.GeneralName] = [_general_name(host) for host in hosts]
        certificate = self._signed(
            key.public_key(),
            self._subject(hosts[0]),
            now,
            SERVER_DAYS,
            ExtendedKeyUsageOID.SERVER_AUTH,
            names,
        )
        return "".join(_pem(part) for part in (certificate, *self._chain[:-1]))

    def _subject(self, name: str) -> x509.Name:
        parts = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        if self._organisation:
            parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, self._organisation))
        return x509.Name(parts)

    def _signed(
        self,
        key: PublicKey,
        subject: x509.Name,
        now: datetime,
        days: int,
        usage: x509.ObjectIdentifier,
        names: Sequence[x509.GeneralName],
    ) -> x509.Certificate:
        issuer = self._chain[0]
        ends = min(now + timedelta(days=days), issuer.not_valid_after_utc)
        encipherment = isinstance(key, rsa.RSAPublicKey)  # the suites without forward secrecy need it
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BEFORE)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs=True, enciphers=encipherment), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def issued(self, asked: HashData) -> bool:
        """Compare the hashes of name and key with those of our own certificate."""
        algorithm = _HASHES.get(asked.algorithm)
        if algorithm is None:
            return False
        issuer = self._chain[0]
        name = _digest(algorithm(), issuer.subject.public_bytes())
        key = _digest(algorithm(), _key_bits(self._key.public_key()))
        return (name, key) == (asked.issuer_name.lower(), asked.issuer_key.lower())

    async def ocsp(self, asked: HashData, revoked_at: datetime | None, now: datetime) -> bytes:
        """Sign the answer with the key that signed the certificate."""
        return await asyncio.to_thread(self._ocsp, asked, revoked_at, now)

    def _ocsp(self, asked: HashData, revoked_at: datetime | None, now: datetime) -> bytes:
        issuer = self._chain[0]
        response = (
            ocsp.OCSPResponseBuilder()
            .add_response_by_hash(
                issuer_name_hash=bytes.fromhex(asked.issuer_name),
                issuer_key_hash=bytes.fromhex(asked.issuer_key),
                serial_number=int(asked.serial, 16),
                algorithm=_HASHES[asked.algorithm](),
                cert_status=ocsp.OCSPCertStatus.GOOD if revoked_at is None else ocsp.OCSPCertStatus.REVOKED,
                this_update=now,
                next_update=now + timedelta(days=_OCSP_DAYS),
                revocation_time=revoked_at,
                revocation_reason=None if revoked_at is None else x509.ReasonFlags.unspecified,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, issuer)
            .sign(self._key, hashes.SHA256())
        )
        return response.public_bytes(serialization.Encoding.DER)


def hash_data(certificate: x509.Certificate, issuer: x509.Certificate, algorithm: str = "SHA256") -> HashData:
    """Name a certificate the way of OCPP."""
    kind = _HASHES[algorithm]
    return HashData(
        algorithm=algorithm,
        issuer_name=_digest(kind(), certificate.issuer.public_bytes()),
        issuer_key=_digest(kind(), _key_bits(issuer.public_key())),
        serial=f"{certificate.serial_number:X}",
    )


def server_files(authority: LocalAuthority, folder: Path, hosts: Sequence[str], now: datetime) -> list[Path]:
    """Make new keys and certificates of a server, one ECDSA and one RSA; return their files.

    Key and chain stand in one file. Those of before are replaced: a running service takes the new ones with
    the next handshake.
    """
    folder.mkdir(parents=True, exist_ok=True)
    keys: dict[str, PrivateKey] = {
        "ocpp-ecdsa.pem": ec.generate_private_key(ec.SECP256R1()),
        "ocpp-rsa.pem": rsa.generate_private_key(65537, _SERVER_RSA_BITS),
    }
    for name, key in keys.items():
        replace_private(folder / name, private_pem(key) + authority.sign_server(key, hosts, now))
    return [folder / name for name in keys]


def create(path: Path, now: datetime) -> None:
    """Make a key and a certificate that signs itself, in a file for the service alone; never over another."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _ROOT_NAME)])
    root = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + timedelta(days=ROOT_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(_key_usage(is_root=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, private_pem(key) + _pem(root))


def write_private(path: Path, pem: str) -> None:
    """Write a file that only its owner may read, whole or not at all, never over an existing one."""
    draft = _draft(path, pem)
    try:
        os.link(draft, path)
    except FileExistsError:
        return  # another process was faster; its file is the one
    finally:
        draft.unlink()


def replace_private(path: Path, pem: str) -> None:
    """Write such a file in place of the one before, at one stroke."""
    _draft(path, pem).replace(path)


def _draft(path: Path, pem: str) -> Path:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    return draft


def private_pem(key: PrivateKey) -> str:
    """Write a private key for a file of our own."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode("ascii")


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _digest(algorithm: hashes.HashAlgorithm, octets: bytes) -> str:
    digest = hashes.Hash(algorithm)
    digest.update(octets)
    return digest.finalize().hex()


def _key_bits(key: object) -> bytes:
    """The content of the BIT STRING in SubjectPublicKeyInfo, which RFC 6960 hashes."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    if isinstance(key, rsa.RSAPublicKey):
        return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    raise TypeError(f"no RSA or EC key: {type(key).__name__}")


def _key_usage(*, is_root: bool = False, signs: bool = False, enciphers: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs or is_root,  # a root signs OCSP answers too
        content_commitment=False,
        key_encipherment=enciphers,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_root,
        crl_sign=is_root,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
