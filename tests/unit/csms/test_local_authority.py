"""The authority in the house, with its own key and with an intermediate of another."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from supervision.csms.authority import Issued
from supervision.csms.local_authority import LocalAuthority, PrivateKey, hash_data, private_pem
from supervision.kernel.errors import FieldError, Refused

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)


def authority_certificate(
    name: str, key: PrivateKey, *, issuer: str, signer: PrivateKey, days: int = 400
) -> x509.Certificate:
    """Make a certificate of an authority."""
    subject, by = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, issuer))
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def csr(identity: str, key: PrivateKey = KEY) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, identity)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


async def issue(authority: LocalAuthority, key: PrivateKey = KEY) -> tuple[Issued, list[x509.Certificate]]:
    issued = await authority.sign(csr("CP1", key), "CP1", NOW)
    assert isinstance(issued, Issued)
    return issued, x509.load_pem_x509_certificates(issued.chain.encode())


async def test_certificate_of_a_station_is_for_a_client_of_this_name_alone(tmp_path: Path) -> None:
    authority = LocalAuthority.open(tmp_path / "ca.pem", NOW, "Mairie")
    issued, (leaf,) = await issue(authority)
    root = x509.load_pem_x509_certificate(authority.root.encode())
    leaf.verify_directly_issued_by(root)
    assert leaf.subject.rfc4514_string() == "O=Mairie,CN=CP1"
    assert leaf.public_key() == KEY.public_key()
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert (issued.serial, issued.fingerprint) == (
        f"{leaf.serial_number:X}",
        leaf.fingerprint(hashes.SHA256()).hex(),
    )
    assert (issued.not_before, issued.not_after) == (NOW - timedelta(hours=1), NOW + timedelta(days=730))


async def test_authority_opened_again_is_the_same(tmp_path: Path) -> None:
    first = LocalAuthority.open(tmp_path / "ca.pem", NOW)
    again = LocalAuthority.open(tmp_path / "ca.pem", NOW + timedelta(days=1))
    assert again.root == first.root
    assert await again.sign("no PEM", "CP1", NOW) == Refused("csr_unreadable")


@pytest.fixture
def intermediate(tmp_path: Path) -> LocalAuthority:
    """An RSA intermediate below another's root."""
    top = ec.generate_private_key(ec.SECP384R1())
    root = authority_certificate("Root", top, issuer="Root", signer=top)
    middle = authority_certificate("Middle", RSA, issuer="Root", signer=top, days=100)
    (tmp_path / "ca.pem").write_text(private_pem(RSA) + pem(middle) + pem(root))
    return LocalAuthority.open(tmp_path / "ca.pem", NOW)


async def test_intermediate_signs_and_goes_with_the_certificate(intermediate: LocalAuthority) -> None:
    issued, (leaf, middle) = await issue(intermediate, RSA)
    leaf.verify_directly_issued_by(middle)
    assert x509.load_pem_x509_certificate(intermediate.root.encode()).subject.rfc4514_string() == "CN=Root"
    assert issued.not_after == NOW + timedelta(days=100)  # no longer than who signed
    assert leaf.extensions.get_extension_for_class(x509.KeyUsage).value.key_encipherment


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA384", "SHA512"])
async def test_own_certificates_are_known_by_their_hashes(
    intermediate: LocalAuthority, algorithm: str
) -> None:
    _, (leaf, middle) = await issue(intermediate)
    named = hash_data(leaf, middle, algorithm)
    assert intermediate.issued(named)
    assert intermediate.issued(replace(named, issuer_key=named.issuer_key.upper()))
    assert not intermediate.issued(replace(named, issuer_key="00"))
    assert not intermediate.issued(replace(named, issuer_name="00"))
    assert not intermediate.issued(replace(named, algorithm="MD5"))


def test_key_hash_is_that_of_the_standard(tmp_path: Path) -> None:
    """An OCSP request of the library names the same issuer."""
    authority = LocalAuthority.open(tmp_path / "ca.pem", NOW)
    root = x509.load_pem_x509_certificate(authority.root.encode())
    request = ocsp.OCSPRequestBuilder().add_certificate(root, root, hashes.SHA256()).build()
    named = hash_data(root, root)
    assert (named.issuer_name, named.issuer_key) == (
        request.issuer_name_hash.hex(),
        request.issuer_key_hash.hex(),
    )


@pytest.mark.parametrize(
    "text",
    ["", "nothing", private_pem(KEY)],
    ids=["empty", "no PEM", "no certificate"],
)
def test_file_that_cannot_be_used_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "ca.pem").write_text(text)
    with pytest.raises(FieldError, match=r"ca\.pem: a private key and its certificate in PEM are wanted"):
        LocalAuthority.open(tmp_path / "ca.pem", NOW)


def test_certificate_of_another_key_is_refused(tmp_path: Path) -> None:
    other = authority_certificate("Root", RSA, issuer="Root", signer=RSA)
    (tmp_path / "ca.pem").write_text(private_pem(KEY) + pem(other))
    with pytest.raises(FieldError, match="the first certificate is not that of the private key"):
        LocalAuthority.open(tmp_path / "ca.pem", NOW)
