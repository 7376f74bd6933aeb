"""What may be in a certificate request of a charging station. Pure.

The keys are those of the security whitepaper (A00.FR.501-503): RSA of 2048 bits or more, ECDSA on P-256 (or
the larger NIST curves). Of a request only the key is used; the name must be the station's all the same, since
a station that asks for another name would not be known by what it gets.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from supervision.kernel.errors import Refused

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192  # beyond it a signature costs more than any station needs
MAX_CSR_CHARS = 5500
_CURVES = ("secp256r1", "secp384r1", "secp521r1")


def read_request(csr: str, identity: str) -> x509.CertificateSigningRequest | Refused:
    """Return the request when it may be signed for the station."""
    try:
        request = x509.load_pem_x509_csr(csr.encode("ascii"))
        key = request.public_key()
        names = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        signed = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, InvalidSignature):
        return Refused("csr_unreadable")
    if not signed:
        return Refused("csr_signature")
    if not _strong(key):
        return Refused("csr_key")
    if [name.value for name in names] != [identity]:
        return Refused("csr_name", {"identity": identity})
    return request


def _strong(key: object) -> bool:
    if isinstance(key, rsa.RSAPublicKey):
        return MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES
