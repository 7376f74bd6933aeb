"""Passwords we have to say to a second backend: kept sealed, so that a copy of the database tells none."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from supervision import chance

_NONCE_BYTES = 12
_KEY_BYTES = 32


class Sealer:
    """Seals with a key derived from the key of the installation."""

    def __init__(self, secret: bytes) -> None:
        derive = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=b"password of a second backend")
        self._cipher = AESGCM(derive.derive(secret))

    def seal(self, password: str, *, place: str) -> bytes:
        """Return the password sealed for this place alone: moved to another row it does not open."""
        nonce = chance.new_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, password.encode(), place.encode())

    def open(self, sealed: bytes, *, place: str) -> str | None:
        """Return the password; None when it was sealed with another key or for another place."""
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, rest, place.encode()).decode()
        except (InvalidTag, ValueError):
            return None
