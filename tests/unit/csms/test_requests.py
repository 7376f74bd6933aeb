"""Which requests for a certificate are signed."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from supervision.csms.requests import read_request
from supervision.kernel.errors import Refused


def request(
    *names: str, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
) -> str:
    """Write a request that bears these common names."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, algorithm)
    return made.public_bytes(serialization.Encoding.PEM).decode()


P256 = ec.generate_private_key(ec.SECP256R1())
GOOD = request("CP1", key=P256)


def forged() -> str:
    """A request whose signature is that of another."""
    der = bytearray(x509.load_pem_x509_csr(GOOD.encode()).public_bytes(serialization.Encoding.DER))
    der[der.index(b"CP1") + 2] = ord("2")
    return x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize(
    "key",
    [P256, ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)],
    ids=["P-256", "P-384", "RSA 2048"],
)
def test_strong_key_of_the_right_name_is_signed(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    read = read_request(request("CP1", key=key), "CP1")
    assert not isinstance(read, Refused)
    assert read.public_key() == key.public_key()


@pytest.mark.parametrize(
    ("csr", "code"),
    [
        ("", "csr_unreadable"),
        ("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----", "csr_unreadable"),
        ("é", "csr_unreadable"),
        ("\ud800", "csr_unreadable"),
        (request("CP10", key=P256), "csr_name"),
        (request("cp1", key=P256), "csr_name"),
        (request("CP1", "CP2", key=P256), "csr_name"),
        (request(key=P256), "csr_name"),
        (request("CP1", key=rsa.generate_private_key(65537, 1024)), "csr_key"),
        (request("CP1", key=ec.generate_private_key(ec.SECP224R1())), "csr_key"),
        (request("CP1", key=ed25519.Ed25519PrivateKey.generate()), "csr_key"),
        (forged(), "csr_signature"),
    ],
)
def test_what_is_not_signed_says_why(csr: str, code: str) -> None:
    refused = read_request(csr, "CP1")
    assert isinstance(refused, Refused)
    assert refused.code == code
