"""Station passwords: random keys of at least 128 bits, so one salted SHA-256 is enough and costs 1 µs.

A slow hash here would let anybody stop the reconnect of ten thousand stations with wrong passwords.
"""

from __future__ import annotations

import hashlib
import hmac


def hash_password(salt: bytes, password: bytes) -> bytes:
    """Return what is stored of a station's password."""
    return hashlib.sha256(salt + password).digest()


def matches(stored: bytes, salt: bytes, password: bytes) -> bool:
    """Compare in constant time.

    A 1.6 key travels as hex in ChangeConfiguration and as raw bytes in the HTTP header; some stations send
    the hex text there too, so both spellings of the one secret are accepted (quirk 7).
    """
    spellings = [password]
    try:
        spellings.append(bytes.fromhex(password.decode("ascii")))
    except ValueError:
        spellings.append(password.hex().encode())
    checks = [hmac.compare_digest(stored, hash_password(salt, spelling)) for spelling in spellings]
    return any(checks)
